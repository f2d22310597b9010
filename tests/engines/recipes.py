"""Recipes of the documentation, taken from its pages, so that what is tested is what a reader copies."""

import re
from pathlib import Path

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
FENCED = re.compile(r"^```(?:py|python)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def recipes(page, heading=None):
    """Code that a page shows under a heading, or before its first one, in its order."""
    sections = re.split(r"^## ", (HOW_TO / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    if heading is not None:
        sections = [section for section in sections[1:] if section.partition("\n")[0] == heading]
        assert len(sections) == 1, f"{page}: has {len(sections)} headings {heading!r}"
    found = FENCED.findall(sections[0])
    assert found, f"{page}: nothing under {heading!r} is code"
    return found


def run(page, heading, names):
    """Run a recipe among the names that earlier ones have made."""
    for code in recipes(page, heading):
        exec(compile(code, f"{page}, {heading}", "exec"), names)
    return names
