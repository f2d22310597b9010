"""Files that no index wrote, or that were changed since: refused by name, with nothing done for them."""

import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import moverank as mr
from damaged import change, content, segment


@pytest.fixture
def folder(tmp_path):
    docs = [np.full((3, 4), n + 1.0) + np.eye(3, 4) for n in range(9)]
    index = mr.Index.build(docs, "wrd", ids=[f"d{n}" for n in range(9)], payloads=[{"n": n} for n in range(9)])
    index.remove(["d3"])
    index.save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.slow(reason="hundreds of damaged indexes")
@pytest.mark.parametrize("megabytes", [2500])
def test_damage_is_refused_by_name(megabytes):
    found = subprocess.run(
        [sys.executable, "-m", "fuzz.run", "--runs", "1500", "--megabytes", str(megabytes)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("1500 damaged indexes")


@pytest.mark.parametrize("name", ["manifest.json", "*.seg", "*.gone"])
@pytest.mark.parametrize("how", ["cut", "longer", "flipped", "empty"])
def test_verify_finds_every_change_of_a_file(folder, name, how):
    path = next(folder.glob(name))
    octets = bytearray(path.read_bytes())
    if how == "cut":
        octets = octets[: len(octets) // 2]
    elif how == "longer":
        octets += b"x"
    elif how == "empty":
        octets = b""
    else:
        octets[len(octets) * 2 // 3] ^= 4
    path.write_bytes(octets)
    with pytest.raises(mr.IndexFormatError, match=path.name):
        mr.Index.open(folder).verify()
    with pytest.raises(mr.IndexFormatError, match=path.name):
        mr.Index.open(folder, mmap=False)


def test_a_later_version_is_told_from_damage(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"version": 3', b'"version": 4'))
    with pytest.raises(mr.IndexVersionError, match=r"got version 4; open the index with a newer moverank"):
        mr.Index.open(folder)


@pytest.mark.parametrize(
    "octets",
    [b"", b"{}", b"[]", b"null", b"\x80\x04N.", b"{" * 100_000, b'{"format": "faiss"}', b"\xff" * 99, b"1" * 10_000],
)
def test_foreign_manifests(folder, octets):
    (folder / "manifest.json").write_bytes(octets)
    with pytest.raises(mr.IndexFormatError, match=r"manifest\.json"):
        mr.Index.open(folder)


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "0123456789abcdef.seg/../x", "..", "", "0123456789ABCDEF.seg", "a" * 5000, "x\0.seg"],
)
def test_names_lead_nowhere(folder, name):
    change(folder, "segments", 0, "file", "file", to=name)
    with pytest.raises(mr.IndexFormatError, match="is not a valid name for a file of an index"):
        mr.Index.open(folder)


def test_links_pipes_and_folders_are_no_files_of_an_index(folder, tmp_path):
    path = segment(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(mr.IndexFormatError, match="is a link"):
        mr.Index.open(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(mr.IndexFormatError, match="not a regular file"):
        mr.Index.open(folder)
    path.unlink()
    path.mkdir()
    with pytest.raises(mr.IndexFormatError, match="not a regular file"):
        mr.Index.open(folder)
    path.rmdir()
    with pytest.raises(mr.IndexFormatError, match="is missing"):
        mr.Index.open(folder)
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(mr.IndexFormatError, match="not a regular file"):
        mr.Index.open(folder)


def test_declared_sizes_are_not_believed(folder):
    huge = 1 << 46
    for path, to in (
        (("segments", 0, "arrays", "tokens", "shape"), [huge, 4]),
        (("segments", 0, "arrays", "offsets", "shape"), [huge]),
        (("segments", 0, "file", "nbytes"), huge),
        (("dim",), huge),
    ):
        before = (folder / "manifest.json").read_bytes()
        change(folder, *path, to=to)
        with pytest.raises(mr.IndexFormatError):
            mr.Index.open(folder)
        (folder / "manifest.json").write_bytes(before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 8 << 20  # kilobytes


def test_a_file_that_is_no_segment(folder):
    path = segment(folder)
    octets = bytearray(path.read_bytes())
    octets[:4] = b"PK\3\4"
    path.write_bytes(octets)
    change(folder, "segments", 0, "file", "crc32", to=zlib.crc32(octets))
    for call in (lambda: mr.Index.open(folder, mmap=False), lambda: mr.Index.open(folder).verify()):
        with pytest.raises(mr.IndexFormatError, match="does not begin as files of an index do"):
            call()


def test_numbers_that_no_checksum_tells_are_found_by_verify(folder):
    arrays = content(folder)["segments"][0]["arrays"]
    path = segment(folder)
    whole = path.read_bytes()
    for name, value in (("tokens", np.float32(np.nan)), ("mass", np.float64(0.9)), ("id_order", np.int64(2))):
        octets = bytearray(whole)
        offset = arrays[name]["offset"]
        octets[offset : offset + value.nbytes] = value.tobytes()
        path.write_bytes(octets)
        change(folder, "segments", 0, "file", "crc32", to=zlib.crc32(octets))
        with pytest.raises(mr.IndexFormatError):
            mr.Index.open(folder).verify()


def test_what_else_is_in_the_folder_is_left_alone(folder):
    (folder / "README").write_text("mine")
    (folder / "0123456789abcdef.seg").write_text("left over from a crash")
    with mr.Index.open(folder, writable=True) as index:
        index.compact()
    assert (folder / "README").read_text() == "mine"
    assert not (folder / "0123456789abcdef.seg").exists()


def test_the_faiss_file_is_checked_before_faiss_sees_it(folder, tmp_path):
    docs = [np.full((3, 4), n + 1.0) + np.eye(3, 4) for n in range(300)]  # a few are compared without faiss
    mr.Index.build(docs, "wrd", prefilter="HNSW8").save(tmp_path / "hnsw")
    path = next((tmp_path / "hnsw").glob("*.faiss"))
    octets = bytearray(path.read_bytes())
    octets[50] ^= 1
    path.write_bytes(octets)
    index = mr.Index.open(tmp_path / "hnsw")
    for call in (lambda: index.search(docs[0], 1), index.verify):
        with pytest.raises(mr.IndexFormatError, match="checksum"):
            call()
