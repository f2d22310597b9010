"""Word vectors: what is looked up, what is dropped, what is refused."""

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import WordVectors


@pytest.fixture
def encoder():
    return WordVectors(["the", "cat", "state-of-the-art", "well", "known"], np.eye(5))


def test_words_are_looked_up_whole_then_in_pieces(encoder):
    encoded = encoder.encode(["The CAT, the state-of-the-art!", "well-known unknown-thing"])
    assert encoded.tokens == [["the", "cat", "the", "state-of-the-art"], ["well", "known"]]
    assert encoded.dropped == [0, 1]
    np.testing.assert_array_equal(encoded.sequences[0], np.eye(5)[[0, 1, 0, 2]])


def test_texts_without_known_words_are_named_or_skipped(encoder):
    with pytest.raises(ValueError, match="texts: text 1 has no word with a vector: 'zzz'"):
        encoder.encode(["cat", "zzz"])
    encoded = encoder.encode(["zzz", "cat", ""], skip_empty=True)
    assert encoded.kept == [1]
    assert len(encoded) == 1
    with pytest.raises(ValueError, match="no text has a word"):
        encoder.encode(["zzz"], skip_empty=True)


def test_bad_arguments_are_refused(encoder):
    with pytest.raises(TypeError, match="got one string"):
        encoder.encode("cat")
    with pytest.raises(TypeError, match="text 1 is no string but int"):
        encoder.encode(["cat", 3])
    with pytest.raises(ValueError, match="expected 2 rows"):
        WordVectors(["a", "b"], np.eye(3))
    with pytest.raises(ValueError, match="more than once"):
        WordVectors(["a", "a"], np.eye(2))
    with pytest.raises(ValueError, match="vectors: token 0 is not finite"):
        WordVectors(["a"], [[np.nan]])


def test_the_bundled_vectors_know_what_is_similar():
    encoder = mr.encoders.WordVectors.default()
    assert encoder is WordVectors.default()
    assert len(encoder) > 15_000
    assert encoder.dim == 128
    assert "cancer" in encoder
    encoded = encoder.encode(
        ["A tumor grew in the lung.", "Cancer of the respiratory tract.", "The stock market fell sharply."]
    )
    near, far = mr.distances(encoded.sequences[0], encoded.sequences[1:])
    assert near < far
    assert "EncodedTexts(Sequences(3 sequences" in repr(encoded)
