"""What anybody may have done to an index before it is opened, and all that is then done with it."""

import json
import shutil
import zlib
from contextlib import suppress

import numpy as np

import moverank as mr
from fuzz.json_changes import change_somewhere
from moverank.index.disk.manifest import MANIFEST

DIM = 4

#: What a damaged index may be answered with.
REFUSALS = (
    mr.IndexFormatError,
    mr.IndexNotFoundError,
    mr.IndexIncompleteError,
    mr.UnknownIdError,
    mr.DuplicateIdError,
    mr.UnknownFieldError,  # of an index without payloads
)


def write_indexes(folder):
    """One small index of each sort; returns their folders."""
    rng = np.random.default_rng(3)
    docs = [rng.normal(size=(rng.integers(1, 5), DIM)).astype(np.float32) for _ in range(24)]
    table = rng.normal(size=(30, DIM)).astype(np.float32)
    bags = mr.Bags(table, [rng.integers(30, size=rng.integers(1, 6)).tolist() for _ in range(24)])
    names = [f"é{n}" for n in range(24)]
    payloads = [None if n % 5 == 0 else {"n": n} for n in range(24)]
    sorts = {
        "flat": (docs, {"measure": "wrd", "dtype": "int8"}),
        "packed": (docs, {"measure": "wmd", "dtype": "int4"}),
        "anchored": (docs * 20, {"measure": "wmd", "dtype": "int4"}),
        "two bits": (docs, {"measure": "wrd", "dtype": "int2", "rescore": True}),
        "rescored": (docs, {"measure": "wmd", "dtype": "int8", "rescore": True, "ids": names, "payloads": payloads}),
        "clusters": (docs, {"measure": mr.wrd.replace(capacity=4), "prefilter": mr.Clusters(2), "dtype": "float16"}),
        "tokens": (docs, {"measure": mr.maxsim, "prefilter": mr.TokenCells(8, ranked=9), "ids": names}),
        "bags": (bags, {"measure": "wrd", "ids": names, "payloads": payloads}),
        "counted": (bags, {"measure": mr.wmd.replace(problem="sinkhorn")}),
    }
    for sort, (own, how) in sorts.items():
        index = mr.Index.build(own, **how)
        index.remove(index.ids[3:5].tolist())
        index.save(folder / sort)
    return [folder / sort for sort in sorts]


def damage(source, target, rng):
    """Copy an index with some damage; what only checksums would tell is made to have the right ones."""
    shutil.copytree(source, target)
    manifest = target / MANIFEST
    way = rng.integers(8)
    kinds = ("gone", "seg", "codebook", "cells", "anchors")
    files = [path for kind in kinds for path in sorted(target.glob(f"*.{kind}"))]  # one of each, so in a known order
    chosen = files[rng.integers(len(files))]
    if way == 0:
        _flip(manifest, rng)
    elif way == 1:
        _cut(manifest if rng.random() < 0.5 else chosen, rng)
    elif way == 2:
        chosen.unlink()
    elif way in (3, 4):
        _edit(manifest, rng)
    else:
        _flip(chosen, rng)
        if rng.random() < 0.7:
            _vouch(manifest, target)
    return target


def _flip(path, rng):
    octets = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 5)):
        start = int(rng.integers(len(octets)))
        with suppress(OverflowError):
            if rng.random() < 0.5:
                octets[start] ^= 1 << int(rng.integers(8))
            else:
                # Numbers that are special to somebody.
                special = rng.choice(SPECIAL)
                start -= start % 8
                octets[start : start + len(special)] = special[: len(octets) - start]
    path.write_bytes(bytes(octets))


SPECIAL = np.array(
    [
        np.array([value], dtype=dtype).tobytes().ljust(8, b"\0")
        for value, dtype in (
            (-1, "<i8"),
            (2**62, "<i8"),
            (2**63 - 1, "<i8"),
            (2**31, "<u4"),
            (np.nan, "<f4"),
            (np.inf, "<f4"),
            (-np.inf, "<f8"),
            (np.nan, "<f8"),
            (1e300, "<f8"),
            (-1.0, "<f8"),
            (-1.0, "<f4"),
            (3e38, "<f4"),
            (0, "<i8"),
        )
    ],
    dtype="S8",
)


def _cut(path, rng):
    octets = path.read_bytes()
    path.write_bytes(octets[: rng.integers(len(octets))])


def _edit(manifest, rng):
    """Change one value somewhere in the manifest to something that it is not."""
    value = json.loads(manifest.read_bytes().split(b"\n")[1])
    change_somewhere(value, rng)
    write_manifest(manifest, value)


def write_manifest(manifest, value):
    """Put another content into a manifest, with the right checksum."""
    head = json.loads(manifest.read_bytes().split(b"\n")[0] + b"null}")
    content = json.dumps(value).encode()
    head["crc32"] = f"{zlib.crc32(content):08x}"
    del head["content"]
    manifest.write_bytes(json.dumps(head)[:-1].encode() + b', "content":\n' + content + b"\n}\n")


def _vouch(manifest, folder):
    """Give files the checksums that they now have."""
    value = json.loads(manifest.read_bytes().split(b"\n")[1])
    entries = [entry for segment in value["segments"] for entry in (segment["file"], segment["removed"])]
    cells = value["cells"]
    if cells is not None:
        entries += [own["file"] for own in (cells["codebook"], *cells["groups"])]
    if value["anchors"] is not None:
        entries.append(value["anchors"]["file"])
    for entry in entries:
        if entry is not None:
            entry["crc32"] = zlib.crc32((folder / entry["file"]).read_bytes())
    write_manifest(manifest, value)


def exercise(folder):
    """Do everything with an index that may be damaged; returns how often it was refused."""
    query = np.eye(DIM, dtype=np.float32)[:3] + 0.1
    refused = 0

    def attempt(call):
        nonlocal refused
        try:
            call()
        except REFUSALS:
            refused += 1

    for mmap in (True, False):
        try:
            index = mr.Index.open(folder, mmap=mmap, writable=not mmap, num_threads=1)
        except REFUSALS:
            refused += 1
            continue
        with index:
            attempt(lambda index=index: [len(hit.alignment.pairs) for hit in index.search(query, 5)])
            attempt(lambda index=index: [hit.payload for hit in index.search(query, 50)])
            attempt(lambda index=index: index.range_search(query, 0.5))
            if index._snapshot.setup.prefilter is not None:
                attempt(lambda index=index: index.search(query, 2, candidates=4))
            attempt(lambda index=index: index.search(query, 5, where="n < 9"))
            attempt(lambda index=index: index.ids)
            attempt(lambda index=index: len(index) and index.search(query, 2, subset=index.ids[:5].tolist()))
            attempt(index.verify)
            if not mmap:
                attempt(lambda index=index: len(index) and index.remove(index.ids[:1].tolist()))
                attempt(lambda index=index: _add(index))
                attempt(index.compact)
    return refused


def _add(index):
    kind = index._snapshot.setup.kind
    docs = [np.ones((2, index.dim), np.float32)]
    if kind == "words":
        docs = mr.Bags(np.ones((100, index.dim), np.float32), [[99, 98]])
    index.add(docs, ids=["new"] if index._snapshot.setup.ids == "str" else None)
