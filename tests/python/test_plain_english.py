"""Docstrings, comments and error messages are in plain English; documents are held to it by `test_documentation`."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from dialect import found_in

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "moverank"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def texts_of(source):
    """Docstrings, runs of comments, and strings of raise statements and of calls, each as one text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, (ast.Raise, ast.Call)):
            inner = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
            yield " ".join(value for value in inner if isinstance(value, str))
    comments = [
        token.string.lstrip("#: ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    yield "\n".join(comments)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_sources_are_in_plain_english(path):
    found = [found for text in texts_of(path.read_text(encoding="utf-8")) if (found := found_in(text))]
    assert not found, f"{path.name}: say it as {found}"


def test_names_say_per():
    pattern = re.compile(r"\b[A-Za-z]+s_an?_[A-Za-z]+", flags=re.IGNORECASE)
    names = {match[0] for path in SOURCES for match in pattern.finditer(path.read_text(encoding="utf-8"))}
    assert not names


def test_texts_are_found():
    source = '"""Doc."""\n# one\nraise ValueError(f"{x} is none of 3")\n'
    assert {"Doc.", "one"} <= set(texts_of(source))
    assert any(found_in(text) for text in texts_of(source))


@pytest.mark.parametrize(
    ("said", "is_dialect"),
    [
        ("4 bytes a token", True),
        ("one vector a token", True),
        ("half a second a million", True),
        ("the ids behind the last", True),
        ("one behind the other", True),
        ("an object that is no tokenizer", True),
        ("a wheel that is not to be had", True),
        ("4 bytes per token", False),
        ("the only one, a document of ten words", False),
        ("code that is no longer used", False),
        ("There is no index at the path", False),
        ("name 3 is no string but int", True),
        ("ten at the most", True),
    ],
)
def test_dialect_is_told_from_english(said, is_dialect):
    assert bool(found_in(said)) == is_dialect
