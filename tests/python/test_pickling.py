"""Everything public goes to another process and back, or says what to send in its place.

`test_learning_values` has the same for what needs torch.
"""

import copy
import dataclasses
import importlib
import json
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import sparse

import moverank as mr
from moverank import encoders, errors, ranking, readers, spaces
from moverank.index.parts.where import Where
from tiny_models import SentenceTransformer, save_model, save_tokenizer, vectors_of

PUBLIC_MODULES = ["", ".encoders", ".errors", ".presets", ".ranking", ".readers", ".scoring", ".spaces"]

#: What others implement: nothing is of these classes.
PROTOCOLS = {"DocumentEncoder", "Encoder", "QueryEncoder", "Recipe", "Step"}

rng = np.random.default_rng(0)
DOCS = mr.Sequences([rng.normal(size=(rng.integers(1, 6), 5)) for _ in range(60)])
WEIGHTED = mr.Sequences(list(DOCS), [np.arange(1.0, len(x) + 1) for x in DOCS]).astype("int8")
BAGS = mr.Bags(rng.normal(size=(20, 5)), [rng.integers(20, size=4).tolist() for _ in range(30)])
PAYLOADS = [{"n": n} for n in range(len(DOCS))]
QUERY = DOCS[7]
WORDS = encoders.WordVectors(["cat", "dog", "sat", "mat"], np.eye(4) + 0.1)
TEXTS = ["a cat sat", "the dog sat on a mat", "cat, dog and cat"]
SPACE = mr.fit(WORDS, TEXTS, ["centring", "idf", "unit-norm"])


def hits(**options):
    return mr.Index.build(DOCS, "wrd", payloads=PAYLOADS).search(QUERY, 4, **options)


def opened(tmp_path, **options):
    mr.Index.build(DOCS, "wrd", payloads=PAYLOADS, space=SPACE, prefilter="HNSW4").save(tmp_path / "index")
    return mr.Index.open(tmp_path / "index", **options)


def grown():
    """An index of several parts, with documents removed."""
    index = mr.Index.build(DOCS, "wrd", payloads=PAYLOADS, prefilter="IVF3,Flat;nprobe=3", space=SPACE, num_threads=1)
    index.add(DOCS[:2], [100, 101])
    index.remove([3, 100])
    return index


def reranker(*options):
    return mr.Reranker(*options, passages=mr.Passages(3, 1))


def text_index():
    index = mr.TextIndex.create(encoder=WORDS, lexical="english")
    index.add(TEXTS, payloads=[{"n": n} for n in range(len(TEXTS))])
    return index


def onnx(tmp_path):
    return encoders.OnnxEncoder(save_model(tmp_path), save_tokenizer(tmp_path), subwords="mean")


#: For each public class, what makes something of it; several, where it comes in kinds.
EXAMPLES = {
    "Alignment": [
        lambda t: mr.align(DOCS[0], DOCS[1]),
        lambda t: reranker(WORDS).rank("cat", TEXTS)[0].explain(),  # named
        lambda t: mr.align(DOCS[0], DOCS[1], samples=3),
    ],
    "Bag": [lambda t: mr.Bags(np.eye(3), [[0, 1, 1]])[0]],
    "Bags": [lambda t: BAGS, lambda t: mr.Bags.from_flat(np.eye(3), [0, 1, 2], [0, 2, 3])],
    "Batch": [lambda t: readers.Batch(DOCS, list(range(60)), PAYLOADS)],
    "CachedEncoder": [lambda t: ranking.CachedEncoder(WORDS)],
    "CallableEncoder": [lambda t: encoders.CallableEncoder(vectors_of)],
    "EncoderCheck": [lambda t: mr.Index.build(DOCS).require_encoder(encoders.CallableEncoder(vectors_of))],
    "EncoderIdentity": [lambda t: mr.EncoderIdentity("A", "b", 3, "0" * 32, {"c": 1, "d": None})],
    "Certificate": [lambda t: hits().certificate, lambda t: hits(candidates=5).certificate],
    "Neighbours": [lambda t: mr.neighbours(DOCS, k=3)],
    "CertifiedDistances": [lambda t: mr.certified_distances(QUERY, DOCS)],
    "Clusters": [lambda t: mr.Clusters(3)],
    "TokenCells": [lambda t: mr.TokenCells(9, ranked=20)],
    "EncodedTexts": [lambda t: WORDS.encode(TEXTS)],
    "Fusion": [lambda t: mr.Fusion(0.25)],
    "Calibration": [lambda t: ranking.Calibration("isotonic", (0.0, 1.0), (0.25, 0.5))],
    "ReciprocalRanks": [lambda t: ranking.ReciprocalRanks(0.25, 30)],
    "Gradients": [lambda t: mr.gradients(DOCS[0], DOCS[1], "wrd")],
    "Hit": [lambda t: hits()[2], lambda t: mr.Index.build(BAGS).search(np.eye(5), 3)[1]],
    "Histograms": [lambda t: mr.Histograms([[1.0, 0.0, 2.0], [0.0, 3.0, 0.5]])],
    "Hits": [
        lambda t: hits(),
        lambda t: mr.Index.build(DOCS, ids=[f"id {n}" for n in range(60)]).range_search(QUERY, 0.0),
        lambda t: mr.Index.build(BAGS, "wmd").search(np.eye(5), 3),
        lambda t: mr.Index.build(WEIGHTED).search(QUERY, 3, weights=np.arange(1.0, len(QUERY) + 1)),
        lambda t: opened(t).search(QUERY, 3),
        lambda t: mr.rerank(QUERY, DOCS),
    ],
    "Index": [
        lambda t: mr.Index.build(DOCS, "wmd", ids=[f"id {n}" for n in range(60)], num_threads=2),
        lambda t: mr.Index.build(WEIGHTED, payloads=PAYLOADS, prefilter=mr.Clusters(2)),
        lambda t: mr.Index.build(WEIGHTED, payloads=PAYLOADS, prefilter="tokens"),
        lambda t: mr.Index.build(DOCS, mr.wmd.replace(capacity=4), dtype="int8", rescore=True),
        lambda t: mr.Index.build(BAGS, "wmd"),
        lambda t: grown(),
        opened,
        lambda t: opened(t, mmap=False),
    ],
    "Measure": [lambda t: mr.maxsim, lambda t: mr.wmd.replace(problem=mr.Sinkhorn(0.1), fraction=0.5)],
    "LateInteraction": [lambda t: encoders.LateInteraction(query_length=8, skiplist=["."])],
    "OnnxEncoder": [onnx],
    "Passages": [lambda t: mr.Passages(9, 2)],
    "Preset": [lambda t: mr.presets.PAIRS_BY_WORDS, lambda t: mr.presets.CLASSIFICATION_BY_WORDS],
    "PooledTokens": [lambda t: mr.pool_tokens(DOCS, 2, "wrd")],
    "RankedDocument": [lambda t: reranker(WORDS).rank("cat", TEXTS)[1]],
    "Ranking": [
        lambda t: reranker(WORDS).rank("cat", [*TEXTS, "?"]),
        lambda t: mr.Reranker(WORDS).rank("cat", mr.Index.build(WORDS.encode(TEXTS).sequences, payloads=TEXTS)),
    ],
    "Recall": [lambda t: mr.Index.build(DOCS).recall(DOCS[:3], 2)],
    "RecallAt": [lambda t: mr.Index.build(DOCS).recall(DOCS[:3], 2).at[1]],
    "TextIndex": [lambda t: text_index()],
    "Reranker": [lambda t: reranker(WORDS, mr.wmd), lambda t: reranker()],
    "Rung": [lambda t: hits().stats.rungs[0]],
    "MeanScore": [lambda t: mr.score(TEXTS, TEXTS[::-1], encoder=WORDS).mean],
    "ScoreBaseline": [lambda t: mr.score_baseline(TEXTS, encoder=WORDS, pairs=9)],
    "Scores": [lambda t: mr.score(TEXTS, TEXTS[::-1], encoder=WORDS, idf=True), lambda t: rescaled_scores()],
    "SearchStats": [lambda t: hits().stats],
    "SentenceTransformerEncoder": [lambda t: encoders.SentenceTransformerEncoder(SentenceTransformer())],
    "Sequence": [lambda t: DOCS[3], lambda t: WEIGHTED[0]],
    "Sequences": [lambda t: DOCS[3:9], lambda t: WEIGHTED, lambda t: DOCS.astype("bfloat16")],
    "Sinkhorn": [lambda t: mr.Sinkhorn(0.2, debiased=True)],
    "SinkhornBatch": [lambda t: mr.transport_batch(rng.random((2, 3, 4)), epsilon=0.1)],
    "SinkhornResult": [lambda t: mr.transport(rng.random((3, 4)), epsilon=0.1)],
    "Space": [lambda t: SPACE],
    "Statistics": [lambda t: statistics()],
    "TokenMove": [lambda t: mr.align(DOCS[0], DOCS[1]).pairs[0]],
    "TokenWeights": [lambda t: spaces.TokenWeights({"cat": 2.0}, 0.5)],
    "TransportBatch": [lambda t: mr.transport_batch(rng.random((2, 3, 4)))],
    "TransportResult": [
        lambda t: mr.transport(rng.random((3, 4))),
        lambda t: mr.transport(sparse.csr_array(rng.random((3, 4)))),
    ],
    "UncertainMove": [lambda t: mr.align(DOCS[0], DOCS[1], samples=3).uncertainty.moves[0]],
    "Uncertainty": [lambda t: mr.align(DOCS[0], DOCS[1], samples=3).uncertainty],
    "Verified": [lambda t: opened(t).verify()],
    "WordVectors": [lambda t: WORDS, lambda t: encoders.WordVectors.default()],
    "Words": [lambda t: encoders.Words()],
}
EXAMPLES |= {
    recipe.__name__: [lambda t, recipe=recipe: recipe()]
    for recipe in (
        spaces.AllButTheTop,
        spaces.Centring,
        spaces.ConceptorNegation,
        spaces.RemoveCommon,
        spaces.UnitNorm,
        spaces.Whitening,
    )
}
EXAMPLES |= {"Scaling": [lambda t: spaces.Scaling("sif")], "Weighing": [lambda t: spaces.Weighing("idf", by_norm=True)]}
EXAMPLES |= {
    name: [lambda t, kind=kind: kind("what happened"), lambda t, kind=kind: kind(2, "what happened", "a path")]
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
}


def statistics():
    found = spaces.Statistics(4, 10, np.random.default_rng(0))
    found.add(WORDS.encode(TEXTS))
    return found


def rescaled_scores():
    baseline = mr.score_baseline(TEXTS, pairs=9)
    return mr.score(["a cat"], [["the cat", "a dog"]], baseline=baseline)


def described(value):
    """What a value consists of, as far as anybody can tell: two equal ones give the same."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, mr.Index):
        query = np.eye(value.dim)[:2]
        searches = [value.search(query, 5), value.range_search(query, 0.5)]
        if value.payload(value.ids[0]) is not None:
            searches.append(value.search(query, 3, where="n < 30"))
        return [value.ids.tolist(), value.measure, repr(value.space), described([list(found) for found in searches])]
    if isinstance(value, (mr.Hit, ranking.RankedDocument)):
        reasons = value.explain if isinstance(value, ranking.RankedDocument) else lambda: value.alignment
        explained = reasons() if np.isfinite(value.distance) else None
        return public(value), described(explained), getattr(value, "payload", None)
    if isinstance(value, mr.Scores):
        return public(value), described(value.explain(0, "recall"))
    if isinstance(value, (mr.Hits, mr.Ranking)):
        return public(value), [described(one) for one in value]
    if isinstance(value, (mr.Sequences, mr.Bags)):
        slots = [getattr(value, name) for name in type(value).__slots__]
        assert all(not array.flags.writeable for array in slots if isinstance(array, np.ndarray))
        return [described(array) for array in slots]
    if isinstance(value, mr.TextIndex):
        return (
            [described(hit.to_dict()) for hit in value.search("a cat")],
            [value.text(id) for id in value],
            repr(value),
        )
    if isinstance(value, mr.Reranker):
        # Not what it cost, which no two searches have in common.
        ranked = value.rank("a cat", TEXTS)
        return value.fuses, described(ranked.documents), ranked.certificate
    if hasattr(value, "encode") and not isinstance(value, (str, encoders.SentenceTransformerEncoder)):
        return repr(type(value)), described(value.encode(["cat", "the dog sat"]))
    if isinstance(value, BaseException):
        return type(value), value.args, str(value), getattr(value, "filename", None)
    if isinstance(value, (list, tuple)):
        return [described(one) for one in value]
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {name: described(one) for name, one in value.items()}
    if isinstance(value, spaces.Statistics):
        return [described(own) for own in vars(value).values()]
    if isinstance(value, spaces.Space):
        return described(value(WORDS.encode(TEXTS)))
    if dataclasses.is_dataclass(value):
        return type(value), public(value)
    return repr(value)


def public(value):
    names = [own.name for own in dataclasses.fields(value) if not own.name.startswith("_")]
    return {name: described(getattr(value, name)) for name in names}


WAYS = {
    f"pickle {protocol}": lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
}
WAYS |= {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def test_there_is_an_example_of_everything_public():
    found = set()
    for name in PUBLIC_MODULES:
        module = importlib.import_module(f"moverank{name}")
        for own in getattr(module, "__all__", vars(module)):
            value = getattr(module, own)
            if isinstance(value, type) and value.__module__.startswith("moverank"):
                found.add(own)
            elif not isinstance(value, types.ModuleType) and not own.startswith("__"):
                assert described(copy.deepcopy(value)) == described(value), own  # functions and constants
    assert found == set(EXAMPLES) | PROTOCOLS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_everything_public_comes_back_as_it_was(name, way, tmp_path):
    for place, make in enumerate(EXAMPLES[name]):
        folder = tmp_path / str(place)
        folder.mkdir()
        assert_comes_back(make(folder), WAYS[way])


def assert_comes_back(value, way):
    before = described(value)
    again = way(value)
    assert type(again) is type(value)
    assert described(again) == before
    assert described(way(again)) == before  # what came back goes on
    assert described(value) == before


def plain(value):
    """Whether a value consists of what other libraries know: no object of the core, no private name."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and not name.startswith("_") and plain(own) for name, own in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return not type(value).__module__.startswith("moverank._core") and not dataclasses.is_dataclass(value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_public_dataclasses_are_what_dataclasses_are(name, tmp_path):
    for place, make in enumerate(EXAMPLES[name]):
        folder = tmp_path / str(place)
        folder.mkdir()
        value = make(folder)
        if dataclasses.is_dataclass(value):
            assert_is_what_dataclasses_are(value)


def assert_is_what_dataclasses_are(value):
    as_dict = dataclasses.asdict(value)
    assert list(as_dict) == [own.name for own in dataclasses.fields(value)]
    assert plain(as_dict)
    assert len(dataclasses.astuple(value)) == len(as_dict)
    again = dataclasses.replace(value)
    assert type(again) is type(value)
    assert described(again) == described(value)


def test_a_changed_copy_of_a_result_keeps_its_explanation():
    hit = hits()[2]
    moved = dataclasses.replace(hit, rank=7)
    assert (moved.rank, moved.payload) == (7, hit.payload)
    assert moved.alignment.value == hit.alignment.value
    ranked = reranker(WORDS).rank("cat", TEXTS)[0]
    assert dataclasses.replace(ranked, score=9.0).explain().value == ranked.explain().value


def test_what_an_identity_gives_as_a_dictionary():
    identity = mr.EncoderIdentity("A", "b", 3, "0" * 32, {"c": 1, "d": None})
    assert json.loads(json.dumps(dataclasses.asdict(identity))) == identity.as_json()
    for change in (lambda o: o.update(c=2), lambda o: o.pop("c"), lambda o: o.__setitem__("c", 2), lambda o: o.clear()):
        with pytest.raises(TypeError, match="options: cannot be changed"):
            change(identity.options)
    assert identity.options == {"c": 1, "d": None}


@dataclasses.dataclass(frozen=True)
class Labelled(mr.Measure):
    label: str = ""


class Smooth(mr.Sinkhorn):
    pass


class Seen(mr.Sequence):
    pass


class Counted(mr.Bag):
    pass


@pytest.mark.parametrize("way", WAYS)
def test_subclasses_keep_their_class(way):
    measure = Labelled("euclidean", "uniform", problem=Smooth(0.2), label="mine")
    again = WAYS[way](measure)
    assert again == measure
    assert (type(again), type(again.problem), again.label) == (Labelled, Smooth, "mine")
    assert again(np.eye(2), np.eye(2)) == measure(np.eye(2), np.eye(2))
    assert type(measure.replace(capacity=1)) is Labelled
    bag = BAGS[0]
    for made in (Seen(np.eye(3), [1, 2, 3]), Counted(bag.vectors, bag.words, bag.counts)):
        again = WAYS[way](made)
        assert type(again) is type(made)
        assert again.tokens.tolist() == made.tokens.tolist()
        assert again.mass("uniform").tolist() == made.mass("uniform").tolist()


def test_what_came_back_cannot_be_changed_where_it_could_not_before():
    again = pickle.loads(pickle.dumps(hits()))
    for array in (again.ids, again.distances):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7


def test_a_copy_of_an_index_in_memory_goes_its_own_way():
    index = grown()
    for again in (copy.copy(index), copy.deepcopy(index), pickle.loads(pickle.dumps(index))):
        again.add(DOCS[:1])
        again.remove([5])
        again.compact()
        assert 5 in index
        assert 5 not in again
        assert len(again) == len(index)


def test_an_index_in_a_folder_is_opened_anew_wherever_it_comes_to(tmp_path, monkeypatch):
    opened(tmp_path)
    monkeypatch.chdir(tmp_path)
    index = mr.Index.open("index")
    octets = pickle.dumps(index)
    assert len(octets) < 1000
    monkeypatch.chdir("/")
    with mr.Index.open(tmp_path / "index", writable=True) as writer:
        writer.add(DOCS[:1])
    assert len(pickle.loads(octets)) == len(index) + 1  # the state that is there by then
    assert index.refresh()


def test_a_writer_says_what_to_send_in_its_place(tmp_path):
    with opened(tmp_path, writable=True) as writer:
        for way in WAYS.values():
            with pytest.raises(TypeError, match="only one writer: pass its path"):
                way(writer)
        hits = writer.search(QUERY, 3)
    assert described(pickle.loads(pickle.dumps(hits))) == described(hits)
    with pytest.raises(mr.IndexClosedError):
        pickle.dumps(writer)


def test_hits_take_their_documents_along(tmp_path):
    index = opened(tmp_path)
    found = index.search(QUERY, 3)
    one = pickle.dumps(found[1])
    assert len(one) < len(pickle.dumps(found))
    script = "import pickle, sys; hit = pickle.load(sys.stdin.buffer); print(hit.id, hit.payload, hit.alignment.value)"
    expected = f"{found[1].id} {found[1].payload} {found[1].alignment.value}\n"
    del index
    (tmp_path / "index" / "manifest.json").unlink()
    there = subprocess.run([sys.executable, "-c", script], input=one, capture_output=True)
    assert there.stdout.decode() == expected, there.stderr


def test_vectors_that_come_with_the_package_stay_where_they_are():
    assert len(pickle.dumps(encoders.WordVectors.default())) < 200


def test_conditions_come_back():
    where = Where.of(("year >= ? AND lang = 'en'", [2020]))
    assert pickle.loads(pickle.dumps(where)) == where


def test_a_function_that_cannot_be_found_by_name_is_refused_by_pickle():
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(encoders.CallableEncoder(lambda texts: vectors_of(texts)))


@pytest.mark.parametrize("name", ["Corpus", "BagCorpus", "PreparedSequences", "PreparedBags"])
def test_the_core_is_not_pickled(name):
    from moverank import _core

    prepared = mr.Index.build(DOCS)._snapshot.parts[0].prepared
    of_bags = mr.Index.build(BAGS)._snapshot.parts[0].prepared
    values = {"Corpus": _core.Corpus([prepared]), "BagCorpus": _core.BagCorpus([of_bags])}
    values |= {"PreparedSequences": prepared, "PreparedBags": of_bags}
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(values[name])
