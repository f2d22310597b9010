"""The tests that docs/numerics.md names as checks of its claims exist, and so do the targets of the attack."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.(?:py|cpp))::(\w+)`", PAGE)))
FILES = {path.name: path for path in (ROOT / "tests").rglob("test_*") if path.suffix in (".py", ".cpp")}


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}::{name}" for file, name in NAMED])
def test_every_test_that_is_named_exists(file, name):
    declaration = rf"^TEST\({name}\)" if file.endswith(".cpp") else rf"^def {name}\("
    assert re.search(declaration, FILES[file].read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_section_that_claims_something_names_its_checks():
    claimless = {"Model", "The attack", "What is not proved"}
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    titles = {section.splitlines()[0]: section for section in sections}
    assert claimless <= titles.keys()
    assert [title for title, text in titles.items() if title not in claimless and "::" not in text] == []


def test_the_table_of_the_attack_is_of_its_targets_and_none_is_violated():
    rows = re.findall(r"^\| ([\w ,-]+) \| +([\d.]+) \|", PAGE.partition("## The attack")[2], flags=re.MULTILINE)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/stress/adversary").glob("*.cpp"))
    assert len(rows) == 29
    for name, used in rows:
        assert 0 < float(used) <= 1, name
        for part in name.split(", "):
            assert part in sources, name
