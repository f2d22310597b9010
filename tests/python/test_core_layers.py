"""Includes of the C++ core point down: a folder knows only those that stand before it in this list."""

import re
from pathlib import Path

import pytest

CPP = Path(__file__).resolve().parents[2] / "cpp"

#: From the ground up, as docs/architecture.md draws it.
LAYERS = ["base", "threads", "kernels", "ground", "transport", "search", "bindings"]

#: Layers of public headers that have no source of their own name. (`aligned.hpp` and its like know nothing of ours.)
HEADER_ONLY = {
    "aligned": "base",
    "cost_limit": "base",
    "ground_traits": "base",
    "interrupt": "base",
    "measure": "base",
    "traits": "base",
    "views": "base",
    "weighting_traits": "base",
    "cost_table": "ground",
    "prepared": "ground",
    "simd": "kernels",
    # What both kernels and ground have a source for is the latter's in public.
    "bags": "ground",
    "pack": "ground",
    "codes": "ground",
}

SOURCES = sorted(CPP.rglob("*.[ch]pp"))


def _layer(path):
    folder = path.relative_to(CPP).parts[:-1]
    if folder[0] == "bindings":
        return "bindings"
    if folder[0] == "src":
        return folder[1] if len(folder) > 1 else "base"
    if path.stem in HEADER_ONLY:
        return HEADER_ONLY[path.stem]
    (source,) = (CPP / "src").rglob(f"{path.stem}.cpp")  # the header of which it is the source
    return _layer(source)


def _included(path, name):
    return CPP / "include" / name if name.startswith("moverank/") else (path.parent / name).resolve()


def _upward(path, text):
    own = LAYERS.index(_layer(path))
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'#include "(.+)"', line)
        if found and LAYERS.index(_layer(_included(path, found[1]))) > own:
            yield f"line {number}: {found[1]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CPP).as_posix())
def test_includes_point_down(path):
    assert not list(_upward(path, path.read_text(encoding="utf-8"))), f"{path.name} includes what stands above it"


def test_an_upward_include_is_found():
    names = ["moverank/pair.hpp", "moverank/views.hpp", "../search/pair.cpp"]
    upward = "#include <span>\n" + "\n".join(f'#include "{name}"' for name in names)
    assert list(_upward(CPP / "src" / "ground" / "joined.cpp", upward)) == [
        "line 2: moverank/pair.hpp",
        "line 4: ../search/pair.cpp",
    ]


def test_every_layer_has_files():
    assert {_layer(path) for path in SOURCES} == set(LAYERS)
