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
for n, m in [(1, 1), (8, 8), (3, 40), (33, 32), (70, 90), (150, 160)]:
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


def test_levels_agree_to_the_last_bit():
    outputs = {}
    for level in ("baseline", "avx2", "avx512"):
        ran = run(level)
        if ran.returncode != 0 and f"on this machine, got '{level}'" in ran.stderr:
            continue
        assert ran.returncode == 0, ran.stderr
        name, *outputs[level] = ran.stdout.splitlines()
        assert name == level
    assert "baseline" in outputs
    assert all(output == outputs["baseline"] for output in outputs.values())


def test_the_widest_level_is_the_default():
    ran = run("", "import moverank as mr; print(mr.build_info()['simd'])")
    assert run(ran.stdout.strip()).returncode == 0
    if not os.environ.get("MOVERANK_SIMD"):
        assert mr.build_info()["simd"] == ran.stdout.strip()


@pytest.mark.parametrize("level", ["sse9", "AVX2"])
def test_unknown_levels_are_refused_at_import(level):
    ran = run(level, "import moverank")
    assert ran.returncode != 0
    assert "MOVERANK_SIMD must be one of baseline" in ran.stderr
    assert f"got '{level}'" in ran.stderr
