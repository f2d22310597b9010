"""Imports of the package point down: a room knows only those that stand before it in this list."""

import ast
from pathlib import Path

import pytest

import moverank

ROOT = Path(moverank.__file__).parent

#: From the ground up. A name without a dot is a folder or file of the package; those with one are rooms of the index.
LAYERS = [
    "errors",
    "_core",
    "_support",
    "vectors",
    "solvers",
    "measures",
    "alignment",
    "torch",
    "encoders",
    "spaces",
    "presets",
    "scoring",
    "index.parts",
    "index.search",
    "index.snapshot",
    "index.found",
    "index.answer",
    "index.changes",
    "index.tiles",
    "index.batch",
    "index.disk",
    "index.recall",
    "index.index",
    "index.rerank",
    "index",  # its door
    "readers",
    "ranking",
    "text_index",
    "learning",
    "sharding",
    "data",
    "__init__",
    "integrations",
    "serve",
    "ray",
    "cli",
    "__main__",
]

MODULES = sorted(path for path in ROOT.rglob("*.py"))


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _layer(module):
    """Index of the longest entry of the list that the module is, or lies in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in LAYERS:
            return LAYERS.index(".".join(parts[:length]))
    raise AssertionError(f"{module} stands in no layer; say in which")


def _imports(path):
    """Modules of the package that a file imports anywhere: at the top, in a function, for types alone."""
    names = {_name(other) for other in MODULES} | {"_core"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in found:
            if name.split(".")[0] != "moverank":
                continue
            module = name.removeprefix("moverank").removeprefix(".")
            while module and module not in names:
                module = module.rpartition(".")[0]
            yield node.lineno, module or "__init__"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_point_down(path):
    own = _layer(_name(path))
    upward = [f"line {line}: {module}" for line, module in _imports(path) if _layer(module) > own]
    assert not upward, f"{_name(path)} imports what stands above it"


def test_every_layer_is_there():
    names = {_name(path) for path in MODULES} | {"_core"}
    assert [layer for layer in LAYERS if layer not in names] == []


def test_an_upward_import_is_found(tmp_path):
    file = tmp_path / "encoders.py"
    file.write_text(
        "def late():\n    from moverank.ranking.reranker import Reranker\n    from moverank import errors\n"
    )
    assert list(_imports(file)) == [(2, "ranking.reranker"), (3, "errors")]
    assert _layer("ranking.reranker") > _layer("encoders") > _layer("errors")
