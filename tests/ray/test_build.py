"""An index built on a cluster is that of one process, whatever is lost on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
import ray.data

import moverank as mr
import moverank.ray as mrr
from moverank.ray.building import WriteTexts, WriteVectors
from moverank.text_index.joint import JointTextBuild

rng = np.random.default_rng(0)
VOCABULARY = [f"w{n}" for n in range(300)]
ENCODER = mr.encoders.WordVectors(VOCABULARY, rng.normal(size=(300, 16)))
TEXTS = [
    " ".join(rng.choice(VOCABULARY, size=12)) + ". " + " ".join(rng.choice(VOCABULARY, size=6)) for _ in range(400)
]
IDS = [f"d{(7 * n) % 400}" for n in range(400)]
ROWS = [{"id": id, "text": text, "n": n, "kind": "even" if n % 2 == 0 else "odd"}
        for n, (id, text) in enumerate(zip(IDS, TEXTS, strict=True))]  # fmt: skip
PAYLOADS = [{"n": row["n"], "kind": row["kind"]} for row in ROWS]
QUERIES = [" ".join(rng.choice(VOCABULARY, size=4)) for _ in range(5)]
OPTIONS = {"lexical": "english", "passages": mr.Passages(8, 2)}


def dataset(rows=ROWS, blocks=8):
    return ray.data.from_items(rows, override_num_blocks=blocks)


def answers(index, **options):
    return [
        [(hit.id, hit.score, hit.distance, hit.text, hit.payload) for hit in hits]
        for hits in index.search_batch(QUERIES, 10, **options)
    ]


@pytest.fixture(scope="module")
def expected():
    index = mr.TextIndex.create(encoder=ENCODER, **OPTIONS)
    index.add(TEXTS, IDS, payloads=PAYLOADS)
    return index


@pytest.fixture(scope="module")
def expected_of_tokens():
    index = mr.TextIndex.create(encoder=Slow(0), dtype="float32", prefilter=None, **OPTIONS)
    index.add(TEXTS, IDS, payloads=PAYLOADS)
    return index


class Slow:
    """An encoder that takes its time."""

    def __init__(self, seconds):
        self._seconds = seconds
        self.identity = ENCODER.identity

    def encode(self, texts, *, skip_empty=False):
        if list(texts) == ["a text"]:  # by which the dimension of its vectors is found
            return ENCODER.encode(["w0"])
        time.sleep(self._seconds)
        return ENCODER.encode(texts, skip_empty=skip_empty)


@pytest.fixture(autouse=True, scope="module")
def by_value():
    """This module is not installed where actors run."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_index_equals_that_of_one_process(cluster, tmp_path, expected):
    folder = tmp_path / "index"
    added = mrr.build(
        dataset(), folder, encoder=ENCODER, payload=["n", "kind"], batch_size=50, concurrency=1, **OPTIONS
    )
    assert (added.ids, added.skipped) == (IDS, [])
    with mr.TextIndex.open(folder, encoder=ENCODER) as index:
        index.verify()
        assert list(index) == IDS
        assert answers(index) == answers(expected)
        assert answers(index, candidates=None, where="kind = 'odd'") == answers(
            expected, candidates=None, where="kind = 'odd'"
        )
    with pytest.raises(mr.IndexExistsError, match="there is already an index"):
        mrr.build(dataset(), folder, encoder=ENCODER)
    again = {"encoder": ENCODER, "resume": True, **OPTIONS}
    assert mrr.build(dataset(blocks=1), folder, **again).ids == IDS
    with pytest.raises(ValueError, match="the index is complete, and has 400 documents; the dataset has 10"):
        mrr.build(dataset(ROWS[:10], 1), folder, **again)


@pytest.mark.skipif("RAY_TEST_ADDRESS" in os.environ, reason="the cluster is not that of this test")
def test_a_lost_node_costs_nothing(cluster, tmp_path, expected_of_tokens):
    lost = []

    def lose():
        staged = tmp_path / "index/staged"
        while len(list(staged.glob("*.json"))) < 3:
            time.sleep(0.05)
        node = next(iter(cluster.worker_nodes))
        cluster.remove_node(node, allow_graceful=False)
        lost.append(node)

    losing = threading.Thread(target=lose, daemon=True)
    losing.start()
    added = mrr.build(
        dataset(blocks=16), tmp_path / "index", encoder=lambda: Slow(0.4), payload=["n", "kind"], batch_size=25,
        concurrency=3, dtype="float32", prefilter=None, **OPTIONS,
    )  # fmt: skip
    losing.join()
    cluster.add_node(num_cpus=1, object_store_memory=150 << 20)
    assert lost
    assert sorted(added.ids) == sorted(IDS)
    with mr.TextIndex.open(tmp_path / "index", encoder=Slow(0)) as index:
        index.verify()
        assert sorted(index) == sorted(IDS)
        assert answers(index, candidates=None) == answers(expected_of_tokens, candidates=None)


DRIVER = """
import sys
sys.path.insert(0, {tests!r})
import ray
ray.init(address={address!r}, logging_level="ERROR", log_to_driver=False)
import test_build
ray.cloudpickle.register_pickle_by_value(test_build)
test_build.mrr.build(
    test_build.dataset(blocks=16), {folder!r}, encoder=lambda: test_build.Slow(1), payload=["n", "kind"], batch_size=25,
    concurrency=1, dtype="float32", prefilter=None, **test_build.OPTIONS,
)
"""


def test_a_killed_driver_is_started_again(cluster, tmp_path, expected_of_tokens):
    folder = tmp_path / "index"
    script = DRIVER.format(
        tests=str(Path(__file__).parent), address=ray.get_runtime_context().gcs_address, folder=str(folder)
    )
    driver = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list((folder / "staged").glob("*.json"))) < 4:
        assert driver.poll() is None
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    with pytest.raises(mr.IndexIncompleteError, match="is being built by several processes"):
        mr.TextIndex.open(folder, encoder=ENCODER)
    written = {path: path.stat().st_mtime_ns for path in (folder / "staged").glob("*.json")}
    options = {"encoder": lambda: Slow(0), "payload": ["n", "kind"], "dtype": "float32", "prefilter": None, **OPTIONS}
    with pytest.raises(mr.IndexExistsError, match="resume=True"):
        mrr.build(dataset(), folder, **options)
    added = mrr.build(dataset(blocks=5), folder, resume=True, batch_size=70, concurrency=1, **options)
    assert sorted(added.ids) == sorted(IDS)
    assert len(written) >= 4
    with mr.TextIndex.open(folder, encoder=Slow(0)) as index:
        index.verify()
        assert sorted(index) == sorted(IDS)
        assert answers(index, candidates=None) == answers(expected_of_tokens, candidates=None)


def test_vectors_from_encode_without_a_shared_folder(cluster, tmp_path):
    """Segments go through a store; encoding and writing are one pipeline; a text without a token is kept as it is."""
    rows = [*({"id": n, "text": text} for n, text in enumerate(TEXTS[:120])), {"id": 500, "text": "zzz"}]
    encoded = mrr.encode(dataset(rows, 2), encoder=ENCODER, unknown="keep", batch_size=40, concurrency=1).materialize()
    rows = encoded.take_all()
    assert rows[-1] == {"id": 500, "text": "zzz", "tokens": [], "words": []}
    whole = pa.concat_tables(ray.get(encoded.to_arrow_refs())).slice(0, 120)
    known = ray.data.from_arrow(whole)
    count = mrr.build_vectors(
        known, tmp_path / "index", measure="wmd", dtype="int8", payload=["text"], encoder=ENCODER, batch_size=50,
        concurrency=1, staging=f"file://{tmp_path}/store",
    )  # fmt: skip
    assert count == 120
    assert list((tmp_path / "store").iterdir()) == []
    docs = ENCODER.encode(TEXTS[:120])
    expected = mr.Index.build(
        docs.sequences, "wmd", dtype="int8", payloads=[{"text": text} for text in TEXTS[:120]], encoder=ENCODER
    )
    with mr.Index.open(tmp_path / "index") as index:
        index.verify()
        for query in (docs.sequences[n] for n in (3, 90)):
            ours, theirs = index.search(query, 7), expected.search(query, 7)
            assert ours.ids.tolist() == theirs.ids.tolist()
            assert ours.distances.tolist() == theirs.distances.tolist()
            assert ours[0].payload == theirs[0].payload
    pq.write_table(whole, tmp_path / "encoded.parquet")
    (batch,) = mr.readers.read_arrow(tmp_path / "encoded.parquet", payload="*")
    assert np.array_equal(batch.docs.tokens, docs.sequences.tokens)


# ---- input that cannot be taken --------------------------------------------------------------------------------------


def test_errors_of_actors_reach_the_caller_as_they_are(cluster, tmp_path):
    with pytest.raises(ValueError, match=r"^column 'body': is not in the dataset; its columns are 'id', 'text'"):
        mrr.build(dataset(), tmp_path / "index", encoder=ENCODER, text="body", concurrency=1)
    assert not (tmp_path / "index").exists()
    twice = [*ROWS[:60], {**ROWS[3], "text": "w5 w6"}]
    with pytest.raises(mr.DuplicateIdError, match=r"^ids: 'd21' is given more than once"):
        mrr.build(dataset(twice, 2), tmp_path / "index", encoder=ENCODER, batch_size=20, concurrency=1, lexical=None)


def test_an_empty_dataset(cluster, tmp_path):
    none = ray.data.from_arrow(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}))
    with pytest.raises(ValueError, match="expected at least one document, got none"):
        mrr.build(none, tmp_path / "index", encoder=ENCODER, concurrency=1)
    with pytest.raises(ValueError, match="dataset: expected at least one document, got none"):
        mrr.build_vectors(none, tmp_path / "index", concurrency=1)
    assert not (tmp_path / "index").exists()


def writes(tmp_path, **options):
    chosen = {
        "passages": None, "lexical": None, "store_texts": True, "dtype": None, "rescore": False, "prefilter": "auto",
        "pool": 1, "space": None, "unknown": "raise",
    }  # fmt: skip
    build = JointTextBuild(tmp_path / "index", lambda count: [], ENCODER, None, resume=False, **chosen)
    return build, WriteTexts(build.writer(1), ENCODER, "text", "id", options.get("payload"), 1)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"id": ["a", "b"]}, ValueError, "column 'text': is not in the dataset; its columns are 'id'"),
        ({"text": ["w1", "w2"]}, ValueError, "column 'id': is not in the dataset"),
        ({"id": ["a", "b"], "text": ["w1", None]}, ValueError, r"column 'text': row 1 of the batch is null \(id 'b'\)"),
        ({"id": ["a", None], "text": ["w1", "w2"]}, ValueError, "column 'id': row 1 of the batch is null"),
        ({"id": ["a", "b"], "text": [1, 2]}, TypeError, "column 'text': expected texts, got int64"),
        ({"id": [0.5, 1.5], "text": ["w1", "w2"]}, TypeError, "column 'id': expected ids .*, got double"),
        ({"id": ["a", "a"], "text": ["w1", "w2"]}, mr.DuplicateIdError, "ids: 'a' is given more than once"),
        ({"id": ["a", "b"], "text": ["w1", "?"]}, mr.NoTokensError, r"text 1 \(id 'b'\) has no word with a vector"),
        ({"id": ["a"], "text": ["w1"], "x": [b"\\xff"]}, TypeError, "payloads: document 0"),
    ],
)
def test_bad_rows_are_named(tmp_path, columns, error, message):
    build, write = writes(tmp_path, payload=["x"] if "x" in columns else None)
    with pytest.raises(error, match=message):
        write._write(pa.table(columns))
    build.close()


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"id": [1], "tokens": [[[1.0, 2.0], [1.0]]]}, ValueError, "expected tokens of one dimension"),
        ({"id": [1], "tokens": [None]}, ValueError, r"column 'tokens': row 0 of the batch is null \(id 1\)"),
        ({"id": [1], "tokens": [["a"]]}, ValueError, "dim is required"),
        ({"id": [1], "tokens": [[[1.0]]], "mass": [[1.0, 2.0]]}, ValueError, "column 'mass': does not have one weight"),
    ],
)
def test_bad_vectors_are_named(columns, error, message):
    names = {"tokens": "tokens", "weights": "mass" if "mass" in columns else None, "dim": None}
    with pytest.raises(error, match=message):
        WriteVectors(None, names, "id", None, 1)._write(pa.table(columns))


def test_calls_that_cannot_work(cluster, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="filesystem: expected None without staging"):
        mrr.build(ray.data.from_items(ROWS[:1]), tmp_path / "index", filesystem=object())
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    for call in (
        lambda: mrr.build(None, tmp_path),
        lambda: mrr.build_vectors(None, tmp_path),
        lambda: mrr.encode(None),
        lambda: mrr.score(None),
        lambda: mrr.rerank(None),
        lambda: mrr.pairwise(tmp_path, k=1),
    ):
        with pytest.raises(RuntimeError, match=r"Ray has not been started: call ray\.init\(\) first"):
            call()
