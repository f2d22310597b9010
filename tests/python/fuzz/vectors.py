"""Readers of word vectors: anything is a table of finite vectors, or refused by a ValueError that names the file.

The first octet chooses what the rest is: a text or binary file, an archive, what is in an archive that is one, or the
words or the vectors of a mapped folder.
"""

import io
import warnings
import zipfile

import numpy as np

from fuzz.scratch import scratch_folder
from moverank.encoders import vector_files, word_vectors
from moverank.errors import PrecisionWarning

TRACED = (vector_files, word_vectors)
FOLDER = scratch_folder()

#: How an array's file begins.
NPY = b"\x93NUMPY"

#: What may stand where words or vectors should.
ARRAYS = [
    *(
        np.ones(shape, dtype)
        for shape in ((), (3,), (3, 2), (0, 2), (3, 0), (2, 3, 1))
        for dtype in ("<f4", ">f8", "<i4")
    ),
    *(np.full((3, 2), number) for number in (np.nan, np.inf, 1e39, True, 1j, b"x")),
    *(np.array(words) for words in (["a"], ["a", "b", "c"], ["a", "b", "a"], ["", "", ""], [["a", "b", "c"]])),
    *(np.array([code, 97, 98], np.uint32).view("<U1") for code in (0, 10, 13, 0xD83D, 0x10FFFF, 0x110000)),
    *(np.frombuffer(octets, np.uint8) for octets in (b"a\nb\nc", b"a\nb\na", b"a\xff", b"\n\n")),
]

#: What a file may say of itself.
COUNTS = [b"0", b"1", b"2", b"3", b"4", b"99", b"4294967296", b"9" * 18, b"9" * 19, b"9" * 5000]


def check(octets):
    """Whether it was accepted."""
    file = _write(octets[:1], octets[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", PrecisionWarning)  # which is told, and no find
            found = word_vectors.WordVectors.load(file)
    except ValueError as refusal:
        kind, words = type(refusal), str(refusal)
    else:
        assert len(found) == len(found._vectors) > 0
        assert np.isfinite(found._vectors).all()
        _require_saved(found)
        return True
    assert kind is ValueError, kind  # none of its kinds, which name neither file nor line
    assert words.startswith(str(file)), words
    return False


def mutate(octets, rng):
    """Put another array in the place of one, other counts into the first line, or a line in a second place."""
    kind, rest = octets[:1], octets[1:]
    if kind in (b"\3", b"\4"):
        arrays = rest.split(NPY)
        arrays[rng.integers(len(arrays))] = _npy(ARRAYS[rng.integers(len(ARRAYS))]).removeprefix(NPY)
        return kind + NPY.join(arrays)
    lines = rest.split(b"\n")
    if kind == b"\0" and rng.random() < 0.5:
        lines[0] = b" ".join(COUNTS[n] for n in rng.integers(len(COUNTS), size=2))
    else:
        lines.insert(rng.integers(len(lines) + 1), lines[rng.integers(len(lines))])
    return kind + b"\n".join(lines)


def _require_saved(found):
    """What was read can be written and read again, unless a word has a line break."""
    folder = FOLDER / "saved"
    try:
        found.save(folder)
    except ValueError as refusal:
        words = str(refusal)
    else:
        again = word_vectors.WordVectors.load(folder)
        assert again._row_of == found._row_of
        assert np.array_equal(again._vectors, found._vectors)
        return
    assert words.endswith("has a line break, so it cannot be saved"), words


def _write(kind, octets):
    if kind == b"\1":
        return _file("table.npz", octets)
    if kind == b"\2":
        return _folder(octets, _npy(np.ones((3, 2), np.float32)))
    if kind == b"\3":
        return _folder(b"the\ncat\nsat", octets)
    if kind == b"\4":
        # With the checksums that they should have, or nothing of this would ever be read.
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            _, *arrays = octets.split(NPY)
            for name, array in zip(("words.npy", "vectors.npy"), arrays, strict=False):
                opened.writestr(name, NPY + array)
        return _file("table.npz", archive.getvalue())
    return _file("table.vec", octets)


def _file(name, octets):
    file = FOLDER / name
    file.write_bytes(octets)
    return file


def _folder(words, vectors):
    folder = FOLDER / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "words.txt").write_bytes(words)
    (folder / "vectors.npy").write_bytes(vectors)
    return folder


def _npy(array):
    octets = io.BytesIO()
    np.save(octets, array)
    return octets.getvalue()
