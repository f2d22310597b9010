"""Copies of an index in an object store: whole or not at all, and found to be damaged if they are."""

import pickle
import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

import moverank as mr
from moverank.index.disk.joint import JointBuild, Rows
from moverank.index.disk.remote import RemoteFolder, RemotePlace, download, upload
from moverank.index.disk.staging import digest_of
from moverank.index.parts.plan import Plan
from moverank.index.snapshot import Snapshot

fs = pytest.importorskip("pyarrow.fs")
rng = np.random.default_rng(0)
DOCS = [rng.normal(size=(6, 8)) for _ in range(40)]


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """A stand-in for S3 on this machine: moto's server, where it is installed."""
    server = shutil.which("moto_server")
    if server is None:
        pytest.skip("needs moto's server: pip install 'moto[server]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen([server, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Small files in one request each: the answer of moto to the end of an upload in parts is not what Arrow expects.
    system = fs.S3FileSystem(
        access_key="a", secret_key="b", endpoint_override=f"127.0.0.1:{port}", scheme="http", region="us-east-1",
        allow_bucket_creation=True, allow_delayed_open=True,
    )  # fmt: skip
    for _ in range(100):
        try:
            system.create_dir("bucket")
            break
        except OSError:
            time.sleep(0.2)
    yield system
    running.terminate()
    running.wait()


@pytest.fixture(params=["url", "filesystem", "fsspec", "s3"])
def remote(request, tmp_path):
    if request.param == "url":
        return RemoteFolder(f"file://{tmp_path}/store")
    if request.param == "filesystem":
        return RemoteFolder(str(tmp_path / "store"), fs.LocalFileSystem())
    if request.param == "fsspec":
        return RemoteFolder(str(tmp_path / "store"), pytest.importorskip("fsspec").filesystem("file"))
    return RemoteFolder(f"s3://bucket/{tmp_path.name}", request.getfixturevalue("s3"))


def test_an_index_goes_to_a_store_and_back(tmp_path, remote):
    mr.Index.build(DOCS, "wmd", prefilter="tokens").save(tmp_path / "index")
    with pytest.raises(mr.IndexNotFoundError, match=r"no index: it has no manifest\.json"):
        download(remote, tmp_path / "copy")
    upload(tmp_path / "index", remote)
    download(remote, tmp_path / "copy")
    with mr.Index.open(tmp_path / "copy") as copy, mr.Index.open(tmp_path / "index", writable=True) as index:
        copy.verify()
        assert copy.search(DOCS[3], 5).ids.tolist() == index.search(DOCS[3], 5).ids.tolist()
        index.add(DOCS[:2])
        index.remove([5])
        index.compact()
        upload(tmp_path / "index", remote)
        download(remote, tmp_path / "copy")
        assert copy.refresh()
        copy.verify()
        assert copy.ids.tolist() == index.ids.tolist()
        assert sorted(remote.names()) == sorted(p.name for p in (tmp_path / "index").iterdir() if p.name != "lock")


def test_an_interrupted_download_is_repeated(tmp_path):
    remote = RemoteFolder(f"file://{tmp_path}/store")
    mr.Index.build(DOCS, "wmd").save(tmp_path / "index")
    upload(tmp_path / "index", remote)
    (name,) = [name for name in remote.names() if name.endswith(".seg")]
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / name).write_bytes(b"a part of it")
    download(remote, tmp_path / "copy")
    mr.Index.open(tmp_path / "copy").verify()


def test_damaged_copies_are_told(tmp_path):
    remote = RemoteFolder(f"file://{tmp_path}/store")
    mr.Index.build(DOCS, "wmd").save(tmp_path / "index")
    upload(tmp_path / "index", remote)
    (name,) = [name for name in remote.names() if name.endswith(".seg")]
    path = tmp_path / "store" / name
    octets = bytearray(path.read_bytes())
    octets[5000] ^= 1
    path.write_bytes(octets)
    with pytest.raises(mr.IndexFormatError, match="is not what was written there; the copy is damaged"):
        download(remote, tmp_path / "copy")
    path.unlink()
    with pytest.raises(mr.IndexFormatError, match="the copy is damaged"):
        download(remote, tmp_path / "copy")
    (tmp_path / "store/manifest.json").write_text("{}")
    with pytest.raises(mr.IndexFormatError, match=r"manifest\.json"):
        download(remote, tmp_path / "copy")
    with pytest.raises(mr.IndexNotFoundError):
        mr.Index.open(tmp_path / "copy")


def test_urls_that_are_none():
    with pytest.raises(ValueError, match="expected a URL such as s3://bucket/name"):
        RemoteFolder("bucket/name").names()


def test_segments_go_through_a_store(tmp_path, remote):
    remote.create()
    plan = Plan.of("wmd", costs=None, space=None, encoder=None)
    docs = plan.documents(DOCS)
    empty = Snapshot(plan.setup(docs, list(range(40))), [], [])
    build = JointBuild(tmp_path / "index", empty, resume=False, place=RemotePlace(remote))
    writer = pickle.loads(pickle.dumps(build.writer))
    for start in (20, 0):
        places = list(range(start, start + 20))
        rows = Rows(places, [digest_of(str(n).encode(), DOCS[n].tobytes()) for n in places])
        name = writer.write(rows, docs[places], places)
        assert writer.recorded(rows) == name
    assert writer.recorded(rows.at([1])) is None
    build.close()
    assert len(remote.names()) == 4
    again = JointBuild(tmp_path / "index", empty, resume=True, place=RemotePlace(remote))
    assert again.n_known == 40
    assert again.writer.new(rows) == []
    again.commit(40)
    again.close()
    assert remote.names() == []
    with mr.Index.open(tmp_path / "index") as index:
        index.verify()
        assert index.search(DOCS[7], 1).ids.tolist() == [7]
