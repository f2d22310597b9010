"""Indexes: searched, changed, kept in folders, built there."""

import pickle
import shutil
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import moverank as mr
from moverank.index.disk import building
from moverank.readers import Batch
from moverank.sharding import ShardedIndex, split
from public_calls.inputs import bags, documents, each, query


def searches(folder):
    docs, asked, words = documents(), query(), bags()
    payloads = [{"year": 2000 + n, "lang": "en" if n % 2 else "de"} for n in range(len(docs))]
    index = mr.Index.build(docs, "wrd", payloads=payloads, num_threads=2)
    indexes = [
        index,
        mr.Index.build(docs, "wmd", dtype="int8", rescore=True, num_threads=2),
        mr.Index.build(docs, "wrd", prefilter=mr.Clusters(2), dtype="float16", num_threads=2),
        mr.Index.build(docs, "wmd", prefilter="HNSW8", num_threads=2),
        mr.Index.build(docs, mr.maxsim, prefilter=mr.TokenCells(8), num_threads=2),
        mr.Index.build(words, "wmd", ids=[f"é{n}" for n in range(len(words))], num_threads=2),
    ]
    told = []

    def hits(index):
        found = index.search(asked, 4)
        one = found[0]
        shown = f"{found} {found!r} {found.stats}"
        return one.payload, one.explain(samples=3), found[1:3], list(found), found.similarities, shown, found.to_dict()

    def waves(index):
        seeds = index.seed(asked, 4, count=3)
        shown = repr(seeds), pickle.loads(pickle.dumps(seeds)).ids
        prices = seeds.potentials if len(seeds.potentials) else None
        return shown, seeds.search(cutoff=1.0), index.search(asked, 4, cutoff=1.0, potentials=prices)

    def shards(index):
        own = Path(folder) / "shards"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        folders = [own / name for name in "ab"]
        split(index, folders)
        found = ShardedIndex.open(folders).search(asked, 3)
        return f"{found} {found.shards}", found[0].payload, found.to_dict()

    def batch():
        told.clear()
        return index.search_batch(docs[:4], 3, num_threads=2, progress=lambda *done: told.append(done))

    def recall(index):
        found = index.recall(docs[:2], 4, candidates=[9, 99_999])
        return f"{found} {found!r}", found.to_dict(), found.queries, found.at[0].to_dict(contents=False)

    def about():
        shown = 3 in index, repr(index), index.payload(3)
        return len(index), index.ids, index.dim, index.pool, index.prefilter, index.space, index.measure, shown

    return {
        "building": lambda: mr.Index.build(docs, "wrd", payloads=payloads),
        "building with clusters": lambda: mr.Index.build(docs, "wrd", prefilter=mr.Clusters(2), dtype="int8"),
        "building with pooled tokens": lambda: mr.Index.build(docs, "wrd", pool=2, num_threads=2).pooled_into(3),
        "building with cells": lambda: mr.Index.build(docs, "wrd", prefilter=mr.TokenCells(8), dtype="int8"),
        "building with a graph": lambda: mr.Index.build(docs, "wrd", prefilter="HNSW8", num_threads=1),
        "building of bags": lambda: mr.Index.build(words, "wmd"),
        "search": each(hits, indexes),
        "search with candidates": each(lambda index: str(index.search(asked, 4, candidates=9).certificate), indexes),
        "search with slack": lambda: index.search(asked, 4, slack=0.3),
        "search of a subset": lambda: index.search(asked, 4, subset=[1, 5, 9]),
        "one hit as a dictionary": lambda: index.search(asked, 1)[0].to_dict(),
        "search by payload": lambda: index.search(asked, 4, where=("year >= ? AND lang = 'en'", [2010])),
        "search for many": batch,
        "recall": each(recall, indexes),
        "other options of cells": lambda: hits(indexes[4].with_prefilter(mr.TokenCells(probes=2, ranked=9))),
        "reranking": lambda: index.rerank(asked, [4, 7, 1], 2),
        "reranking without an index": lambda: mr.rerank(asked, docs, 3, "wmd"),
        "search in two waves": each(waves, indexes),
        "search of shards": each(shards, [indexes[0], indexes[5]]),
        "range search": each(lambda index: index.range_search(asked, 0.8), indexes),
        "what an index is": about,
    }


def changes(folder):
    docs, words = documents(), bags()
    index = mr.Index.build(docs, "wrd", payloads=[{"n": n} for n in range(len(docs))], num_threads=1)
    of_bags = mr.Index.build(words, "wmd", num_threads=1)

    def change(index, docs):
        index.add(docs, ids=[1000, 1001, 1002])
        index.upsert(docs, ids=[1002, 1003, 1004])
        index.remove([1000, 1001, 1002, 1003, 1004])
        index.compact()

    return {
        "changes in memory": partial(change, index, docs[:3]),
        "changes of bags": partial(change, of_bags, mr.Bags(words.vectors, [[1, 2], [3], [4]])),
    }


def folders(folder):
    docs, asked = documents(), query()
    payloads = [{"n": n} for n in range(len(docs))]
    built = mr.Index.build(docs, "wrd", payloads=payloads, dtype="int8", rescore=True)
    for name in ("read", "written", "watched"):
        built.save(folder / name)
    mr.Index.build(bags(), "wmd").save(folder / "bags")
    reader = mr.Index.open(folder / "watched")
    told = []

    def opened(name, **how):
        with mr.Index.open(folder / name, **how) as index:
            return index.search(asked, 3)

    def changed():
        with mr.Index.open(folder / "written", writable=True) as index:
            index.add(docs[:2], ids=[1000, 1001], payloads=[1, 2])
            index.upsert(docs[2:3], ids=[1000])
            index.remove([1000, 1001])
            index.compact()

    def watched():
        with mr.Index.open(folder / "watched", writable=True) as writer:
            writer.add(docs[:1], ids=[1000])
            assert reader.refresh()
            writer.remove([1000])
            writer.compact()
        assert reader.refresh()

    def verified():
        told.clear()
        with mr.Index.open(folder / "read") as index:
            return repr(index.verify(progress=lambda *done: told.append(done)))

    return {
        "opening": each(opened, ["read", "bags"]),
        "opening without mapping": lambda: opened("read", mmap=False),
        "opening, and never closing": lambda: mr.Index.open(folder / "read").search(asked, 3)[0].payload,
        "saving": lambda: built.save(folder / "saved", overwrite=True),
        "changes on disk": changed,
        "refreshing": watched,
        "verifying": verified,
    }


def builds(folder):
    docs = documents(12)
    numbers = iter(range(10**9))
    building.SEGMENT_BYTES = 600  # several segments of these documents

    def batches(fail=False):
        for start in range(0, len(docs), 4):
            if fail and start:
                raise RuntimeError("the source broke")
            yield Batch(docs[start : start + 4], payloads=[start] * 4)

    @contextmanager
    def fresh():
        path = folder / str(next(numbers))
        yield path
        for file in path.iterdir():
            file.unlink()
        path.rmdir()

    def whole():
        with fresh() as path:
            mr.Index.build_on_disk(path, batches(), prefilter=mr.Clusters(2), progress=lambda done: None).close()

    def resumed():
        with fresh() as path:
            with suppress(RuntimeError):
                mr.Index.build_on_disk(path, batches(fail=True))
            with suppress(mr.IndexIncompleteError):
                mr.Index.open(path)
            mr.Index.build_on_disk(path, batches(), resume=True).close()

    return {"building on disk": whole, "building on disk, cut off and resumed": resumed}


KINDS = (searches, changes, folders, builds)
