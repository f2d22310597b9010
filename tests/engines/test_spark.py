"""The page on Spark as it stands, on two worker processes, against the same calls in this one."""

import os
import shutil
import sys

import pytest
from recipes import recipes, run

import moverank as mr
from moverank.data import demo_documents, demo_queries

PAGE = "spark.md"
MODULE = "moverank_on_spark"
TEXTS = {int(one.id): one.text for one in demo_documents()}
QUERIES = [one.text for one in demo_queries()]
#: Two tasks at a time. A driver that lives for seconds is not worth compiling for.
OPTIONS = [
    "--master local[2]",
    "--conf spark.ui.enabled=false",
    "--conf spark.sql.shuffle.partitions=2",
    "--driver-java-options -XX:TieredStopAtLevel=1",
]

pytest.importorskip("pyspark", reason="PySpark is not installed in this environment")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("no Java: install default-jre-headless", allow_module_level=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Names that the page makes, from its first example to its last, in a folder of its own."""
    module, program = recipes(PAGE)
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("spark")
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_SUBMIT_ARGS", " ".join([*OPTIONS, "pyspark-shell"]))
        (folder / f"{MODULE}.py").write_text(module, encoding="utf-8")
        names = {}
        exec(compile(program, PAGE, "exec"), names)
        try:
            names["spark"].sparkContext.setLogLevel("ERROR")
            for heading in ("Score pairs of texts", "Rerank candidates", "Encode documents"):
                run(PAGE, heading, names)
            yield names
        finally:
            names["spark"].stop()
            sys.modules.pop(MODULE, None)


def rows_of(frame):
    return [tuple(row) for row in frame.collect()]


def test_pairs_are_scored_as_in_one_process(page):
    texts = list(TEXTS.values())
    pairs = [(n, texts[n], texts[n * 7 % 100]) for n in range(60)]
    frame = page["spark"].createDataFrame(pairs, "id long, candidate string, reference string").repartition(5)
    found = rows_of(frame.mapInArrow(page["ours"].score, "id long, precision double, recall double, f1 double"))
    expected = mr.score([candidate for _, candidate, _ in pairs], [reference for _, _, reference in pairs])
    assert sorted(found) == [
        (n, *own) for n, own in enumerate(zip(expected.precision, expected.recall, expected.f1, strict=True))
    ]


def test_an_encoder_that_is_broadcast_gives_the_same(page):
    found = sorted(rows_of(page["scored"]))
    assert len(found) == 2
    assert found == sorted(rows_of(page["scored_by_it"]))


def test_candidates_are_ranked_as_in_one_process(page):
    ids = sorted(TEXTS)
    asked = [
        (q, query, [*ids[q::7], 1], [*(float(id % 97) for id in ids[q::7]), 1.0]) for q, query in enumerate(QUERIES)
    ]
    asked.append((99, "nothing is known of these", [1, 2], [1.0, 2.0]))
    kind = "query_id long, query string, ids array<long>, scores array<double>"
    frame = page["spark"].createDataFrame(asked, kind).repartition(3)
    ours = page["ours"]
    ranked = "query_id long, rank long, id long, score double"
    found = rows_of(frame.mapInArrow(lambda batches: ours.rerank(batches, "papers", k=5), ranked))
    expected = []
    with mr.TextIndex.open("papers") as index:
        for q, query, given, scores in asked[:-1]:
            hits = index.rerank(query, given[:-1], 5, scores=scores[:-1])
            expected += [(q, hit.rank, hit.id, hit.score) for hit in hits]
    assert sorted(found) == expected


def test_what_the_page_ranks_leaves_out_what_the_index_lacks(page):
    assert [id for _, _, id, _ in sorted(rows_of(page["ranked"]))] == [13282296, 4886637, 409280]


def test_an_index_is_opened_once_per_worker_process(page):
    ours = page["ours"]

    def opened(batches):
        import pyarrow as pa

        for batch in batches:
            ours.opened("papers")
            misses = ours.opened.cache_info().misses
            yield pa.RecordBatch.from_pydict({"pid": [os.getpid()] * len(batch), "misses": [misses] * len(batch)})

    seen = []
    for _ in range(2):
        frame = page["spark"].range(40).repartition(8)
        seen += rows_of(frame.mapInArrow(opened, "pid long, misses long"))
    assert {misses for _, misses in seen} == {1}
    assert os.getpid() not in {pid for pid, _ in seen}
    assert len({pid for pid, _ in seen}) <= 2


def test_encoded_documents_make_the_same_index(page):
    measure = mr.wrd.replace(capacity=4)
    encoder = mr.encoders.WordVectors.default()
    expected = mr.Index.build(encoder.encode(list(TEXTS.values())).sequences, measure, ids=list(TEXTS))
    index = page["vectors"]
    assert len(index) == len(TEXTS)
    for query in QUERIES[:3]:
        tokens = encoder.encode([query]).sequences
        found, wanted = index.search(tokens, 10), expected.search(tokens, 10)
        assert found.ids.tolist() == wanted.ids.tolist()
        assert found.distances.tolist() == pytest.approx(wanted.distances.tolist(), abs=1e-6)


def test_texts_without_a_word_are_left_out(page, tmp_path):
    rows = [(1, "zzqqx"), (2, "A cat sat."), (3, "zzqqx"), (4, ""), (5, "A dog barked.")]
    frame = page["spark"].createDataFrame(rows, "id long, text string").repartition(5)
    found = rows_of(frame.mapInArrow(page["ours"].encode, "id long, tokens array<float>"))
    expected = mr.encoders.WordVectors.default().encode(["A cat sat.", "A dog barked."]).sequences
    assert sorted(found) == [(2, expected[0].tokens.ravel().tolist()), (5, expected[1].tokens.ravel().tolist())]


def test_an_archive_of_the_index_is_unpacked_for_workers(page, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", "papers")
    page["spark"].sparkContext.addArchive(f"{archive}#unpacked")
    ours = page["ours"]

    def rerank(batches):
        from pyspark import SparkFiles

        return ours.rerank(batches, SparkFiles.get("unpacked"))

    found = page["found"].mapInArrow(rerank, "query_id long, rank long, id long, score double")
    assert rows_of(found) == rows_of(page["ranked"])
