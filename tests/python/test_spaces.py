"""Spaces: what is learnt is what the definitions say, in one pass, and comes back from a file."""

import json
import re
import zipfile

import numpy as np
import pytest
from scipy.stats import pearsonr

import moverank as mr
from moverank import spaces
from moverank.encoders import WordVectors
from real_data import path_of, tsv

WORDS = [f"w{n}" for n in range(40)]


@pytest.fixture(scope="module")
def encoder():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 12)) * np.linspace(3, 0.1, 12) + rng.normal(size=12)
    return WordVectors(WORDS, vectors)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    chances = 1 / np.arange(1, 41)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, 9), p=chances / chances.sum())) for _ in range(300)]


@pytest.fixture(scope="module")
def all_tokens(encoder, texts):
    return encoder.encode(texts).sequences.tokens.astype(np.float64)


def moved(encoder, texts, *steps, **how):
    return spaces.fit(encoder, texts, steps, **how)(encoder.encode(texts)).sequences


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_centring_and_whitening(encoder, texts, batch):
    centred = moved(encoder, texts, "centring", batch=batch).tokens
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-5)
    white = moved(encoder, texts, "whitening", batch=batch).tokens
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(12), atol=1e-4)
    assert moved(encoder, texts, spaces.Whitening(dim=5)).dim == 5


def test_all_but_the_top_removes_principal_components(encoder, texts, all_tokens):
    found = moved(encoder, texts, spaces.AllButTheTop(3)).tokens
    centred = all_tokens - all_tokens.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found, centred - centred @ axes[:3].T @ axes[:3], atol=1e-4)
    default = spaces.fit(encoder, texts, ["all-but-the-top"])
    assert repr(default) == "Space(Affine(all but the top 1, 12 to 12))"


def test_a_conceptor_damps_what_is_shared(encoder, texts, all_tokens):
    found = moved(encoder, texts, spaces.ConceptorNegation(2.0)).tokens
    second = all_tokens.T @ all_tokens / len(all_tokens)
    scaled = second / (np.trace(second) / 12)
    expected = np.eye(12) - scaled @ np.linalg.inv(scaled + 2.0**-2 * np.eye(12))
    np.testing.assert_allclose(found, all_tokens @ expected, atol=1e-4)


def test_token_weights_are_those_of_the_literature(encoder, texts):
    counts = {word: sum(text.split().count(word) for text in texts) for word in WORDS}
    texts_with = {word: sum(word in text.split() for text in texts) for word in WORDS}
    one = encoder.encode(["w0 w1 w39"])
    words = ["w0", "w1", "w39"]
    idf = spaces.fit(encoder, texts, ["idf"])(one).sequences.weights
    np.testing.assert_allclose(idf, [np.log(301 / (1 + texts_with[word])) + 1 for word in words])
    sif = spaces.fit(encoder, texts, [spaces.Scaling("sif")])(one).sequences.tokens
    share = np.array([counts[word] for word in words]) / sum(counts.values())
    np.testing.assert_allclose(sif, one.sequences.tokens * (1e-3 / (1e-3 + share))[:, None], rtol=1e-5)
    norm_idf = spaces.fit(encoder, texts, ["norm-idf"])(one).sequences.weights
    np.testing.assert_allclose(norm_idf, idf * np.linalg.norm(one.sequences.tokens, axis=1), rtol=1e-6)
    own = spaces.TokenWeights({"w0": 5.0}, unseen=2.0)
    both = spaces.fit(encoder, texts, ["idf", spaces.Weighing(own)])(one).sequences.weights
    np.testing.assert_allclose(both, idf * [5, 2, 2])


def test_the_common_direction_is_that_of_texts(encoder, texts):
    sequences = encoder.encode(texts).sequences
    means = np.array([sequences[s].mean(axis=0) for s in range(len(sequences))], dtype=np.float64)
    _, _, axes = np.linalg.svd(means, full_matrices=False)
    found = moved(encoder, texts, "remove-common").tokens
    np.testing.assert_allclose(found @ axes[0], 0, atol=1e-4)


def test_steps_learn_from_what_those_before_leave(encoder, texts):
    twice = spaces.fit(encoder, texts, ["centring", "sif-scaling", "whitening", "unit-norm"])
    found = twice(encoder.encode(texts)).sequences.tokens
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    by_hand = encoder.encode(texts)
    for step in ("centring", "sif-scaling", "whitening", "unit-norm"):
        seen = by_hand

        class Fixed:
            def encode(self, some, *, skip_empty=False, seen=seen):
                return seen

        by_hand = spaces.fit(Fixed(), ["all"], [step])(seen)
    np.testing.assert_allclose(found, by_hand.sequences.tokens, atol=2e-3)


def test_a_sample_is_drawn_from_all_texts(encoder):
    many = [f"w{n // 100}" for n in range(4000)]
    statistics = spaces.Statistics(12, 400, np.random.default_rng(0))
    for start in range(0, 4000, 100):
        statistics.add(encoder.encode(many[start : start + 100]))
    drawn = np.array([int(tokens[0][1:]) for tokens, _ in statistics.sample])
    assert len(drawn) == 400
    assert abs(drawn.mean() - 19.5) < 2.5
    assert repr(statistics) == "Statistics(4000 texts, 4000 tokens, 40 distinct)"


def test_spaces_come_back_from_files(encoder, texts, tmp_path):
    every = [*spaces.space.NAMED]
    space = spaces.fit(encoder, texts, every)
    space.save(tmp_path / "space.npz")
    again = spaces.Space.load(tmp_path / "space.npz")
    assert repr(again) == repr(space)
    ours, theirs = again(encoder.encode(texts)).sequences, space(encoder.encode(texts)).sequences
    np.testing.assert_array_equal(ours.tokens, theirs.tokens)
    np.testing.assert_array_equal(ours.weights, theirs.weights)


@pytest.mark.parametrize("how", ["foreign", "pickle", "cut", "version", "shape"])
def test_files_that_hold_no_space(encoder, texts, tmp_path, how):
    path = tmp_path / "space.npz"
    spaces.fit(encoder, texts, ["centring"]).save(path)
    with np.load(path) as found:
        arrays = dict(found)
    if how == "foreign":
        np.savez(path, a=np.ones(3))
    elif how == "pickle":
        np.savez(path, space=np.array([{}], dtype=object), allow_pickle=True)
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif how == "version":
        text = json.loads(arrays["space"].tobytes()) | {"version": 9}
        np.savez(path, **(arrays | {"space": np.frombuffer(json.dumps(text).encode(), np.uint8)}))
    else:
        np.savez(path, **(arrays | {"0.shift": np.ones(3)}))
    with pytest.raises(ValueError, match=r"space\.npz: is not a space of moverank"):
        spaces.Space.load(path)
    with pytest.raises(FileNotFoundError):
        spaces.Space.load(tmp_path / "none.npz")


def test_steps_of_others_and_files_of_others_are_no_space(encoder, texts, tmp_path):
    class Own:
        def apply(self, tokens, vectors, weights):
            return vectors, weights

    with pytest.raises(TypeError, match=r"steps: only steps of moverank.spaces can be saved, got .*Own"):
        spaces.Space([Own()]).save(tmp_path / "own.npz")
    assert not (tmp_path / "own.npz").exists()
    for text, message in (
        ({"format": "x", "version": 1}, "expected the format 'moverank space', got 'x'"),
        ({"format": "moverank space", "version": 1, "steps": [{"kind": "twist"}]}, "unknown step 'twist'"),
        (
            {"format": "moverank space", "version": 9, "steps": []},
            "its format has version 9, this moverank reads version 1",
        ),
    ):
        np.savez(tmp_path / "space.npz", space=np.frombuffer(json.dumps(text).encode(), np.uint8))
        with pytest.raises(ValueError, match=rf"space\.npz: is not a space of moverank: {message}"):
            spaces.Space.load(tmp_path / "space.npz")


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda e, t: spaces.fit(e, t, ["whiten"]),
            ValueError,
            "unknown step 'whiten'; expected one of 'all-but-the-top'",
        ),
        (lambda e, t: spaces.fit(e, t, [3]), TypeError, "expected a name or a recipe"),
        (lambda e, t: spaces.fit(e, "w1 w2", []), TypeError, "got one string"),
        (lambda e, t: spaces.fit(e, [], []), ValueError, "no text has a token"),
        (lambda e, t: spaces.fit(e, ["x", "y"], []), ValueError, "no text has a token"),
        (lambda e, t: spaces.fit(e, [3], []), TypeError, "text 0 is not a string"),
        (lambda e, t: spaces.fit(e, t, [], sample=0), ValueError, "sample must be at least 1"),
        (lambda e, t: spaces.Whitening(dim=0), ValueError, "dim must be at least 1"),
        (lambda e, t: spaces.Weighing("tfidf"), ValueError, "weights must be 'idf', 'sif' or TokenWeights"),
        (lambda e, t: spaces.TokenWeights({"a": -1.0}), ValueError, "weight of 'a' must be above 0"),
        (lambda e, t: spaces.TokenWeights.sif(None, a=0), ValueError, "a must be above 0"),
        (
            lambda e, t: spaces.fit(e, t, ["centring"])(WordVectors(["w1"], [[1.0, 2.0]]).encode(["w1"])),
            ValueError,
            "was fitted to vectors of dimension 12, got 2",
        ),
    ],
)
def test_bad_arguments_are_refused(encoder, texts, call, kind, message):
    with pytest.raises(kind, match=message):
        call(encoder, texts)


def test_texts_without_tokens_are_passed_over(encoder, texts):
    with_gaps = [text for own in texts for text in (own, "unknown")]
    seen = []
    first = spaces.fit(encoder, with_gaps, ["idf"], batch=1, progress=seen.append)
    assert seen[-1] == 600
    np.testing.assert_array_equal(first(encoder.encode(texts)).sequences.weights, moved(encoder, texts, "idf").weights)


def test_an_encoder_in_a_space_is_an_encoder(encoder, texts):
    space = spaces.fit(encoder, texts, ["whitening", "norm-idf"])
    index = mr.Index.build(space.over(encoder).encode(texts).sequences, "wrd")
    hits = index.search(space.over(encoder).encode(texts[7:8]).sequences, 1)
    assert hits.distances[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow(reason="a real collection")
def test_published_figures_of_sts_are_reproduced():
    """Pearson × 100 by an independent implementation, and of the words that it cut: mean 77.5, WMD 68.1, WRD 79.4."""

    def cut(text):
        return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.replace("’", "'").lower())

    with np.load(path_of("wordvec/minilmstatic-128d-en.npz")) as stored:
        words, vectors = bytes(stored["words"]).decode().split("\n"), stored["vectors"].astype(np.float32)
        encoder = WordVectors(words, vectors, tokenize=cut)
    rows = tsv("sts/stsb-en-dev.tsv")
    left = encoder.encode([row[1] for row in rows], skip_empty=True)
    right = encoder.encode([row[2] for row in rows], skip_empty=True)
    x, y = dict(zip(left.kept, left.sequences, strict=True)), dict(zip(right.kept, right.sequences, strict=True))
    both = sorted(x.keys() & y.keys())
    scores = [float(rows[k][0]) for k in both]
    for measure, expected in ((mr.wmd, 68.1), (mr.wrd, 79.4)):
        similarity = [-measure(x[k], y[k]) for k in both]
        assert 100 * pearsonr(similarity, scores)[0] == pytest.approx(expected, abs=0.05)


def test_a_space_is_kept_with_an_index(encoder, texts, tmp_path):
    space = spaces.fit(encoder, texts, ["whitening", "idf"])
    docs = space(encoder.encode(texts)).sequences
    index = mr.Index.build(docs, "wrd", payloads=texts, space=space)
    assert index.space is not None
    assert repr(index.space) == repr(space)
    index.save(tmp_path / "saved")
    with mr.Index.open(tmp_path / "saved", writable=True) as stored:
        stored.add(docs[:2], payloads=texts[:2])
        stored.remove([0])
        stored.compact()
    stored = mr.Index.open(tmp_path / "saved")
    stored.verify()
    again = stored.space(encoder.encode(texts)).sequences
    np.testing.assert_array_equal(again.tokens, docs.tokens)
    np.testing.assert_array_equal(again.weights, docs.weights)
    assert mr.Index.build(docs, "wrd").space is None
    with pytest.raises(TypeError, match="space: expected a Space, got str"):
        mr.Index.build(docs, "wrd", space="whitening")


def test_queries_are_moved_into_the_space_of_an_index(encoder, texts):
    space = spaces.fit(encoder, texts, ["all-but-the-top", "idf"])
    index = mr.Index.build(space(encoder.encode(texts)).sequences, "wrd", payloads=texts, space=space)
    found = mr.Reranker(encoder).rank(texts[5], index, top_k=3)
    expected = mr.Reranker(space.over(encoder), "wrd").rank(texts[5], texts, top_k=3)
    assert [d.distance for d in found] == pytest.approx([d.distance for d in expected], abs=1e-9)
    assert found[0].text == texts[5]
    assert found[0].explain().value == pytest.approx(found[0].distance, abs=1e-9)
    with pytest.raises(ValueError, match="the index moves queries into its space itself"):
        mr.Reranker(space.over(encoder)).rank(texts[5], index)


def test_a_build_goes_on_in_its_space(encoder, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1)
    space, other = (spaces.fit(encoder, texts, [step]) for step in ("whitening", "idf"))
    docs = space(encoder.encode(texts)).sequences
    batches = [mr.readers.Batch(docs[start : start + 100]) for start in (0, 100, 200)]

    def cut_off():
        yield from batches[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mr.Index.build_on_disk(tmp_path / "i", cut_off(), space=space)
    with pytest.raises(ValueError, match="resume: the build was begun with another space"):
        mr.Index.build_on_disk(tmp_path / "i", batches, space=other, resume=True)
    index = mr.Index.build_on_disk(tmp_path / "i", batches, space=space, resume=True)
    assert len(index) == 300
    assert repr(index.space) == repr(space)


def test_a_damaged_space_in_an_index_is_found(encoder, texts, tmp_path):
    space = spaces.fit(encoder, texts, ["idf"])
    mr.Index.build(space(encoder.encode(texts)).sequences, "wrd", space=space).save(tmp_path / "i")
    (file,) = (tmp_path / "i").glob("*.space")
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2] ^= 1
    file.write_bytes(octets)
    with pytest.raises(mr.errors.IndexFormatError, match="checksum"):
        _ = mr.Index.open(tmp_path / "i").space
    with pytest.raises(mr.errors.IndexFormatError, match="checksum"):
        mr.Index.open(tmp_path / "i").verify()


@pytest.mark.parametrize(
    ("shape", "held", "message"), [((1 << 40,), 8, "is not a space"), ((1 << 18,), 1 << 21, "unpacks to more than")]
)
def test_a_space_that_claims_to_be_huge_is_refused(tmp_path, monkeypatch, shape, held, message):
    monkeypatch.setattr("moverank.spaces.storing.LARGEST", 1 << 20)
    head = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("space.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(held))
    with pytest.raises(ValueError, match=message):
        spaces.Space.load(tmp_path / "bomb.npz")
