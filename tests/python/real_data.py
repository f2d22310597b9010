"""Real data beside the project; tests that need it skip where it is not."""

import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")


def path_of(name: str) -> Path:
    root = os.environ.get("MOVERANK_DATA")
    if not root:
        pytest.skip("MOVERANK_DATA is not set: no folder with real data")
    path = Path(root) / name
    if not path.exists():
        pytest.skip(f"{name} is not in the folder that MOVERANK_DATA names")
    return path


@cache
def word_vectors(name: str) -> tuple[dict[str, int], np.ndarray]:
    with np.load(path_of(f"wordvec/{name}.npz")) as table:
        words = bytes(table["words"]).decode().split("\n")
        return {w: i for i, w in enumerate(words)}, table["vectors"].astype(np.float32)


def rows_of(text: str, row_of: dict[str, int]) -> list[int]:
    rows = []
    for word in _WORD.findall(text.lower()):
        parts = [word] if word in row_of else re.split(r"['-]", word)
        rows += [row_of[part] for part in parts if part in row_of]
    return rows


@cache
def cranfield() -> dict[str, np.ndarray]:
    with np.load(path_of("tokens/cranfield-minilm-96d.npz")) as data:
        return {name: data[name] for name in data.files}


def tsv(name: str) -> list[list[str]]:
    lines = path_of(name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines[1:] if line]


def jsonl(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in path_of(name).read_text(encoding="utf-8").splitlines()]
