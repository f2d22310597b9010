"""What the README and the documentation show has to run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run_when_pasted(example, tmp_path):
    ran = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    last = ran.stderr.strip().rpartition("\n")[2]
    missing = last.startswith("ModuleNotFoundError") or "is not installed: pip install" in last
    if "moverank.integrations" in example and missing:
        pytest.skip(last)
    assert ran.returncode == 0, ran.stderr
    if "print(hits[0].id, hits[0].payload)" in example:
        assert "music {'year': 2024}" in ran.stdout
    if "journalists in Illinois" in example:
        assert "exact: all 3 documents were solved" in ran.stdout


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


def test_every_error_has_a_row():
    page = (ROOT / "docs" / "api" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+Error)` \|", page, flags=re.MULTILINE)
    assert sorted(rows) == sorted([*(name for name in vars(errors) if name.endswith("Error")), "MemoryError"])


def test_links_lead_somewhere():
    for page in PAGES:
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
        assert not missing, page
