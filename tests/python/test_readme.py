"""What the README shows has to run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STORAGE = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
EXAMPLES = FENCED.findall(README)
#: The second one there needs files.
OF_STORAGE = FENCED.findall(STORAGE)[:1]


@pytest.mark.parametrize("example", [*EXAMPLES, *OF_STORAGE], ids=range(len(EXAMPLES) + 1))
def test_examples_run_when_pasted(example, tmp_path):
    ran = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    if "print(" in example:
        expected = "music {'year': 2024}" if "payload" in example else "exact: all 3 documents were solved"
        assert expected in ran.stdout


def test_there_are_examples():
    assert len(EXAMPLES) == 4


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
        assert not missing, page
