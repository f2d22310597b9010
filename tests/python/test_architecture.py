"""Constants that docs/architecture.md lists, and files that docs/development.md names, are where these pages say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Numbers that must not drift")[2]
ROWS = re.findall(r"^\| .+? \| `([\w/]+\.\w+)` (`\w+`(?:, `\w+`)*) \| (.+) \|$", TABLE, flags=re.MULTILINE)
SOURCES = [path for folder in ("cpp", "python") for path in (ROOT / folder).rglob("*") if path.is_file()]


def test_every_row_names_a_file_and_constants():
    assert len(ROWS) == len(re.findall(r"^\| ", TABLE, flags=re.MULTILINE)) - 1 > 5


@pytest.mark.parametrize(("file", "names", "value"), ROWS, ids=[names.strip("`") for _, names, _ in ROWS])
def test_constants_are_where_the_table_says(file, names, value):
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path.as_posix().endswith(f"/{file}"))
    assert source, f"there is no {file}"
    for name in re.findall(r"\w+", names):
        assert re.search(rf"\b{name}\b", source), f"{file} has no {name}"
        whole = re.search(rf"\b{name} = (\d+);?$", source, flags=re.MULTILINE)
        assert not whole or re.search(rf"\b{whole[1]}\b", value), f"{name} is {whole[1]} in {file}"


def test_files_that_the_page_of_development_names_are_there():
    page = (ROOT / "docs" / "development.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```bash\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE))
    named = {*re.findall(r"`([\w.]+/[\w./-]+)`", page), *re.findall(r"(?:^|\s)((?:tests|tools)/[\w./-]+)", commands)}
    assert len(named) > 20
    written = {path for path in named if not path.startswith("build/")}  # what is built need not be there
    assert [path for path in sorted(written) if not (ROOT / path).exists()] == []
