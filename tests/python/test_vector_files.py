"""Word vectors in the formats in which they are found, and files that only look like it."""

import contextlib
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moverank.encoders import WordVectors

RNG = np.random.default_rng(0)
WORDS = ["the", "cat", "naïve", "1/2", "état"]
VECTORS = RNG.normal(size=(5, 7)).astype(np.float32)


def write(path, kind, words=WORDS, vectors=VECTORS):
    if kind == "npz":
        np.savez(path, words=np.frombuffer("\n".join(words).encode(), np.uint8), vectors=vectors.astype(np.float32))
        return path
    octets = b"" if kind == "glove" else f"{len(words)} {vectors.shape[1]}\n".encode()
    for word, vector in zip(words, vectors, strict=True):
        if kind.startswith("binary"):
            octets += word.encode() + b" " + vector.astype("<f4").tobytes() + (b"\n" if kind == "binary lines" else b"")
        else:
            end = " \n" if kind == "fasttext" else "\n"
            octets += (word + " " + " ".join(map(repr, vector.tolist())) + end).encode()
    path.write_bytes(octets)
    return path


def table(encoder):
    return list(encoder._row_of), np.asarray(encoder._vectors)


@pytest.mark.parametrize("kind", ["glove", "word2vec", "fasttext", "binary", "binary lines", "npz"])
def test_every_format_gives_the_same_table(tmp_path, kind):
    path = write(tmp_path / ("vectors.npz" if kind == "npz" else "vectors.txt"), kind)
    words, vectors = table(WordVectors.load(path))
    assert words == WORDS
    np.testing.assert_array_equal(vectors, VECTORS)
    words, vectors = table(WordVectors.load(path, limit=2))
    assert words == WORDS[:2]
    np.testing.assert_array_equal(vectors, VECTORS[:2])


def test_a_saved_table_is_mapped(tmp_path):
    encoder = WordVectors(WORDS, VECTORS)
    encoder.save(tmp_path / "table")
    again = WordVectors.load(tmp_path / "table")
    assert table(again)[0] == WORDS
    np.testing.assert_array_equal(table(again)[1], VECTORS)
    base = again._vectors
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    np.testing.assert_array_equal(again.encode(["the cat"]).sequences[0], VECTORS[:2])


def test_words_with_spaces_and_words_that_come_twice(tmp_path):
    path = write(tmp_path / "v", "word2vec", ["a", ". . .", "a"], VECTORS[:3])
    words, vectors = table(WordVectors.load(path))
    assert words == ["a", ". . ."]
    np.testing.assert_array_equal(vectors, VECTORS[:2])


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"", "has no words"),
        (b"\n\n", "has no words"),
        (b"the\n", ":1: has no numbers"),
        (b"the 1 2 x\n", ":1: is not a word and numbers"),
        (b"the 1 2 3\ncat 1 2\n", ":2: has 2 numbers, the lines before have 3"),
        (b"3 2\nthe 1 2\ncat 3 4\n", "its first line states 3 words, but there are 2"),
        (b"0 7\n", "its first line states 0 words of 7 dimensions"),
        (
            b"4000000000 300\n\xff\xfe\xfd \xff\xff",
            "its first line states 300 dimensions, more than the file has bytes",
        ),
        (b"4000000000 2\n\xff\xfe\xfd \xff\xff", "its first line states 4000000000 words of 2 dimensions"),
        (b"2 2\nthe \x80\x01\xff\x00\x80\x01\xff\x00cat \x80", "ends at word 1 of 2"),
        (b"the 1 nan\n", "token 0 is not finite"),
        (b"the 1 1e39\n", "token 0 is not finite"),
        (b"1 99999999999999\nthe 1\n", "its first line states 99999999999999 dimensions, more than"),
        (b"PK\x03\x04 zip\n", "is not a word and numbers"),
    ],
)
def test_files_that_only_look_like_it(tmp_path, octets, message):
    refused(tmp_path / "v", octets, message)


def refused(path, octets, message):
    """By a ValueError that begins with the name of the file."""
    path.write_bytes(octets)
    folder = path.parent if path.name in ("words.txt", "vectors.npy") else path
    with pytest.raises(ValueError, match=f"^{re.escape(str(folder))}.*({message})") as caught:
        WordVectors.load(folder)
    assert caught.type is ValueError


def npy(array):
    octets = io.BytesIO()
    np.save(octets, array)
    return octets.getvalue()


@pytest.mark.parametrize(
    ("name", "octets", "message"),
    [
        ("words.txt", b"the\nca\xe3t\nsat", r"words\.txt:2: not UTF-8 text"),
        ("words.txt", b"the\nthe\nthe\nthe", "has 4 words, and vectors of shape"),
        ("vectors.npy", npy(np.ones((4, 2), np.float32)), "has 3 words, and vectors of shape"),
        ("vectors.npy", npy(np.ones(3, np.float32)), "has 3 words, and vectors of shape"),
        ("vectors.npy", npy(np.ones((3, 2), complex)), "expected real numbers"),
        ("vectors.npy", b"", r"vectors\.npy: "),
        ("vectors.npy", b"PK\3\4", r"vectors\.npy: "),
    ],
)
def test_a_folder_that_was_changed(tmp_path, name, octets, message):
    WordVectors(["the", "cat", "sat"], np.ones((3, 2))).save(tmp_path / "table")
    refused(tmp_path / "table" / name, octets, message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "is not an archive of words and vectors"),
        ({"words": np.frombuffer(b"a\n\xff", np.uint8)}, "is not an archive of words and vectors: .*can't decode"),
        (
            {"words": np.array([0x110000, 97], np.uint32).view("U1")},
            "is not an archive of words and vectors: words are not text",
        ),
        (
            {"words": np.array([0xD800, 97], np.uint32).view("U1")},
            "is not an archive of words and vectors: words are not text",
        ),
        ({"words": np.array(["a", "b", "c"])}, "has 3 words, and vectors of shape"),
        ({"words": np.array(["a", "b"]), "vectors": np.ones((2, 2), complex)}, "expected real numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_archive_of_something_else(tmp_path, arrays, message):
    octets = io.BytesIO()
    np.savez(octets, **({"vectors": np.ones((2, 2))} | arrays if arrays else {}))
    refused(tmp_path / "v.npz", octets.getvalue(), message)
    refused(tmp_path / "v.npz", octets.getvalue()[:-30], "is not an archive of words and vectors")


def test_a_number_of_very_many_digits_is_no_count_but_a_word(tmp_path):
    (tmp_path / "v").write_bytes(b"9" * 5000 + b" 2\n")
    assert table(WordVectors.load(tmp_path / "v"))[0] == ["9" * 5000]


def test_words_come_back_with_the_ends_that_they_have(tmp_path):
    WordVectors(["a\r", "b", "a"], np.ones((3, 2))).save(tmp_path / "table")
    assert table(WordVectors.load(tmp_path / "table"))[0] == ["a\r", "b", "a"]


def test_paths_that_are_no_tables(tmp_path):
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / "none.txt")
    with pytest.raises(ValueError, match=r"has no words\.txt"):
        WordVectors.load(tmp_path)
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="is not an archive of words and vectors"):
        WordVectors.load(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        WordVectors.load(tmp_path, limit=0)
    with pytest.raises(ValueError, match="has a line break"):
        WordVectors(["a\nb"], [[1.0]]).save(tmp_path / "broken")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, octets):
    path = tmp_path_factory.mktemp("any") / "v"
    path.write_bytes(octets)
    with contextlib.suppress(ValueError):
        assert len(WordVectors.load(path)) > 0
