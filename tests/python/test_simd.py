"""Every instruction set that this processor has gives the same answers; those that it lacks are skipped."""

import os
import platform
import subprocess
import sys
from functools import cache

import pytest

import moverank as mr

PROBE = """
import numpy as np
import moverank as mr

rng = np.random.default_rng(0)
print(mr.build_info()["simd"])
# Between 128 and 256 edges, narrow registers keep trees in another way than wide ones.
for n, m in [(1, 1), (8, 8), (3, 40), (33, 32), (70, 90), (100, 60), (30, 180), (120, 110), (150, 160)]:
    cost = rng.random((n, m), dtype=np.float32)
    a, b = rng.random(n), rng.random(m)
    for capacity in (1.0, 3.0):
        for matrix in (cost, cost.astype(np.float64)):
            solved = mr.transport(matrix, a, b, capacity=capacity)
            print(solved.value.hex(), solved.lower.hex(), solved.iterations)
"""


def run(level, code=PROBE):
    environment = {**os.environ, "MOVERANK_SIMD": level}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


COSTS = """
import numpy as np
import moverank as mr

rng = np.random.default_rng(0)
print(mr.build_info()["simd"])
docs = mr.Sequences([rng.normal(size=(n, 100)) for n in (1, 5, 16, 17, 40)])
for dtype in ("float32", "float16", "bfloat16", "int8", "int4", "int2"):
    for measure in ("wrd", "wmd", "maxsim", mr.Measure("sqeuclidean", "norm", problem="relaxed")):
        for distance in mr.pairwise(docs[2:], docs.astype(dtype), measure=measure).ravel():
            print(distance.hex())
many = mr.Sequences([np.repeat(rng.normal(size=(9, 100)), 5, axis=0) + rng.normal(size=(45, 100)) for _ in range(40)])
for measure in ("wrd", "maxsim"):  # rounded near anchors, whose training sums in other orders
    from moverank.index.parts.anchors import Anchors
    from moverank.index.parts.codebook import Codebook
    anchors = Anchors.of(Codebook(many.tokens[:64], many.tokens[:1] * 0, np.array([0, 64]), 0.0))
    anchored = many._restored(anchors.stored(many._stored, "int4", 1))
    for distance in mr.pairwise(docs[2:], anchored, measure=measure).ravel():
        print(distance.hex())
"""

CODED = """
import numpy as np
import moverank as mr

rng = np.random.default_rng(0)
print(mr.build_info()["simd"])
centres = rng.normal(size=(20, 70))
def document():
    return centres[rng.integers(20, size=rng.integers(1, 30))] + rng.normal(size=70) / 2
docs = mr.Sequences([document() for _ in range(400)])
wrd = mr.Measure.of("wrd")
for measure in (wrd, wrd.replace(capacity=4), mr.Measure.of("maxsim"), mr.Measure.of("wmd")):
    plain = mr.Index.build(docs, measure, prefilter=None)
    for dtype in ("int8", "int4", "float16"):
        coded = mr.Index.build(docs, measure, dtype=dtype, rescore=True, prefilter=None)
        for query in (document(), document(), docs[7]):
            found, expected = coded.search(query, 9, num_threads=1), plain.search(query, 9)
            assert found.ids.tolist() == expected.ids.tolist()
            assert found.distances.tobytes() == expected.distances.tobytes()
            assert ("codes" in str(found.stats)) == (dtype != "int4")
            print(*found.ids, *map(float.hex, found.distances.tolist()))
            print(found.stats.exact_solves, *[(rung.name, rung.seen, rung.dropped) for rung in found.stats.rungs])
"""


X86 = platform.machine() in ("x86_64", "AMD64")
ARM = platform.machine() in ("aarch64", "arm64")
#: Narrowest first, as they are compiled for this kind of processor.
LEVELS = ("baseline", "avx2", "avx512") if X86 else ("neon",) if ARM else ("baseline",)


@cache
def output_of(level, code):
    """Lines that a program prints on a level; a level that this processor lacks skips the test, and nothing else."""
    ran = run(level, code)
    if "MOVERANK_SIMD: this processor does not have" in ran.stderr:
        pytest.skip(ran.stderr.strip().splitlines()[-1])
    assert ran.returncode == 0, ran.stderr
    name, *output = ran.stdout.splitlines()
    assert name == level
    return output


@pytest.mark.slow(reason="a process per instruction set")
@pytest.mark.parametrize("level", LEVELS)
def test_solves_agree_to_the_last_bit(level):
    assert output_of(level, PROBE) == output_of(LEVELS[0], PROBE)


@pytest.mark.slow(reason="a process per instruction set")
@pytest.mark.parametrize("level", LEVELS)
def test_costs_agree_to_rounding(level):
    found, expected = ([float.fromhex(x) for x in output_of(name, COSTS)] for name in (level, LEVELS[0]))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.skipif(not X86, reason="AVX2 and AVX-512 are instruction sets of x86-64")
@pytest.mark.parametrize("code", [COSTS, CODED], ids=["costs", "codes"])
def test_costs_agree_to_the_last_bit_where_products_are_fused(code):
    assert output_of("avx512", code) == output_of("avx2", code)


@pytest.mark.parametrize("level", LEVELS)
def test_codes_change_no_answer_on_any_level(level):
    """The program compares answers with and without codes."""
    assert len(output_of(level, CODED)) == 4 * 3 * 3 * 2


def test_the_products_of_codes_are_those_of_the_level():
    for level in LEVELS:
        ran = run(level, "import moverank as mr; print(mr.build_info()['codes'])")
        assert ran.returncode == 0 or "this processor does not have" in ran.stderr
        assert ran.returncode != 0 or ran.stdout.split()[0].startswith(level)


def test_the_widest_level_is_the_default():
    ran = run("", "import moverank as mr; print(mr.build_info()['simd'])")
    assert run(ran.stdout.strip()).returncode == 0
    if not os.environ.get("MOVERANK_SIMD"):
        assert mr.build_info()["simd"] == ran.stdout.strip()


@pytest.mark.parametrize("level", ["sse9", "AVX2"])
def test_unknown_levels_are_refused_at_import(level):
    ran = run(level, "import moverank")
    assert ran.returncode != 0
    assert "MOVERANK_SIMD must be one of " in ran.stderr
    assert f"got '{level}'" in ran.stderr
