"""Word vectors and other people's functions: what is looked up, what is dropped, what is refused."""

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import STOP_WORDS, CallableEncoder, Words, WordVectors, encode_queries


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
    with pytest.raises(TypeError, match="text 1 is not a string but int"):
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


def test_words_are_cut_as_asked():
    assert Words()("Müller’s naïve re-run, 2 %") == ["müller's", "naïve", "re-run", "2"]
    cased = WordVectors(["Cat", "cat"], np.eye(2), tokenize=Words(lower_case=False))
    assert cased.encode(["Cat cat CAT"]).tokens == [["Cat", "cat"]]
    no_stop_words = WordVectors(["the", "cat"], np.eye(2), tokenize=Words(stop_words=STOP_WORDS))
    encoded = no_stop_words.encode(["The cat"])
    assert encoded.tokens == [["cat"]]
    assert encoded.dropped == [0]
    chinese = WordVectors(["猫", "坐"], np.eye(2), tokenize=list)
    assert chinese.encode(["猫坐着"]).tokens == [["猫", "坐"]]
    with pytest.raises(TypeError, match="stop_words: expected a list of words, got one string"):
        Words(stop_words="the")


def test_word_vectors_tell_progress(encoder):
    seen = []
    encoder.encode(["cat"] * 2500, progress=seen.append)
    assert seen == [1000, 2000]


def test_any_function_is_an_encoder():
    def function(texts):
        return [(t.split(), np.ones((len(t.split()), 2)), [2.0] * len(t.split())) for t in texts]

    seen = []
    encoder = CallableEncoder(function, lambda texts: [np.zeros((1, 2)) for _ in texts], batch_size=2)
    encoded = encoder.encode(["a b", "c", "d e f"], progress=seen.append)
    assert encoded.tokens == [["a", "b"], ["c"], ["d", "e", "f"]]
    np.testing.assert_array_equal(encoded.sequences.weights, np.full(6, 2.0))
    assert seen == [2, 3]
    assert encoder.encode(["", "a"], skip_empty=True).kept == [1]
    queries = encode_queries(encoder, ["a"])
    assert queries.tokens == [["[0]"]]
    np.testing.assert_array_equal(queries.sequences[0], np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([], "returned 0 results for 1 texts"),
        ([np.ones(3)], r"vectors of shape \(3,\) for text 0, expected \(n, d\)"),
        ([(["a"], np.ones((2, 2)))], "returned 1 tokens and 2 vectors for text 0"),
        ([(["a"], np.ones((1, 2)), [1.0, 2.0])], r"weights of shape \(2,\) for text 0"),
        ([(["a"],)], "a tuple of 1 for text 0"),
        ([(["a"], [[np.nan, 1.0]])], "not finite"),
    ],
)
def test_functions_that_return_something_else(result, message):
    with pytest.raises(ValueError, match=message):
        CallableEncoder(lambda texts: result).encode(["a"])


def test_all_texts_have_weights_or_none():
    encoder = CallableEncoder(lambda texts: [(["a"], np.ones((1, 2)), [1.0]), (["b"], np.ones((1, 2)))])
    with pytest.raises(ValueError, match="texts: some texts came with weights and some without"):
        encoder.encode(["a", "b"])
