"""An installed package does its job. `python tests/python/test_wheel.py` needs it, numpy and faiss, and no pytest.

Every wheel is tested by this file, in an environment that has nothing else: see docs/releasing.md.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from itertools import permutations
from pathlib import Path

import numpy as np

import moverank as mr
from moverank.cli import main

RNG = np.random.default_rng(0)
DOCS = [RNG.normal(size=(n, 16)) for n in (1, 4, 7, 12, 30) * 8]
QUERY = RNG.normal(size=(6, 16))
LEVELS = ("baseline", "avx2", "avx512", "neon")


def by_distance(measure):
    distances = mr.distances(QUERY, DOCS, measure)
    return np.lexsort((np.arange(len(DOCS)), distances)), distances


def test_values_are_those_of_brute_force():
    cost = RNG.random((6, 6))
    best = min(sum(cost[i, p[i]] for i in range(6)) for p in permutations(range(6))) / 6
    solved = mr.transport(cost)
    assert abs(solved.value - best) < 1e-6
    assert 0 <= solved.gap < 1e-6
    assert abs(mr.maxsim(QUERY, DOCS[3]) + (QUERY @ DOCS[3].T).max(axis=1).mean()) < 1e-5


def test_every_instruction_set_solves_alike():
    program = "import numpy, moverank; print(moverank.transport(numpy.random.default_rng(0).random((9, 40))).value)"
    values, refused = set(), 0
    for level in LEVELS:
        environment = {**os.environ, "MOVERANK_SIMD": level}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            values.add(done.stdout)
        else:
            assert "MOVERANK_SIMD" in done.stderr, done.stderr  # not compiled in, or not had by this processor
            refused += 1
    assert len(values) == 1
    assert refused < len(LEVELS)


def test_search_is_exact():
    for measure in (mr.wmd, mr.wrd, mr.maxsim, mr.wrd.replace(problem=mr.Sinkhorn(0.05))):
        order, distances = by_distance(measure)
        hits = mr.Index.build(DOCS, measure).search(QUERY, k=5)
        assert hits.certificate.exact
        assert list(hits.ids) == order[:5].tolist(), measure
        np.testing.assert_allclose(hits.distances, distances[order[:5]], rtol=1e-6, atol=1e-7)


def test_faiss_finds_candidates():
    hits = mr.Index.build(DOCS, "wrd", prefilter="HNSW8").search(QUERY, k=3, candidates=len(DOCS))
    assert list(hits.ids) == by_distance("wrd")[0][:3].tolist()


def test_folders_keep_indexes():
    if os.name != "posix":
        return  # docs/releasing.md: in memory only
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "index"
        ids = [f"d{n}" for n in range(len(DOCS))]
        mr.Index.build(DOCS, "wrd", ids=ids, payloads=[{"n": n} for n in range(len(DOCS))]).save(folder)
        with mr.Index.open(folder, writable=True) as index:
            index.remove(["d0"])
            index.add([QUERY], ids=["same"], payloads=[{"n": 99}])
        with mr.Index.open(folder) as index:
            index.verify()
            assert index.search(QUERY, k=1)[0].id == "same"
            hits = index.search(QUERY, k=50, where="n BETWEEN 1 AND 9")
            assert sorted(hits.ids) == [f"d{n}" for n in range(1, 10)]


def test_the_demo_runs_on_what_is_bundled():
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["demo", "--json"]) == 0
    report = json.loads(said.getvalue())
    assert len(report) == 8
    assert set(report[0]["relevant"]) & {hit["id"] for hit in report[0]["hits"]}


def test_an_answer_explains_itself():
    texts = ["Shares fell on Tuesday.", "A man performs songs on a street corner.", "The dog sleeps on a sofa."]
    ranking = mr.Reranker().rank("who plays music outside?", texts, top_k=2)
    assert ranking[0].text == texts[1]
    assert "<script>" in ranking[0].explain().to_html()


def test_the_package_is_whole():
    package = Path(mr.__file__).parent
    for name in ("py.typed", "_core.pyi", "data/NOTICE.md"):
        assert (package / name).is_file(), name
    assert mr.build_info()["version"] == mr.__version__


if __name__ == "__main__":
    claims = [(name, claim) for name, claim in list(globals().items()) if name.startswith("test_")]
    for name, claim in claims:
        claim()
        print(f"passed {name}")
    print(f"{len(claims)} passed, 0 failed; {sys.version.split()[0]}, {mr.build_info()}")
