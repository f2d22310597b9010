"""Plant bugs in a copy of the tree, one at a time, and see that fuzzing finds each of them from the kept corpora.

    python tests/fuzz/planted.py [--seconds 120] [name of a bug or a target ...]

In an environment in which moverank and atheris are installed, with clang, cmake and ninja; the copy is build/planted.
A bug that is not found means that a fuzzer is too weak.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import moverank._core

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "python"))
from fuzz import corpus as kept  # noqa: E402

COPY = ROOT / "build" / "planted"


class Bug(NamedTuple):
    """Text that is right, where it stands, and what takes its place."""

    target: str
    name: str
    file: str
    right: str
    wrong: str


BUGS = [
    # ---- exact ---------------------------------------------------------------------------------------------------
    Bug(
        "exact",
        "a tolerance a million times too wide",
        "cpp/src/transport/exact.cpp",
        "constexpr double final_tolerance = 1e-12;",
        "constexpr double final_tolerance = 1e-6;",
    ),
    Bug(
        "exact",
        "no look at limits before rows go to their nearest",
        "cpp/src/transport/exact.cpp",
        "if (taken_[j] > problem.capacity * problem.b[dense_.columns[j]]) {",
        "if (taken_[j] > 2.0 * problem.capacity * problem.b[dense_.columns[j]]) {",
    ),
    Bug(
        "exact",
        "the rest takes from the slack for nothing",
        "cpp/src/transport/dense_problem.hpp",
        "slack[columns.size()] = largest > 0.0 ? static_cast<Cost>(2.0 * largest) : Cost{1};",
        "slack[columns.size()] = Cost{0};",
    ),
    Bug(
        "exact",
        "a slack row that is never priced",
        "cpp/src/kernels/simplex_price.hpp",
        "const std::size_t n_rows = t.n_rows;",
        "const std::size_t n_rows = t.n_rows > 16 ? t.n_rows - 1 : t.n_rows;",
    ),
    Bug(
        "exact",
        "a cutoff without proof",
        "cpp/src/transport/exact.cpp",
        "if (dual_value() > cutoff_ + value_slack()) {",
        "if (tree_value() > cutoff_ + value_slack()) {",
    ),
    # ---- verified ------------------------------------------------------------------------------------------------
    Bug(
        "verified",
        "a plan under raised costs is taken",
        "cpp/src/transport/verified.cpp",
        "const bool raised = sizes.lowest < -cost_limit<Cost>;",
        "const bool raised = false;",
    ),
    Bug(
        "verified",
        "lowered costs may be paid",
        "cpp/src/transport/verified.cpp",
        "!(lowered && pays(problem, ceiling))",
        "!(lowered && false)",
    ),
    Bug(
        "verified",
        "optimal with any gap",
        "cpp/src/transport/verified.cpp",
        "const bool meet = std::abs(summary.value - summary.lower) <= rounding;",
        "const bool meet = true;",
    ),
    Bug(
        "verified",
        "more is called stuck than is",
        "cpp/src/transport/verified.cpp",
        "infeasibility.mass = wide_.unmoved();",
        "infeasibility.mass = 2.0 * wide_.unmoved();",
    ),
    # ---- sinkhorn ------------------------------------------------------------------------------------------------
    Bug(
        "sinkhorn",
        "converged without a look at the plan's sums",
        "cpp/src/transport/sinkhorn.cpp",
        "summary.converged = summary.converged && seen <= 2.0 * sinkhorn.tolerance;",
        "summary.marginal_error = 0.0;",
    ),
    Bug(
        "sinkhorn",
        "an upper bound that forgets what is missing",
        "cpp/src/transport/sinkhorn.cpp",
        "found.upper += fill_cost / missing / room * to_move;",
        "",
    ),
    Bug(
        "sinkhorn",
        "potentials of limited columns above 0",
        "cpp/src/transport/dual_bound.cpp",
        "} else if (problem.has_limits()) {",
        "} else if (problem.fraction < 1.0) {",
    ),
    # ---- batch ---------------------------------------------------------------------------------------------------
    Bug(
        "batch",
        "bounds without a margin for rounding",
        "cpp/src/search/pair.cpp",
        "return exact_value_error(query_mass_.size() + 1, document.size() + 1, costs_.largest());",
        "return 0.0 * static_cast<double>(document.size());",
    ),
    Bug(
        "batch",
        "tokens that are not finite pass",
        "cpp/src/ground/prepare.cpp",
        "if (!std::isfinite(squared)) {",
        "if (std::isinf(squared)) {",
    ),
    Bug(
        "batch",
        "a tie with the last hit is lost",
        "cpp/src/search/topk.cpp",
        "if (hit.distance == last) {\n        ties_.push_back(hit);",
        "if (hit.distance == last) {",
    ),
    Bug(
        "batch",
        "tokens read as if none lay between their rows",
        "cpp/src/kernels/decode.hpp",
        "+ t * tokens.stride() + first;",
        "+ t * tokens.cols() + first;",
    ),
    Bug(
        "batch",
        "the last component is read by the register",
        "cpp/src/kernels/decode.hpp",
        "std::memcpy(rest, from + k, (count - k) * sizeof(Stored));",
        "std::memcpy(rest, from + k, sizeof rest);",
    ),
    Bug(
        "batch",
        "words behind the table",
        "cpp/src/ground/bags.cpp",
        "if (bags.words[t] >= uses.size()) {",
        "if (bags.words[t] > uses.size()) {",
    ),
    Bug(
        "batch",
        "codes lose half of what they lose",
        "cpp/src/ground/codes.cpp",
        "return factor * found_.rho[s] + 2.0 * rounding;",
        "return 0.5 * factor * found_.rho[s] + 2.0 * rounding;",
    ),
    # ---- the reader of indexes -----------------------------------------------------------------------------------
    Bug(
        "manifest",
        "arrays that end behind their file",
        "python/moverank/index/disk/manifest.py",
        "entry.offset + entry.nbytes > file.nbytes",
        "entry.offset > file.nbytes",
    ),
    Bug(
        "manifest",
        "names that lead out of the folder",
        "python/moverank/index/disk/manifest.py",
        "FILE_NAME.fullmatch(",
        "FILE_NAME.search(",
    ),
    Bug(
        "manifest",
        "a measure that is null",
        "python/moverank/index/disk/manifest.py",
        '    if measure is None:\n        raise IndexFormatError("has no measure")\n',
        "",
    ),
    Bug(
        "run",
        "files that are shorter than is said",
        "python/moverank/index/disk/files.py",
        "if nbytes != entry.nbytes:",
        "if nbytes > entry.nbytes:",
    ),
    Bug(
        "run",
        "payloads whose offsets fall",
        "python/moverank/index/parts/arrays.py",
        "or (cuts[1:] < cuts[:-1]).any()",
        "",
    ),
    Bug(
        "run",
        "removed documents that there are not",
        "python/moverank/index/disk/store.py",
        "if removed[0] < 0 or removed[-1] >= len(part) or (removed[1:] <= removed[:-1]).any():",
        "if removed[0] < 0:",
    ),
    # ---- word vectors --------------------------------------------------------------------------------------------
    Bug(
        "vectors",
        "a table without a vector for every word",
        "python/moverank/encoders/vector_files.py",
        "if len(shape) != 2 or shape[0] != len(words):",
        "if len(shape) != 2:",
    ),
    Bug(
        "vectors",
        "dimensions are believed",
        "python/moverank/encoders/vector_files.py",
        "if dim > file.stat().st_size:",
        "if dim > 1 << 62:",
    ),
    Bug(
        "vectors",
        "words that are not text",
        "python/moverank/encoders/vector_files.py",
        "if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():",
        "if (codes > sys.maxunicode).any():",
    ),
    # ---- documents -----------------------------------------------------------------------------------------------
    Bug(
        "documents",
        "half of a character",
        "python/moverank/cli/documents.py",
        "json.dumps(row, ensure_ascii=False).encode()",
        "json.dumps(row).encode()",
    ),
    Bug(
        "documents",
        "an id that is given twice",
        "python/moverank/cli/documents.py",
        "        seen.add(document.id)\n",
        "",
    ),
    Bug(
        "documents",
        "one column less in a run",
        "python/moverank/cli/runs.py",
        "if len(parts) != 6:",
        "if len(parts) < 4:",
    ),
    # ---- arrays --------------------------------------------------------------------------------------------------
    Bug(
        "batches",
        "offsets that fall",
        "python/moverank/_support/validate.py",
        "if (lengths < 0).any():",
        "if (lengths < -1).any():",
    ),
    Bug(
        "batches",
        "arrays in another order",
        "python/moverank/_support/validate.py",
        "if array.dtype == dtype and array.flags.c_contiguous:",
        "if array.dtype == dtype:",
    ),
    Bug(
        "batches",
        "a warning beside a refusal",
        "python/moverank/_support/validate.py",
        'with np.errstate(over="ignore", invalid="ignore"):',
        "with np.errstate():",
    ),
]


def run(*command, **options):
    """The exit code and all that was printed."""
    found = subprocess.run(command, cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    return found.returncode, found.stdout.decode(errors="replace")


def require(outcome, what):
    """Stop where nothing should go wrong."""
    code, words = outcome
    if code != 0:
        sys.exit(f"{what}:\n{words[-3000:]}")


def copy_tree():
    """Bring the copy up to date; what has not changed keeps its time, so that it is not built again."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT).decode()
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, COPY / name
        if not source.is_file() or (target.is_file() and target.read_bytes() == source.read_bytes()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    shutil.copy(moverank._core.__file__, COPY / "python" / "moverank")


def fuzz(target, seconds):
    """Fuzz a target of the copy; returns the exit code and what was printed."""
    with tempfile.TemporaryDirectory() as scratch:
        return fuzz_in(Path(scratch), target, seconds)


def fuzz_in(scratch, target, seconds):
    """Fuzz from the inputs that are kept, in a folder for them and for new ones."""
    options = [f"-max_total_time={seconds}", "-len_control=0", "-max_len=2048", "-timeout=20"]
    if target != "run":
        new, start = scratch / "new", scratch / "kept"
        new.mkdir()
        kept.unpack(target, start)
        options += [new, start]
    if target in kept.CPP:
        return run(f"build/fuzz/tests/fuzz/fuzz_{target}", *options)
    # Without site-packages' own start, in which an editable install would put its tree before the copy.
    paths = [COPY / "python", COPY / "tests" / "python", sysconfig.get_path("purelib")]
    python = [sys.executable, "-S", "-m"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    if target == "run":
        return run(*python, "fuzz.run", "--seconds", str(seconds), env=environment)
    return run(*python, "fuzz.guided", target, *options, env=environment)


def build(targets):
    """Build targets of the copy that are C++."""
    wanted = [f"fuzz_{target}" for target in targets if target in kept.CPP]
    if wanted:
        require(run("cmake", "--build", "build/fuzz", "--target", *wanted), "the copy cannot be built")


def hunt(bug, seconds):
    """Whether a planted bug is found, and after how many seconds."""
    file = COPY / bug.file
    text = file.read_text()
    if text.count(bug.right) != 1:
        sys.exit(f"{bug.name}: {bug.file} has {text.count(bug.right)} times {bug.right!r}")
    try:
        file.write_text(text.replace(bug.right, bug.wrong))
        build([bug.target])
        started = time.monotonic()
        code, words = fuzz(bug.target, seconds)
        taken = time.monotonic() - started
    finally:
        file.write_text(text)
    if code != 0 and not any(sign in words for sign in ("SUMMARY: ", "found something", "Timeout (0:0")):
        sys.exit(f"{bug.name}: the fuzzer does not run:\n{words[-3000:]}")
    return code != 0, taken, words


def main():
    """Print a line a bug; fails if one was not found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120, help="that a bug may stay hidden")
    parser.add_argument("names", nargs="*", help="of bugs or targets; all unless told otherwise")
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if not options.names or {bug.name, bug.target} & set(options.names)]
    targets = sorted({bug.target for bug in bugs})
    copy_tree()
    if set(targets) & set(kept.CPP):
        require(run("cmake", "--preset", "fuzz"), "the copy cannot be configured")
        build(targets)
    for target in targets:
        require(fuzz(target, 1), f"{target} finds something where nothing was planted")
    hidden = []
    for bug in bugs:
        found, taken, words = hunt(bug, options.seconds)
        print(f"{bug.target:<10} {'found' if found else 'HIDDEN':<7} {taken:6.1f} s  {bug.name}", flush=True)
        if not found:
            hidden.append(bug)
            print(words[-1000:])
    build(targets)
    sys.exit(f"{len(hidden)} of {len(bugs)} were not found" if hidden else 0)


if __name__ == "__main__":
    main()
