"""Count the instructions of a fixed set of cases under callgrind, and compare with the counts on record.

    python bench/instruction_counts.py BUILD            # BUILD: a build folder with MOVERANK_BENCHMARKS=ON
    python bench/instruction_counts.py BUILD --record   # make these the counts on record

Counts do not depend on how busy a machine is, which makes them a regression figure where times are not; they do depend
on the compiler. Valgrind knows no AVX-512, so the cases run on AVX2. Changes beyond 5 % are marked, and no error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

RECORD = Path(__file__).with_name("instruction_counts.json")
THRESHOLD = 5.0


def count(program: Path, case: str) -> int:
    """Instructions between entering and leaving the function that a case is run by."""
    with tempfile.NamedTemporaryFile() as out:
        ran = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", "--toggle-collect=*counted*", f"--callgrind-out-file={out.name}"),
                *(str(program), case),
            ],
            env={**os.environ, "MOVERANK_SIMD": "avx2"},
            capture_output=True,
            text=True,
            check=True,
        )
    collected = re.search(r"Collected : (\d+)", ran.stderr)
    if collected is None or int(collected[1]) == 0:
        raise SystemExit(f"callgrind collected nothing for {case!r}:\n{ran.stderr}")
    return int(collected[1])


def main() -> None:
    """Print the table, or record it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    program = args.build / "bench/cpp/moverank_cases"
    cases = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines()
    counts = {case: count(program, case) for case in cases}
    if args.record:
        RECORD.write_text(json.dumps(counts, indent=2) + "\n")
    recorded = json.loads(RECORD.read_text())
    width = max(map(len, counts))
    for case, instructions in counts.items():
        if case not in recorded:
            print(f"{case:{width}}  {instructions:>12,}  not on record")
            continue
        change = 100 * (instructions / recorded[case] - 1)
        mark = "  CHANGED" if abs(change) > THRESHOLD else ""
        print(f"{case:{width}}  {instructions:>12,}  {change:+6.2f} %{mark}")


if __name__ == "__main__":
    main()
