"""Inputs that fuzzers kept: what once found something, and what reaches every corner that they know."""

import pytest

from fuzz import corpus
from fuzz.replay import replay


@pytest.mark.parametrize("target", corpus.PYTHON)
def test_no_kept_input_finds_anything(target):
    found = replay(target)
    # A corpus of which all is refused at the door, or nothing, has been overtaken by the code.
    assert min(found["accepted"], found["refused"]) >= 3, found


@pytest.mark.parametrize("target", corpus.CPP + corpus.PYTHON)
def test_an_archive_is_the_same_to_the_byte_whoever_writes_it(target):
    path = corpus.archive(target)
    assert path.read_bytes() == corpus.packed(dict(reversed(corpus.read(path).items())))
