"""What the README and the documentation show has to run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dialect import found_in
from moverank import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Examples marked py, not python, need something that is not here.
FENCED = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(example, id=f"{page.stem}-{place}")
    for page in PAGES
    for place, example in enumerate(FENCED.findall(page.read_text(encoding="utf-8")))
]

#: Where programs are that CI builds and runs; pages show them, or parts of them.
PROGRAMS = ["examples/cpp"]
CPP = re.compile(r"^```cpp\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
#: What a page shows as the output of an example, right below it.
SHOWN = {
    example: shown
    for page in PAGES
    for example, shown in re.findall(
        r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
}


def words_of(output):
    """Output but for its numbers: last digits depend on the processor, and how many were solved on threads."""
    return re.sub(r"[\d.]+", "#", output).split()


@pytest.mark.slow(reason="a process per page")
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run_when_pasted(example, tmp_path):
    ran = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    last = ran.stderr.strip().rpartition("\n")[2]
    missing = last.startswith("ModuleNotFoundError") or "is not installed: pip install" in last
    if "moverank.integrations" in example and missing:
        pytest.skip(last)
    assert ran.returncode == 0, ran.stderr
    if shown := SHOWN.get(example):
        assert words_of(ran.stdout) == words_of(shown)
    if "print(hits[0].id, hits[0].payload)" in example:
        assert "music {'year': 2024}" in ran.stdout
    if "journalists in Illinois" in example:
        assert "exact: all 3 documents were solved" in ran.stdout


PROSE = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "SECURITY.md", "bench/README.md", "cpp/src/README.md"))]
PROSE += [ROOT / "tests" / name / "README.md" for name in ("fuzz", "stress")]
PROSE += [ROOT / "examples" / "paraphrase" / "README.md"]
PROSE += [ROOT / "python" / "moverank" / "data" / "NOTICE.md"]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_in_plain_english(page):
    found = found_in(page.read_text(encoding="utf-8"))
    assert not found, f"{page.name}: say it as {found}"


def test_there_are_examples():
    assert len(EXAMPLES) > 20


def test_titles_are_those_of_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    entries = re.findall(r"^ +- (.+): (\S+)$", navigation, flags=re.MULTILINE)
    pages = {path: title for title, path in entries}
    assert set(pages) == {
        path.relative_to(ROOT / "docs").as_posix()
        for path in (ROOT / "docs").rglob("*")
        if path.suffix in (".md", ".ipynb")
    }
    for path, title in pages.items():
        heading = '"# ' if path.endswith(".ipynb") else "# "
        text = (ROOT / "docs" / path).read_text(encoding="utf-8")
        assert text.partition(heading)[2].partition("\n")[0].removesuffix('\\n",') == title, path


def test_programs_in_cpp_are_those_that_are_built():
    built = [path.read_text(encoding="utf-8") for folder in PROGRAMS for path in (ROOT / folder).rglob("*.cpp")]
    shown = [text for page in PAGES for text in CPP.findall(page.read_text(encoding="utf-8"))]
    assert shown
    assert [text for text in shown if not any(text in program for program in built)] == []


def test_every_error_has_a_row():
    page = (ROOT / "docs" / "api" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+Error)` \|", page, flags=re.MULTILINE)
    assert sorted(rows) == sorted([*(name for name in vars(errors) if name.endswith("Error")), "MemoryError"])


def test_links_lead_somewhere():
    for page in PAGES:
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
        assert not missing, page
