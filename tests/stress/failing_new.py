"""Let each allocation of the compiled extension fail, one after the other, in calls from Python.

    python tests/stress/failing_new.py [NAME ...]

Needs Linux and a C++ compiler, for a library that takes the place of operator new. Each call is made again and again:
the first allocation fails, then the second, and so on, alone and with all behind it. Every try has to raise MemoryError
or to give the right answer. (`ctest -R memory` does the same to the core without Python.)
"""

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

import moverank as mr

SOURCE = Path(__file__).with_suffix(".cpp")


def calls():
    """What is tried, by name."""
    rng = np.random.default_rng(0)
    docs = mr.Sequences([rng.normal(size=(rng.integers(1, 8), 6)) for _ in range(40)])
    bags = mr.Bags(rng.normal(size=(30, 6)), [rng.integers(30, size=5).tolist() for _ in range(40)])
    query, cost, costs = rng.normal(size=(5, 6)), rng.random((20, 24)), rng.random((6, 5, 7))
    large = np.add.outer(np.arange(300.0), np.arange(300.0)) % 7  # above what a solver's workspace is kept for
    index, over_bags = mr.Index.build(docs, "wrd"), mr.Index.build(bags, "wmd")
    coded = mr.Index.build(docs, "wmd", dtype="int8", rescore=True)
    sinkhorn = mr.Sinkhorn(epsilon=0.1)
    some = {"num_threads": 3}

    def refused():
        try:
            return mr.Index.build([np.eye(2), np.zeros((2, 2))], "wrd")
        except ValueError as error:
            return str(error)

    return {
        "measure": lambda: mr.Measure("cosine", "norm", 3.0).name,
        "distances": lambda: mr.distances(query, docs, "wmd", **some),
        "certified_distances": lambda: mr.certified_distances(query, docs, "wmd", **some).values,
        "pairwise": lambda: mr.pairwise(docs, measure="wmd", **some),
        "one distance": lambda: mr.wrd(query, docs[0]),
        "align": lambda: mr.align(query, docs[0], "wrd").plan,
        "transport": lambda: mr.transport(cost, capacity=3).plan,
        "transport in float32": lambda: mr.transport(cost.astype(np.float32)).plan,
        "transport of a large matrix": lambda: mr.transport(large).value,
        "sinkhorn": lambda: mr.transport(cost, epsilon=sinkhorn).plan,
        "transport_batch": lambda: mr.transport_batch(costs, **some).values,
        "sinkhorn batch": lambda: mr.transport_batch(costs, epsilon=sinkhorn, **some).values,
        "gradients": lambda: mr.gradients(query, docs[0], "wrd").x,
        "build": lambda: mr.Index.build(docs, "wrd").search(query, 3).distances,
        "build of clusters": lambda: (
            mr.Index.build(docs, "wrd", prefilter=mr.Clusters(2)).search(query, 3, candidates=5).distances
        ),
        "build of cells": lambda: (
            mr.Index.build(docs, "wrd", prefilter=mr.TokenCells(4)).search(query, 3, candidates=5).distances
        ),
        "build of codes": lambda: mr.Index.build(docs, "wmd", dtype="int8", rescore=True).search(query, 3).distances,
        "build of bags": lambda: mr.Index.build(bags, "wmd").search(query, 3).distances,
        "search": lambda: index.search(query, 3, **some).distances,
        "search codes": lambda: coded.search(query, 3, **some).distances,
        "search bags": lambda: over_bags.search(query, 3, **some).distances,
        "search_batch": lambda: [hits.distances.tolist() for hits in index.search_batch(docs[:5], 3, **some)],
        "alignment": lambda: index.search(query, 3)[0].alignment.plan,
        "rerank": lambda: mr.rerank(query, docs).distances,
        "refused": refused,
    }


def try_all(library, call):
    """Outcomes by their names."""
    expected = call()
    outcomes = Counter()
    for lasting in (0, 1):
        failed, from_now = 1, 0
        while failed:
            library.begin_to_fail(from_now, lasting)
            try:
                found = call()
                failed = library.end_to_fail()
                assert np.array_equal(found, expected), "another answer"
                outcomes["answer"] += 1
            except MemoryError:
                failed = library.end_to_fail()
                assert failed, "MemoryError though there was memory"
                outcomes["MemoryError"] += 1
            from_now += 1
    assert np.array_equal(call(), expected), "another answer behind all this"
    return outcomes


def compiled(folder):
    """The library; SystemExit if there is nothing to make it with."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        sys.exit("needs a C++ compiler")
    library = Path(folder) / "failing_new.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def main():
    """Run once more under the library, and print what became of each call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    library = ctypes.CDLL(None)
    if not hasattr(library, "begin_to_fail"):
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"LD_PRELOAD": str(compiled(folder))}
            sys.exit(subprocess.run([sys.executable, "-X", "faulthandler", *sys.argv], env=environment).returncode)
    library.begin_to_fail.argtypes = [ctypes.c_long, ctypes.c_int]
    library.end_to_fail.restype = ctypes.c_long
    every, total = calls(), Counter()
    for name in options.names or every:
        outcomes = try_all(library, every[name])
        total += outcomes
        print(f"{name:<28} {dict(outcomes)}", flush=True)
    print(f"{total.total()} calls: {total['answer']} answers, {total['MemoryError']} MemoryErrors, nothing else")


if __name__ == "__main__":
    main()
