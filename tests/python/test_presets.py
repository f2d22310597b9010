"""Presets are what the rest of the package does by default, and what they name can be asked for."""

import numpy as np
import pytest

import moverank as mr
from moverank import presets, ranking, scoring, spaces
from moverank.encoders import CallableEncoder, WordVectors
from real_data import tsv

WORDS = WordVectors(["cat", "dog", "sat", "ran", "a", "text"], np.eye(6)[:, :5] + 0.1)
TEXTS = ["a cat sat", "a dog ran", "a dog sat"]
ALL = [preset for preset in vars(presets).values() if isinstance(preset, presets.Preset)]


def in_context(texts):
    return [(text.split(), WORDS.encode([text]).sequences[0]) for text in texts]


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.situation)
def test_a_preset_can_be_used(preset):
    space = preset.space(WORDS, TEXTS)
    assert (space is None) == (not preset.steps)
    assert mr.Fusion(preset.fusion)
    assert preset.neighbours is None or preset.neighbours >= 1
    assert preset.chosen_on
    moved = WORDS.encode(TEXTS) if space is None else space(WORDS.encode(TEXTS))
    assert np.isfinite(mr.pairwise(moved.sequences, None, preset.measure)).all()


def test_presets_are_named_apart():
    assert len({preset.situation for preset in ALL}) == len(ALL)


def test_the_space_is_the_one_that_fit_learns():
    seen = []
    space = presets.PAIRS_BY_WORDS.space(WORDS, iter(TEXTS), sample=2, progress=seen.append)
    expected = mr.fit(WORDS, TEXTS, presets.PAIRS_BY_WORDS.steps, sample=2)
    assert space.to_bytes() == expected.to_bytes()
    assert seen == [3]


def test_without_steps_no_text_is_read():
    texts = iter(TEXTS)
    assert presets.RETRIEVAL_BY_TOKENS.space(WORDS, texts) is None
    assert list(texts) == TEXTS


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.situation)
def test_what_is_not_an_encoder_is_refused(preset):
    with pytest.raises(TypeError, match="encoder"):
        preset.space("words", TEXTS)


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (WORDS, True),
        (mr.fit(WORDS, TEXTS, ["centring"]).over(WORDS), True),
        (CallableEncoder(in_context), False),
        (spaces.Space(()).over(CallableEncoder(in_context)), False),
    ],
)
def test_presets_follow_the_encoder(encoder, words):
    assert presets.retrieval(encoder) is (presets.RETRIEVAL_BY_WORDS if words else presets.RETRIEVAL_BY_TOKENS)
    assert presets.pairs(encoder) is (presets.PAIRS_BY_WORDS if words else presets.PAIRS_BY_TOKENS)


@pytest.mark.parametrize("encoder", [WORDS, CallableEncoder(in_context, name="in context")])
def test_an_index_of_texts_searches_as_the_preset_says(encoder):
    pytest.importorskip("tantivy", reason="tantivy is not installed: pip install tantivy")
    preset = presets.retrieval(encoder)
    index = mr.TextIndex.create(encoder=encoder)
    index.add(TEXTS)
    assert index.measure == preset.measure
    default, given = index.search("dog ran"), index.search("dog ran", fusion=preset.fusion)
    assert [(hit.id, hit.score) for hit in default] == [(hit.id, hit.score) for hit in given]
    other = index.search("dog ran", fusion=0.5)
    assert [hit.score for hit in default] != [hit.score for hit in other]


def test_defaults_elsewhere_are_those_of_presets():
    """A reranker and `score` do not ask what their encoder is, so both presets of a kind have to compare alike."""
    assert presets.RETRIEVAL_BY_TOKENS.measure == presets.RETRIEVAL_BY_WORDS.measure == ranking.DEFAULT_MEASURE
    assert presets.PAIRS_BY_TOKENS.measure == presets.PAIRS_BY_WORDS.measure == scoring.DEFAULT_MEASURE


def test_neighbours_are_found_by_the_measure_of_the_preset():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from moverank.integrations import sklearn

    X = presets.CLASSIFICATION_BY_WORDS.space(WORDS, TEXTS)(WORDS.encode(TEXTS)).sequences
    default, given = (
        sklearn.pairwise_distances(X, metric=measure) for measure in (None, presets.CLASSIFICATION_BY_WORDS.measure)
    )
    np.testing.assert_array_equal(default, given)


def test_pairs_agree_better_with_people_than_by_the_plain_default():
    pairs = tsv("sts/stsb-en-dev.tsv")
    training = [text for row in tsv("sts/stsb-en-train.tsv") for text in row[1:3]]
    human = [float(row[0]) for row in pairs]
    encoder, preset = WordVectors.default(), presets.PAIRS_BY_WORDS

    def agreement(space):
        found = mr.score([row[1] for row in pairs], [row[2] for row in pairs], measure=preset.measure, space=space)
        return np.corrcoef(found.f1, human)[0, 1]

    assert agreement(preset.space(encoder, training)) > agreement(None) + 0.01
