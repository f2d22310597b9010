"""Take what a long run has found over into the corpus that is kept: minimised, and so many that all sizes are there.

python tests/fuzz/keep.py exact folder [folder ...]        in an environment as for fuzzing
"""

import argparse
import hashlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CPP = ("batch", "exact", "sinkhorn", "verified")


def main():
    """Print what is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=150, help="inputs that are kept, besides those with names")
    parser.add_argument("target")
    parser.add_argument("folders", nargs="+", type=lambda name: Path(name).resolve())
    options = parser.parse_args()
    target = options.target
    corpus = ROOT / ("tests/fuzz/corpus" if target in CPP else "tests/python/fuzz/corpus") / target
    command = [ROOT / f"build/fuzz/tests/fuzz/fuzz_{target}"]
    if target not in CPP:
        command = [sys.executable, "-m", "fuzz.guided", target]
    with tempfile.TemporaryDirectory() as name:
        merged = Path(name)
        inputs = [folder for folder in [corpus, *options.folders] if folder.is_dir()]
        subprocess.run([*command, "-merge=1", "-max_len=4096", merged, *inputs], cwd=ROOT / "tests/python", check=True)
        found = sorted(merged.iterdir(), key=os.path.getsize)
        if not found:
            sys.exit(f"{target}: the merge kept nothing")
        # What has a name of its own stays, whatever else reaches the same.
        for file in corpus.iterdir():
            if is_hash(file.name):
                file.unlink()
        for file in found[:: math.ceil(len(found) / options.most)]:
            octets = file.read_bytes()
            shutil.copyfile(file, corpus / hashlib.sha1(octets).hexdigest())
    kept = list(corpus.iterdir())
    print(f"{target}: {len(kept)} inputs, {sum(map(os.path.getsize, kept))} bytes")


def is_hash(name):
    """Whether a fuzzer made up a name."""
    return len(name) == 40 and set(name) <= set("0123456789abcdef")


if __name__ == "__main__":
    main()
