"""Every error that has a name: when it comes, and which built-in one it also is."""

import importlib
import inspect
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from crash.disk import Disk
from moverank import errors
from moverank.index.disk import building
from moverank.readers import Batch
from moverank.readers.texts import TextFiles
from moverank.sharding import ShardedIndex

DOCS = [np.eye(3), np.ones((2, 3))]
CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and not issubclass(found, Warning)  # test_precision.py has these
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(building, "SEGMENT_BYTES", 1)
    mr.Index.build(DOCS, "wmd", ids=["a", "b"], encoder=mr.EncoderIdentity("A", "a")).save("index")


class Unreachable:
    """A shard on a host that does not answer."""

    name = "host-a"

    def submit(self, method, *args, **options):
        raise ConnectionError("refused")


def being_built():
    """A build whose first batch is in is opened by somebody else."""

    def batches():
        yield Batch(DOCS)
        yield Batch(DOCS[:1] * 2)
        mr.Index.open("begun")

    mr.Index.build_on_disk("begun", batches(), "wmd")


def changed(call):
    with mr.Index.open("index", writable=True) as index:
        call(index)


def closed():
    index = mr.Index.open("index")
    index.close()
    index.search(DOCS[0])


def failing(kind, name):
    """Add to an index on a disk that fails at the first call of a name."""

    class Failing(Disk):
        def _count(self, own):
            if own == name:
                raise OSError(kind, os.strerror(kind))
            return False

    with mr.Index.open("index", writable=True) as index, Failing():
        index.add(DOCS[:1], ids=["c"])


def version():
    path = Path("index/manifest.json")
    path.write_bytes(path.read_bytes().replace(b'"version": 3', b'"version": 1'))
    mr.Index.open("index")


def twice():
    with mr.Index.open("index", writable=True):
        mr.Index.open("index", writable=True)


CASES = {
    "InfeasibleError": (
        ValueError,
        lambda: mr.transport([[0.0, np.inf], [1.0, np.inf]]),
        "cannot move",
    ),
    "DuplicateIdError": (
        ValueError,
        lambda: changed(lambda index: index.add(DOCS[:1], ids=["b"])),
        "ids: 'b' is already in the index; upsert replaces documents",
    ),
    "UnknownIdError": (KeyError, lambda: changed(lambda index: index.remove(["c"])), "ids: 'c' is not in the index"),
    "DimensionError": (
        ValueError,
        lambda: mr.Index.open("index").search(np.eye(4)),
        "query has dimension 4 and the index has dimension 3",
    ),
    "MeasureMismatchError": (
        ValueError,
        lambda: mr.Index.open("index", measure="wrd"),
        "index: the index was built for wmd, but wrd was expected; build another",
    ),
    "TextFormatError": (
        ValueError,
        lambda: list(TextFiles("/dev/null")),
        "/dev/null: has no documents",
    ),
    "EncoderMismatchError": (
        ValueError,
        lambda: mr.Index.open("index", encoder=mr.EncoderIdentity("A", "b")),
        "encoder: the index was built with A 'a', given is A 'b'; they differ in name",
    ),
    "UnknownFieldError": (
        ValueError,
        lambda: mr.Index.build(DOCS, payloads=[{"year": 1}] * 2).search(DOCS[0], where="yeer > 0"),
        "where: no payload has a field 'yeer'; similar fields: 'year'; known fields: 'year'",
    ),
    "ShardMismatchError": (
        ValueError,
        lambda: ShardedIndex.of([mr.Index.build(DOCS, "wmd"), mr.Index.build(DOCS, "wrd")]),
        "shard 1 has measure .*, but shard 0 has .*: they cannot be searched as one",
    ),
    "ShardFailedError": (
        RuntimeError,
        lambda: ShardedIndex([[Unreachable()]]),
        "host-a: ConnectionError: refused",
    ),
    "NoTokensError": (
        ValueError,
        lambda: mr.encoders.WordVectors.default().encode(["a cat", "zzqq"]),
        "texts: text 1 has no word with a vector: 'zzqq'",
    ),
    "IndexNotFoundError": (
        FileNotFoundError,
        lambda: mr.Index.open("none"),
        "no index: the folder does not exist: 'none'",
    ),
    "IndexExistsError": (
        FileExistsError,
        lambda: mr.Index.build(DOCS).save("index"),
        "there is already an index; overwrite=True replaces it, or use another path: 'index'",
    ),
    "IndexFormatError": (
        ValueError,
        lambda: Path("index/manifest.json").write_text("{}") and mr.Index.open("index"),
        "index/manifest.json: is not JSON written by moverank",
    ),
    "IndexVersionError": (
        errors.IndexFormatError,
        version,
        r"index/manifest\.json: expected version 3 of the format, .* got version 1; open the index with an older",
    ),
    "IndexIncompleteError": (
        RuntimeError,
        being_built,
        r"begun: the index is incomplete, [12] batches are written; Index.build_on_disk\(..., resume=True\) resumes it",
    ),
    "IndexLockedError": (
        RuntimeError,
        twice,
        f"index: process {os.getpid()} has the index open for writing; wait until it is closed, or open it for reading",
    ),
    "ReadOnlyIndexError": (
        RuntimeError,
        lambda: mr.Index.open("index").compact(),
        r"index: was opened for reading; open it for writing by Index.open\(path, writable=True\)",
    ),
    "IndexClosedError": (RuntimeError, closed, "the index was closed; open it again by Index.open"),
    "IndexWriteError": (
        OSError,
        lambda: failing(5, "write"),
        "could not be written: Input/output error: '.*/index/.*seg'",
    ),
    "NoSpaceError": (
        errors.IndexWriteError,
        lambda: failing(28, "open"),
        "no space to write: No space left on device; free some space and call again: '.*/index/.*seg'",
    ),
    "NoPermissionError": (
        PermissionError,
        lambda: failing(13, "replace"),
        "no permission to write: Permission denied; use a folder with write permission: '.*/index/.*'",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", CLASSES)
def test_each_error_says_what_came_and_what_to_do(name):
    built_in, call, message = CASES[name]
    with pytest.raises(CLASSES[name], match=message) as raised:
        call()
    assert type(raised.value) is CLASSES[name]
    assert isinstance(raised.value, built_in)


@pytest.mark.parametrize("name", CLASSES)
def test_each_is_a_name_of_the_package(name):
    assert getattr(mr, name) is CLASSES[name]
    assert name in mr.__all__


@pytest.mark.usefixtures("folder")
def test_what_faiss_writes_may_meet_a_full_disk():
    class Full(Disk):
        def write(self, descriptor, octets):
            if self._paths[descriptor].suffix == ".faiss":
                raise OSError(28, os.strerror(28))
            return super().write(descriptor, octets)

    index = mr.Index.build(DOCS * 9, "wrd", prefilter="HNSW4")
    with Full(), pytest.raises(mr.NoSpaceError, match=r"no space to write: .*\.faiss'"):
        index.save("other")
    assert not Path("other").exists()


@pytest.mark.usefixtures("folder")
def test_a_disk_that_takes_nothing_and_does_not_say_why():
    class Deaf(Disk):
        def write(self, descriptor, octets):
            return 0

    message = "could not be written: the system wrote no bytes: '.*/index/"
    with mr.Index.open("index", writable=True) as index, Deaf(), pytest.raises(mr.IndexWriteError, match=message):
        index.add(DOCS[:1], ids=["c"])


@pytest.mark.usefixtures("folder")
def test_a_change_whose_end_is_not_known_is_the_last():
    class Doubtful(Disk):
        def _count(self, name):
            if name == "fsync" and "replace" in self.calls:
                raise OSError(5, os.strerror(5))
            return super()._count(name)

    with mr.Index.open("index", writable=True) as index:
        with (
            Doubtful(),
            pytest.raises(mr.IndexWriteError, match=r"Input/output error: '.*/index'"),
        ):
            index.remove(["a"])
        with pytest.raises(
            mr.IndexWriteError, match=r"an earlier change was interrupted .*; close the index and open it again"
        ):
            index.remove(["b"])
        assert index.search(DOCS[0], 2).ids.tolist() == ["a", "b"]
    assert mr.Index.open("index").ids.tolist() == ["b"]


def test_without_torch_its_module_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "moverank.torch", raising=False)
    with pytest.raises(ImportError, match=r"^moverank.torch needs torch: pip install moverank\[torch\]$"):
        importlib.import_module("moverank.torch")
