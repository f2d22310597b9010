"""Damage indexes at random and use them; every answer has to be right, or a refusal by name.

    python -m fuzz.run --seconds 60 [--seed 0]       from tests/python

Runs as long as it is told, with little memory to ask for, so that a size that a file declares is not simply believed.
Under a core built with AddressSanitizer (see `tools/sanitized-python`) it also tells reads beyond an array.
"""

import argparse
import faulthandler
import resource
import shutil
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from fuzz.index_reader import damage, exercise, write_indexes
from fuzz.scratch import scratch_folder
from moverank.errors import PrecisionWarning


def main():
    """Print how many were tried."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=1 << 60)
    parser.add_argument("--megabytes", type=int, default=0, help="of address space; AddressSanitizer needs all")
    parser.add_argument("--note", type=Path, help="file for the seed at work: sanitizers name none")
    options = parser.parse_args()
    if options.megabytes:
        resource.setrlimit(resource.RLIMIT_AS, (options.megabytes << 20, options.megabytes << 20))
    started = time.monotonic()
    seed, refused = options.seed, 0
    folder = scratch_folder()
    sources = write_indexes(folder)
    while time.monotonic() - started < options.seconds and seed - options.seed < options.runs:
        rng = np.random.default_rng(seed)
        target = folder / "damaged"
        if options.note:
            options.note.write_text(str(seed))
        faulthandler.dump_traceback_later(30, exit=True)  # no file may make it hang
        try:
            damage(sources[rng.integers(len(sources))], target, rng)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", PrecisionWarning)  # which is told, and no find
                refused += exercise(target) > 0
        except BaseException:
            print(f"seed {seed} found something", file=sys.stderr)
            raise
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(target)
        seed += 1
    print(f"{seed - options.seed} damaged indexes, {refused} refused; no crash, no hang, no error without a name")


if __name__ == "__main__":
    main()
