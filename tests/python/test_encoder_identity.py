"""An index knows which encoder made its vectors, and refuses another one."""

import json
import pickle

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import CallableEncoder, Words, WordVectors
from moverank.ranking import CachedEncoder

TEXTS = ["a cat sat", "the dog ran", "we cut the budget"]
VOCABULARY = sorted({word for text in TEXTS for word in text.split()})


def table(seed, **options):
    """Vectors of equal dimension by another training run."""
    vectors = np.random.default_rng(seed).normal(size=(len(VOCABULARY), 8))
    return WordVectors(VOCABULARY, vectors, **options)


OURS, OTHERS = table(0), table(1)


@pytest.fixture
def index():
    return mr.Index.build(OURS.bags(TEXTS), "wrd", ids=["a", "b", "c"], payloads=TEXTS, encoder=OURS)


# ---- identities ------------------------------------------------------------------------------------------------------


def test_an_encoder_is_known_by_its_content_not_by_where_its_file_lies(tmp_path):
    OURS.save(tmp_path / "x")
    (tmp_path / "y").mkdir()
    np.savez(tmp_path / "y" / "z.npz", words=VOCABULARY, vectors=OURS._vectors)
    loaded = [WordVectors.load(tmp_path / "x"), WordVectors.load(tmp_path / "y" / "z.npz")]
    assert [one.identity.name for one in loaded] == ["x", "z.npz"]
    for one in loaded:
        assert one.identity.differences(OURS.identity) == ()
        assert one.identity.digest == OURS.identity.digest


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        (OTHERS, ("digest",)),
        (WordVectors(VOCABULARY[::-1], OURS._vectors), ("digest",)),
        (WordVectors(VOCABULARY, np.ones((len(VOCABULARY), 4))), ("dim", "digest")),
        (table(0, tokenize=Words(lower_case=False)), ("lower_case",)),
        (table(0, tokenize=Words(stop_words={"the"})), ("stop_words",)),
        (table(0, tokenize=str.split), ("lower_case", "stop_words", "tokenizer", "version")),
        (CallableEncoder(len, name="mine"), ("kind",)),
    ],
)
def test_what_changes_the_vectors_of_a_text_makes_another_encoder(index, other, differing):
    assert index.encoder.differences(other.identity) == differing
    with pytest.raises(mr.EncoderMismatchError, match=f"differ in {', '.join(differing)}"):
        index.require_encoder(other)


def test_stop_words_are_compared_whatever_collection_they_come_in():
    one, two = (table(0, tokenize=Words(stop_words=words)) for words in (["of", "the"], {"the", "of"}))
    assert one.identity == two.identity


def test_what_is_not_known_is_not_refused_but_said(index):
    check = index.require_encoder(CallableEncoder(len))
    assert (check.same, "not checked" in str(check)) == (False, True)
    unsaid = mr.Index.build(OURS.bags(TEXTS))
    assert unsaid.encoder is None
    assert str(unsaid.require_encoder(OURS)) == "not checked: the index does not say which encoder made its vectors"
    # A cut that has no name may be the same.
    lambdas = [table(0, tokenize=lambda text: text.split()).identity for _ in range(2)]
    assert lambdas[0].options["tokenizer"] is None
    assert lambdas[0].differences(lambdas[1]) == ()


def test_functions_are_told_apart_by_the_names_they_were_given():
    index = mr.Index.build([np.eye(3)], encoder=CallableEncoder(len, name="mine"))
    assert index.require_encoder(CallableEncoder(max, name="mine")).same
    with pytest.raises(mr.EncoderMismatchError, match=r"'mine'.*given is CallableEncoder 'yours'; they differ in name"):
        index.require_encoder(CallableEncoder(len, name="yours"))


def test_an_encoder_of_ones_own_has_the_identity_it_says_or_its_class():
    class Mine:
        def encode(self, texts, **options):
            return OURS.encode(texts, **options)

    assert mr.EncoderIdentity.of(Mine()) == mr.EncoderIdentity("Mine")
    mine = Mine()
    mine.identity = mr.EncoderIdentity("Mine", "the first", 8)
    assert mr.EncoderIdentity.of(mine) is mine.identity
    mine.identity = "the first"
    with pytest.raises(TypeError, match="identity has to be an EncoderIdentity, got str"):
        mr.EncoderIdentity.of(mine)


def test_wrapped_encoders_are_what_is_in_them():
    assert CachedEncoder(OURS).identity == OURS.identity
    space = mr.fit(OURS, TEXTS, ["centring"])
    moved = space.over(OURS).identity
    assert moved.differences(OURS.identity) == ("space",)
    assert moved.differences(mr.fit(OURS, TEXTS[:2], ["centring"]).over(OURS).identity) == ("space",)
    assert moved == space.over(OURS).identity


def test_a_space_belongs_to_the_index_or_to_the_encoder_not_to_both():
    space = mr.fit(OURS, TEXTS, ["centring"])
    moved = space.over(OURS)
    docs = moved.encode(TEXTS).sequences
    index = mr.Index.build(docs, payloads=TEXTS, encoder=moved)
    assert mr.Reranker(moved).rank("cat", index, top_k=1)[0].text == TEXTS[0]
    with pytest.raises(mr.EncoderMismatchError, match="differ in space"):
        mr.Reranker(OURS).rank("cat", index)
    with pytest.raises(ValueError, match="encoder: expected an encoder without a space"):
        mr.Index.build(docs, space=space, encoder=moved)
    attached = mr.Index.build(docs, space=space, encoder=OURS)
    assert mr.Reranker(OURS).rank("cat", attached)[0].doc_id == 0


def test_the_vectors_must_be_of_the_encoders_dimension(tmp_path):
    docs = [np.eye(5)]
    with pytest.raises(mr.DimensionError, match=r"encoder: expected vectors of dimension 5.*, got dimension 8"):
        mr.Index.build(docs, encoder=OURS)
    with pytest.raises(
        mr.DimensionError, match="expected vectors of dimension 5, as in the documents, got dimension 8"
    ):
        mr.Index.build_on_disk(tmp_path / "index", [mr.readers.Batch(docs)], encoder=OURS)


def test_an_identity_goes_through_json_pickle_and_sets():
    full = mr.EncoderIdentity("A", "b\nc", 3, "0" * 32, {"z": None, "a": "x", "n": 1, "f": 0.5, "t": True})
    for identity in (full, OURS.identity, mr.EncoderIdentity("A")):
        for copy in (
            mr.EncoderIdentity.from_json(json.loads(json.dumps(identity.as_json()))),
            pickle.loads(pickle.dumps(identity)),
        ):
            assert copy == identity
            assert {copy, identity} == {identity}
    assert "\n" not in str(full)
    assert list(full.options) == ["a", "f", "n", "t", "z"]
    with pytest.raises(TypeError):
        full.options["a"] = "y"


# ---- indexes ---------------------------------------------------------------------------------------------------------


def test_an_index_keeps_it_through_everything(index, tmp_path):
    assert pickle.loads(pickle.dumps(index)).encoder == OURS.identity
    index.save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True, encoder=OURS) as opened:
        assert opened.encoder == OURS.identity
        opened.add(OURS.bags(["the cat ran"]), ["d"], encoder=OURS)
        opened.upsert(OURS.bags(["the cat ran"]), ["d"], encoder=OURS)
        opened.remove(["a"])
        opened.compact()
        assert opened.encoder == OURS.identity
        assert opened.verify().encoder == OURS.identity
    assert mr.Index.open(tmp_path / "index", mmap=False).encoder == OURS.identity


def test_whatever_meets_an_index_is_compared(index, tmp_path):
    docs = OTHERS.bags(["the cat ran"])
    index.save(tmp_path / "index")
    for call in (
        lambda: index.require_encoder(OTHERS),
        lambda: index.add(docs, ["d"], encoder=OTHERS),
        lambda: index.upsert(docs, ["a"], encoder=OTHERS.identity),
        lambda: mr.Index.open(tmp_path / "index", encoder=OTHERS),
        lambda: mr.Reranker(OTHERS).rank("cat", index),
        lambda: mr.Reranker(CachedEncoder(OTHERS)).rank_batch(["cat"], index),
    ):
        with pytest.raises(mr.EncoderMismatchError, match=f"digest {OURS.identity.digest[:8]}.*given is WordVectors"):
            call()
    assert len(index) == 3
    with mr.Index.open(tmp_path / "index", writable=True):
        pass  # who was refused holds no lock


def test_the_check_can_be_overridden(index):
    ranking = mr.Reranker(OTHERS, check_encoder=False).rank("cat", index)
    assert len(ranking) == 3
    assert mr.Reranker(OURS).rank("cat", index, top_k=1)[0].text == TEXTS[0]


def test_a_build_is_gone_on_with_by_the_same_encoder_alone(tmp_path):
    def batches(fail):
        for n, text in enumerate(TEXTS):
            if fail and n == 2:
                raise KeyError("cut off")
            yield mr.readers.Batch(OURS.encode([text]).sequences, [text])

    def build(encoder, fail=False, folder="index"):
        return mr.Index.build_on_disk(tmp_path / folder, batches(fail), encoder=encoder, resume=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moverank.index.disk.building.SEGMENT_BYTES", 1)
        for folder, first in (("index", OURS), ("unsaid", None)):
            with pytest.raises(KeyError):
                build(first, fail=True, folder=folder)
    with pytest.raises(mr.EncoderMismatchError, match="differ in digest"):
        build(OTHERS)
    assert build(None).encoder == OURS.identity
    with pytest.raises(ValueError, match="resume: the build was begun without an encoder"):
        build(OURS, folder="unsaid")
