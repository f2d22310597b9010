"""Indexes in folders from the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

import moverank as mr


def moverank(*arguments):
    return subprocess.run([sys.executable, "-m", "moverank", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for n in range(3):
        np.save(tmp_path / f"{n}.npy", rng.normal(size=(20, 4, 8)).astype(np.float32))
    return [tmp_path / f"{n}.npy" for n in range(3)]


@pytest.mark.slow(reason="starts processes")
def test_index_info_verify(tmp_path, files):
    path = tmp_path / "index"
    built = moverank("index", path, *files, "--dtype", "int8", "--measure", "wmd", "--prefilter", "HNSW8")
    assert built.returncode == 0, built.stderr
    assert "Index(60 documents, measure=wmd, dim=8)" in built.stdout
    facts = json.loads(moverank("info", path, "--json").stdout)
    assert (facts["documents"], facts["tokens"], facts["stored as"], facts["segments"]) == (60, 240, "int8", 1)
    assert facts["  tokens"] == 60 * 4 * 8
    assert facts["bytes"] == sum(own.stat().st_size for own in path.iterdir() if own.suffix in (".seg", ".faiss"))
    with mr.Index.open(path, writable=True) as index:
        index.remove([3])
    shown = moverank("info", path).stdout
    assert "removed          1, whose space is freed by compact" in shown
    sound = moverank("verify", path)
    assert sound.returncode == 0
    assert "sound: 59 documents in 3 files" in sound.stdout
    segment = next(path.glob("*.seg"))
    octets = bytearray(segment.read_bytes())
    octets[-1] ^= 1
    segment.write_bytes(octets)
    damaged = moverank("verify", path)
    assert damaged.returncode == 1
    assert "checksum" in damaged.stderr
    assert moverank("info", path).returncode == 0


@pytest.mark.slow(reason="starts processes, kills them")
def test_a_build_is_resumed(tmp_path, files):
    path = tmp_path / "index"
    again = moverank("index", path, files[0], tmp_path / "none.npy")
    assert again.returncode == 2
    assert "none.npy" in again.stderr
    assert moverank("index", path, *files, "--resume").returncode == 0
    assert moverank("index", path, *files, "--resume").returncode == 0
    np.save(tmp_path / "more.npy", np.ones((2, 4, 8)))
    for given in ([*files, tmp_path / "more.npy"], files[:2], files[::-1], [*files, "--prefilter", "HNSW8"]):
        other = moverank("index", path, *given, "--resume")
        assert (other.returncode, "resume: " in other.stderr) == (2, True), other.stderr
    refused = moverank("index", path, *files)
    assert refused.returncode == 2
    assert "there is already an index" in refused.stderr


@pytest.mark.parametrize("command", ["info", "verify"])
def test_no_index(tmp_path, command):
    found = moverank(command, tmp_path / "none")
    assert found.returncode == 2
    assert "does not exist" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow(reason="starts processes")
def test_columns_become_ids_tokens_and_payloads(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "name": [f"d{n}" for n in range(9)],
            "vectors": [rng.normal(size=8).tolist() for _ in range(9)],
            "mass": [[1.0, 3.0]] * 9,
            "year": list(range(2000, 2009)),
        }
    )
    pq.write_table(table, tmp_path / "docs.parquet")
    columns = ["--id", "name", "--tokens", "vectors", "--weights", "mass", "--dim", "4"]
    for payload, expected in ((["year"], {"year": 2003}), (["*"], {"year": 2003}), ([], None)):
        path = tmp_path / f"index{len(payload)}{payload}"
        options = [text for name in payload for text in ("--payload", name)]
        built = moverank("index", path, tmp_path / "docs.parquet", *columns, *options)
        assert built.returncode == 0, built.stderr
        assert mr.Index.open(path).payload("d3") == expected


def test_files_without_a_known_word_add_nothing(tmp_path):
    (tmp_path / "known.txt").write_text("a cat sat\n")
    (tmp_path / "strange.txt").write_text("zzqq\nqqzz\n")
    built = moverank("index", tmp_path / "index", tmp_path / "strange.txt", tmp_path / "known.txt")
    assert built.returncode == 0, built.stderr
    assert len(mr.Index.open(tmp_path / "index")) == 1
