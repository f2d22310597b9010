"""Answers as JSON: plain values, one shape for whoever answers, the same as the objects say."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.alignment.lost import Lost
from moverank.cli import main
from moverank.encoders import WordVectors
from strategies import sequences

HIT = ["rank", "id", "score", "distance", "passage", "text", "payload"]
CERTIFICATE = ["exact", "bound", "unsolved", "certain", "error", "statement"]
ANSWER = ["measure", "hits", "certificate", "stats"]
MOVE = ["source", "target", "mass", "cost", "contribution"]
ENCODER = WordVectors.default()
TEXTS = ["the cat sat", "a dog ran home", "", "shares fell on Monday", "zzqxv"]


def plain(value):
    """The value as it comes back from JSON; every type is exactly that of JSON."""

    def require(inner):
        assert inner is None or type(inner) in (bool, int, float, str, list, dict), type(inner)
        for one in inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ():
            require(one)

    require(value)
    back = json.loads(json.dumps(value, allow_nan=False))
    assert back == value
    return back


def same(number, value):
    """Whether a number of JSON is that of an object."""
    return number == value if math.isfinite(value) else number is None


def require_certificate(found, certificate):
    assert list(found) == CERTIFICATE
    for name in ("exact", "unsolved", "certain", "statement"):
        assert found[name] == getattr(certificate, name)
    assert same(found["bound"], certificate.bound)
    assert same(found["error"], certificate.error)


@given(
    docs=st.lists(sequences(3), min_size=1, max_size=12),
    query=sequences(3),
    named=st.sampled_from([None, "text", "large"]),
    options=st.sampled_from([{}, {"candidates": 2}, {"timeout": 1e-9}, {"subset": []}]),
    measure=st.sampled_from(["wmd", "wrd", "maxsim", mr.Measure("dot", "uniform")]),
)
def test_hits_are_what_their_json_says(docs, query, named, options, measure):
    ids = {"text": [f'"{d}\n☃' for d in range(len(docs))], "large": [2**62 + d for d in range(len(docs))]}.get(named)
    payloads = [{"n": np.int64(d), "tags": ["a", None]} for d in range(len(docs))]
    hits = mr.Index.build(docs, measure, ids=ids, payloads=payloads).search(query, 2, **options)
    found = plain(hits.to_dict())
    assert list(found) == ANSWER
    assert found["measure"] == hits.measure.name
    require_certificate(found["certificate"], hits.certificate)
    assert found["stats"]["exact_solves"] == hits.stats.exact_solves
    assert [rung["name"] for rung in found["stats"]["rungs"]] == [rung.name for rung in hits.stats.rungs]
    assert len(found["hits"]) == len(hits)
    for one, hit in zip(found["hits"], hits, strict=True):
        assert list(one) == HIT
        assert one == hit.to_dict()
        assert (one["rank"], one["id"], one["payload"]) == (hit.rank, str(hit.id), hit.payload)
        assert same(one["score"], hit.similarity)
        assert same(one["distance"], hit.distance)
    bare = plain(hits.to_dict(contents=False))
    assert all(list(one) == HIT[:-2] for one in bare["hits"])


def test_infinite_distances_are_null():
    docs = mr.Histograms([[1.0, 0.0], [0.0, 1.0]])
    hits = mr.Index.build(docs, costs=[[0.0, np.inf], [np.inf, 0.0]]).search([1.0, 0.0], 2)
    assert hits.distances.tolist() == [0.0, np.inf]
    assert [hit["distance"] for hit in plain(hits.to_dict())["hits"]] == [0.0, None]


@given(
    query=st.sampled_from(["a cat", "zzqxv", "the market fell", "dog zzqxv"]),
    fusion=st.sampled_from([None, 0.5]),
    passages=st.sampled_from([None, mr.Passages(2, 0)]),
    top_k=st.sampled_from([None, 2]),
)
def test_rankings_are_what_their_json_says(query, fusion, passages, top_k):
    ranker = mr.Reranker(ENCODER, fusion=fusion, passages=passages)
    ids = [0, "b", 2.5, "d", ("e", 1)]
    scores = None if fusion is None else [1.0, 2, 3, 4, 5]
    ranking = ranker.rank(query, TEXTS, doc_ids=ids, scores=scores, top_k=top_k, unknown="keep")
    found = plain(ranking.to_dict())
    assert list(found) == ["query", *ANSWER, "skipped", "comparable", "lost"]
    assert (found["query"], found["comparable"]) == (query, ranking.comparable)
    require_certificate(found["certificate"], ranking.certificate)
    assert found["lost"] == ranking.lost.to_dict()
    assert Lost(**found["lost"]) == ranking.lost
    for one, document in zip(found["hits"], ranking, strict=True):
        assert list(one) == HIT
        assert one == document.to_dict()
        assert (one["id"], one["text"], one["payload"]) == (str(document.doc_id), document.text, document.payload)
        assert one["passage"] == (None if document.passage is None else list(document.passage))
        assert same(one["score"], document.score)
        assert same(one["distance"], document.distance)


def test_a_query_that_was_not_compared_is_not_certified():
    ranking = mr.Reranker(ENCODER).rank("zzqxv", TEXTS, unknown="keep")
    certificate = plain(ranking.to_dict())["certificate"]
    assert (certificate["exact"], certificate["certain"], certificate["unsolved"]) == (False, 0, len(TEXTS))
    assert certificate["statement"] == "not compared: the query has no token; documents are in the order given"
    assert str(ranking).endswith(certificate["statement"])


@given(x=sequences(3), y=sequences(3), named=st.booleans(), measure=st.sampled_from(["wmd", "rwmd", "wrd"]))
def test_alignments_are_what_their_json_says(x, y, named, measure):
    alignment = mr.align(x, y, measure)
    if named:
        alignment = alignment.named([f"q{i}" for i in range(len(x))], [f"d{j}" for j in range(len(y))])
    found = plain(alignment.to_dict())
    assert list(found) == ["value", "source_tokens", "target_tokens", "a", "b", "pooled_into", "moves", "lost"]
    assert found["pooled_into"] is None
    assert found["value"] == alignment.value
    assert (found["a"], found["b"]) == (alignment.a.tolist(), alignment.b.tolist())
    assert found["source_tokens"] == list(alignment.source_names)
    for one, move in zip(found["moves"], alignment.pairs, strict=True):
        assert list(one) == [*MOVE, "source_token", "target_token"]
        assert mr.TokenMove(*(one[name] for name in MOVE)) == move
        assert one["source_token"] == alignment.source_names[move.source]
        assert one["target_token"] == alignment.target_names[move.target]
    assert sum(one["contribution"] for one in found["moves"]) == pytest.approx(found["value"], abs=1e-6)


def printed(capsys, *arguments):
    assert main([*arguments, "--json"]) == 0
    return plain(json.loads(capsys.readouterr().out))


def test_the_command_line_prints_these_shapes(tmp_path, capsys):
    docs = tmp_path / "docs.jsonl"
    rows = [{"id": f"d{n}", "title": f"title {n}", "text": text, "year": n} for n, text in enumerate(TEXTS) if text]
    docs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    printed(capsys, "index", str(tmp_path / "index"), str(docs))
    of_texts = ["seconds", "comparable", "dropped", "left_out"]
    for source, told, scores in (
        (["--docs", str(docs)], ["skipped", "comparable", "lost", "left_out"], []),
        (["--index", str(tmp_path / "index")], of_texts, ["similarity", "lexical", "probability"]),
    ):
        report = printed(capsys, "search", "a cat", *source, "--explain")
        assert list(report) == ["query", *ANSWER, *told, "alignment_of_best"]
        assert list(report["certificate"]) == CERTIFICATE
        assert all(list(hit) == HIT + scores for hit in report["hits"])
        assert report["hits"][0]["payload"]["title"] == "title 0"
        explained = printed(capsys, "explain", "a cat", report["hits"][0]["text"])
        assert list(explained) == ["query", "measure", *report["alignment_of_best"]]
    ranking = mr.Reranker(ENCODER).rank("a cat", TEXTS)
    requests = tmp_path / "requests.jsonl"
    rows = [{"query": query, "documents": some} for query, some in (("a cat", TEXTS), ("zzqxv", TEXTS), ("cat", []))]
    requests.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["rerank", str(requests), "--quiet"]) == 0
    lines = [plain(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    expected = plain(ranking.to_dict(contents=False))
    assert [list(line) for line in lines] == [["id", *expected]] * 3
    for name in ("hits", "certificate", "measure", "lost", "skipped"):
        assert lines[0][name] == expected[name]
    assert [line["comparable"] for line in lines] == [True, False, True]
    assert [line["certificate"]["exact"] for line in lines] == [True, False, True]
    assert [hit["score"] for hit in lines[1]["hits"]] == [None] * len(TEXTS)
