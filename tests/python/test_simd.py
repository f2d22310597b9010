"""Every instruction set that this machine has gives the same answers."""

import os
import subprocess
import sys

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
            print(solved.value.hex(), solved.lower.hex(), solved.pivots)
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
for dtype in ("float32", "float16", "bfloat16", "int8"):
    for measure in ("wrd", "wmd", "maxsim", mr.Measure("sqeuclidean", "norm", problem="relaxed")):
        for distance in mr.pairwise(docs[2:], docs.astype(dtype), measure=measure).ravel():
            print(distance.hex())
"""


def outputs_by_level(code):
    """What a program prints on every level that this machine has."""
    outputs = {}
    for level in ("baseline", "avx2", "avx512", "neon"):
        ran = run(level, code)
        if ran.returncode != 0 and f"on this machine, got '{level}'" in ran.stderr:
            continue
        assert ran.returncode == 0, ran.stderr
        name, *outputs[level] = ran.stdout.splitlines()
        assert name == level
    assert outputs
    return outputs


def test_solves_agree_to_the_last_bit():
    first, *others = outputs_by_level(PROBE).values()
    assert all(output == first for output in others)


def test_costs_agree_to_the_last_bit_where_products_are_fused_and_to_rounding_elsewhere():
    outputs = outputs_by_level(COSTS)
    if {"avx2", "avx512"} <= outputs.keys():
        assert outputs["avx2"] == outputs["avx512"]
    first, *others = ([float.fromhex(x) for x in output] for output in outputs.values())
    for other in others:
        assert other == pytest.approx(first, rel=1e-6, abs=1e-6)


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
