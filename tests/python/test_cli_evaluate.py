"""``moverank eval`` gives the numbers of trec_eval, ties included, and refuses what trec_eval refuses."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.cli import main
from moverank.data import demo_documents, demo_queries

pytrec_eval = pytest.importorskip("pytrec_eval", reason="the extra eval is not installed")

#: Names of trec_eval beside those of ir-measures.
METRICS = {"nDCG@10": "ndcg_cut_10", "AP": "map", "RR": "recip_rank", "R@5": "recall_5", "P@5": "P_5"}
IDS = st.sampled_from(["a", "b", "B", "c", "d10", "d9", "é", "猫", "~"])
#: Some differ in double precision alone, which trec_eval does not see.
SCORES = st.sampled_from([1.0, 1.0 + 1e-12, 2.0, 0.0, -1.0, 1e300, 2.0 + 1e-10])


def evaluated(folder, qrels, run, *options):
    """The report of a call and what it said, or its status and what it said."""
    judged, ranked = folder / "qrels", folder / "run"
    judged.write_text(qrels, "utf-8")
    ranked.write_text(run, "utf-8")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["eval", "--qrels", str(judged), "--run", str(ranked), "--json", *options])
    return (json.loads(out.getvalue()) if status == 0 else status), err.getvalue()


@given(
    st.dictionaries(st.sampled_from(["q1", "q2"]), st.dictionaries(IDS, st.integers(0, 3), min_size=1), min_size=1),
    st.dictionaries(st.sampled_from(["q1", "q2"]), st.dictionaries(IDS, SCORES, min_size=1), min_size=1),
    st.randoms(use_true_random=False),
)
def test_numbers_are_those_of_trec_eval(tmp_path_factory, judged, ranked, random):
    if not judged.keys() & ranked.keys():
        return
    lines = [f"{q} Q0 {d} {n} {score!r} x\n" for q, own in ranked.items() for n, (d, score) in enumerate(own.items())]
    random.shuffle(lines)  # neither the order of lines nor the column of ranks matters
    qrels = "".join(f"{q} 0 {d} {r}\n" for q, own in judged.items() for d, r in own.items())
    options = [option for name in [*METRICS, "RR@10"] for option in ("-m", name)]
    found, _ = evaluated(tmp_path_factory.mktemp("eval"), qrels, "".join(lines), *options)
    per_query = pytrec_eval.RelevanceEvaluator(judged, set(METRICS.values())).evaluate(ranked)
    for name, theirs in METRICS.items():
        expected = sum(values[theirs] for values in per_query.values()) / len(judged)
        assert found[name] == pytest.approx(expected, abs=1e-9), name
    assert found["RR@10"] == pytest.approx(found["RR"])  # no run here has more than ten documents


def test_equal_scores_put_the_larger_id_first_in_every_metric(tmp_path):
    options = [option for name in ("nDCG@10", "RR", "RR@10", "AP") for option in ("-m", name)]
    found, _ = evaluated(tmp_path, "1 0 b 1\n", "1 0 b 1 1.0 r\n1 0 c 2 1.0 r\n", *options)
    assert found == {"queries": 1, "nDCG@10": pytest.approx(1 / np.log2(3)), "RR": 0.5, "RR@10": 0.5, "AP": 0.5}


@pytest.mark.parametrize("header", ["query-id\tcorpus-id\tscore\n", ""])
def test_ids_between_tabs_may_have_spaces(tmp_path, header):
    qrels = header + "q1\tSan Francisco\t1\n"
    found, _ = evaluated(tmp_path, qrels, "q1 Q0 Francisco 1 9 x\n", "-m", "RR@10")
    assert found["RR@10"] == 0.0
    found, _ = evaluated(tmp_path, qrels, "q1\tQ0\tSan Francisco\t1\t9\tx\n", "-m", "RR@10")
    assert found["RR@10"] == 1.0


@pytest.mark.parametrize("blank", [" ", "\t", " \t "])
def test_columns_of_trec_are_between_any_blanks(tmp_path, blank):
    qrels, run = blank.join(["q1", "0", "d1", "1"]), blank.join(["q1", "Q0", "d1", "1", "9", "x"])
    found, _ = evaluated(tmp_path, qrels, run, "-m", "RR@10")
    assert found["RR@10"] == 1.0


def test_queries_that_are_judged_and_not_ranked_count_as_failures(tmp_path):
    found, _ = evaluated(tmp_path, "q1 0 a 1\nq2 0 a 1\n", "q1 Q0 a 1 1 x\nq3 Q0 a 1 1 x\n", "-m", "RR@10")
    assert found == {"queries": 2, "RR@10": 0.5}


@pytest.mark.parametrize(
    ("qrels", "run", "message"),
    [
        ("q1 0 d1 1\n", "q1 Q0 d1 1 9 x\nq1 Q0 d1 2 8 x\n", "run:2: document 'd1' is listed twice for query 'q1'"),
        ("q1 0 d1 1\nq1 0 d1 0\n", "q1 Q0 d1 1 9 x\n", "qrels:2: document 'd1' is judged twice for query 'q1'"),
        ("q1 0 d1 --1\n", "q1 Q0 d1 1 9 x\n", "qrels:1: expected query, (0,) document and relevance"),
        ("q1 0 d1 ²\n", "q1 Q0 d1 1 9 x\n", "qrels:1: expected query, (0,) document and relevance"),
        ("q1 0 d1 1.5\n", "q1 Q0 d1 1 9 x\n", "qrels:1: expected query, (0,) document and relevance"),
        ("q1 0 d1 1\n", "q1 Q0 San Francisco 1 9 x\n", "run:1: expected six columns of a TREC run, got 7"),
        ("q1 0 d1 1\n", "q1 Q0 d1 1 nan x\n", "run:1: score 'nan' is not a finite number"),
    ],
)
def test_what_trec_eval_refuses_is_refused_with_its_line(tmp_path, qrels, run, message):
    status, error = evaluated(tmp_path, qrels, run)
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--qrels", "Q", "--run", "R", "--measure", "wmd"], "--measure: applies to the texts of --sts"),
        (["--qrels", "Q", "--run", "R", "--vectors", "V"], "--vectors: applies to the texts of --sts"),
        (["--sts", "S", "-m", "AP"], "--metric: applies to --qrels"),
        (["--sts", "S", "--run", "R"], "--run: can only be scored against --qrels"),
    ],
)
def test_options_that_do_not_apply_are_refused(capsys, options, message):
    assert main(["eval", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "metric",
    [
        "P@0",
        "AP@0",
        "Success@0",
        "nDCG@0",
        "nDCG(cutoff=0)",
        "RR@0",
        "ERR@0",
        "Judged@0",
        "nDCG@1.5",
        "P(cutoff='5')",
        "P@True",
        "P@2147483648",
        "nDCG@99999999999999999999",
    ],
)
def test_a_cutoff_is_a_whole_number_from_1_on(tmp_path, metric):
    status, error = evaluated(tmp_path, "1 0 b 1\n", "1 Q0 b 1 1.0 r\n", "-m", "AP", "-m", metric)
    assert status == 2
    assert error.startswith(f"moverank: error: --metric {metric}: the cutoff has to be a whole number from 1 to ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "metric",
    [
        "P",
        "IPrec@2",
        "RBP(p=2)",
        "SetF(beta=0)",
        "nDCG(dcg='x')@3",
        "AP(rel=1.5)",
        "P(judged_only=3)@2",
        "INST",
        "Compat(p=2)",
        "AP(rel=0)",
        "P(rel=99999999999)@2",
    ],
)
@pytest.mark.parametrize("others", [[], ["-m", "AP", "-m", "RR@10"]])
def test_a_metric_that_cannot_be_computed_is_named(tmp_path, metric, others):
    status, error = evaluated(tmp_path, "1 0 b 1\n", "1 Q0 b 1 1.0 r\n", *others, "-m", metric)
    assert status == 2
    assert error.startswith(f"moverank: error: --metric {metric}: ir-measures cannot compute it: ")
    assert error.count("\n") == 1


PAIRS = [(5, "a cat sat", "a cat sat"), (3, "he plays guitar", "he plays music"), (0, "shares fell", "a bird sings")]


@pytest.mark.parametrize(
    ("measure", "formula"),
    [("wrd", "1 - distance, by wrd"), ("wmd", "1 / (1 + distance), by wmd"), ("maxsim", "-distance, by maxsim")],
)
def test_what_is_correlated_is_said_and_a_first_line_of_names_is_not_needed(tmp_path, capsys, measure, formula):
    path = tmp_path / "sts.tsv"
    reports = []
    for names in ("", "score\tsentence1\tsentence2\n"):
        path.write_text(names + "".join(f"{score}\t{x}\t{y}\n" for score, x, y in PAIRS))
        assert main(["eval", "--sts", str(path), "--json", "--measure", measure]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    assert reports[0]["pairs"] == 3
    assert reports[0]["similarity"] == formula


def test_a_score_that_is_not_finite_is_refused(tmp_path, capsys):
    path = tmp_path / "sts.tsv"
    path.write_text("1\ta cat\ta dog\nnan\ta cat\ta dog\n")
    assert main(["eval", "--sts", str(path)]) == 2
    assert "sts.tsv:2: expected a score, sentence1 and sentence2" in capsys.readouterr().err


def test_an_index_is_scored_by_its_answers(tmp_path, capsys):
    documents, queries = demo_documents()[:40], demo_queries()[:6]
    with mr.TextIndex.create(tmp_path / "index") as index:
        index.add([d.text for d in documents], ids=[d.id for d in documents])
        found = {q.id: index.search(q.text, 9, candidates=12, fusion=0.4) for q in queries}
    judged = {q.id: {d.id: int(n % 3 == 0) for n, d in enumerate(documents)} for q in queries}
    judged["unasked"] = {documents[0].id: 1}
    lines = [f"{q}\t{d}\t{grade}\n" for q, own in judged.items() for d, grade in own.items()]
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    (tmp_path / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": q.id, "text": q.text}) + "\n" for q in queries)
        + json.dumps({"_id": "unjudged", "text": "a cat"}) + "\n"
    )  # fmt: skip
    asked = ["--index", str(tmp_path / "index"), "--queries", str(tmp_path / "queries.jsonl"), "-k", "9"]
    options = ["--candidates", "12", "--fusion", "0.4", "-m", "nDCG@10", "-m", "AP", "--json"]
    run = str(tmp_path / "run")
    assert main(["eval", "--qrels", str(tmp_path / "qrels.tsv"), *asked, *options, "--save-run", run]) == 0
    report = json.loads(capsys.readouterr().out)
    ranked = {q: {str(hit.id): hit.score for hit in hits} for q, hits in found.items()}
    per_query = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut_10", "map"}).evaluate(ranked)
    for name, theirs in (("nDCG@10", "ndcg_cut_10"), ("AP", "map")):
        expected = sum(values[theirs] for values in per_query.values()) / len(judged)
        assert report[name] == pytest.approx(expected, abs=1e-9)
    assert report["queries"] == 7
    assert main(["eval", "--qrels", str(tmp_path / "qrels.tsv"), "--run", run, *options[4:]]) == 0
    assert json.loads(capsys.readouterr().out) == report


def test_an_index_needs_queries_that_are_judged(tmp_path, capsys):
    with mr.TextIndex.create(tmp_path / "index") as index:
        index.add(["a cat"], ids=["a"])
    (tmp_path / "qrels").write_text("1 0 a 1\n")
    (tmp_path / "queries.tsv").write_text("2\ta cat\n")
    asked = ["eval", "--qrels", str(tmp_path / "qrels"), "--index", str(tmp_path / "index")]
    for options, message in (
        ([], "--index needs --queries"),
        (["--queries", str(tmp_path / "queries.tsv")], "none of its queries is judged"),
        (["--run", "x"], "--qrels needs either a --run, or an --index"),
    ):
        assert main([*asked, *options]) == 2
        assert message in capsys.readouterr().err
