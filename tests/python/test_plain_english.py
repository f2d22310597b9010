"""Comments, docstrings and messages are in plain English; documents are held to it by `test_documentation`."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from dialect import found_in

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "moverank"
SOURCES = sorted(PACKAGE.rglob("*.py"))
CPP_FOLDERS = ("cpp", "tests/cpp", "tests/fuzz", "tests/stress", "examples/cpp", "bench/cpp")
CPP_SOURCES = sorted(path for folder in CPP_FOLDERS for path in (ROOT / folder).rglob("*.[ch]pp"))

#: A comment to the end of its line, a string, or a character, which may be a quotation mark.
CPP_TEXT = re.compile(r"""//[/!]?<?(?P<comment>.*)|"(?P<string>(?:[^"\\\n]|\\.)*)"|'(?:[^'\\\n]|\\.)'""")


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


def texts_of_cpp(source):
    """Runs of comments with nothing but space between them, each as one text, and strings, of C++."""
    run, end = [], 0
    for match in CPP_TEXT.finditer(source):
        if match["string"] is not None:
            yield match["string"]
        if match["comment"] is None:
            continue
        if run and source[end : match.start()].strip():
            yield "\n".join(run)
            run = []
        run.append(match["comment"].strip())
        end = match.end()
    yield "\n".join(run)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_sources_are_in_plain_english(path):
    found = [found for text in texts_of(path.read_text(encoding="utf-8")) if (found := found_in(text))]
    assert not found, f"{path.name}: say it as {found}"


@pytest.mark.parametrize("path", CPP_SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_sources_in_cpp_are_in_plain_english(path):
    found = [found for text in texts_of_cpp(path.read_text(encoding="utf-8")) if (found := found_in(text))]
    assert not found, f"{path.name}: say it as {found}"


def test_names_say_per():
    # Claims of tests are sentences, in which an article is one: names of constants are shorter.
    pattern = re.compile(r"\b(?:n_)?[a-z]+s(?:_of)?_an?_[a-z]+\b", flags=re.IGNORECASE)
    sources = [*SOURCES, *CPP_SOURCES]
    names = {match[0] for path in sources for match in pattern.finditer(path.read_text(encoding="utf-8"))}
    assert not names


def test_texts_of_cpp_are_found():
    source = """
/// Costs, one
/// a word.
int n;  ///< one per word
auto q = '"';  // is not a text
throw Error("expected one " "scale");
"""
    texts = list(texts_of_cpp(source))
    assert texts[0] == "Costs, one\na word."
    assert set(texts[1:]) == {"one per word", "is not a text", "expected one ", "scale"}
    assert found_in(texts[0])


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
        ("a mass a token", True),
        ("how much mass a token takes", False),
        ("solved in rising order of the bound", True),
        ("whoever searches meanwhile", True),
        ("loaded when it is first asked for", True),
        ("the cores that were asked for", True),
        ("compacting gives back space", True),
        ("stop after so many seconds", True),
        ("documents that are gone", True),
        ("what a file is, is seen from its content", True),
        ("so many moves are forbidden that no plan is left", False),
        ("a rising number of users", False),
        ("the search was asked for more than it has", False),
    ],
)
def test_dialect_is_told_from_english(said, is_dialect):
    assert bool(found_in(said)) == is_dialect
