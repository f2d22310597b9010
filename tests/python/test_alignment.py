"""Alignments: moves that add up, and a table that reads."""

import numpy as np
import pytest

import moverank as mr


def test_moves_add_up_for_every_measure():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    for measure in (mr.wmd, mr.wrd, mr.wrd.replace(capacity=2), mr.maxsim, mr.rwmd):
        for left, right in ((x, y), (y, x)):
            alignment = mr.align(left, right, measure)
            assert alignment.value == pytest.approx(measure(left, right), abs=1e-12)
            assert sum(move.contribution for move in alignment.pairs) == pytest.approx(alignment.value, abs=1e-9)


def test_a_relaxed_alignment_sends_each_token_of_one_side_to_its_nearest():
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [5.0]])
    alignment = mr.align(x, y, "rwmd")
    assert [(m.source, m.target, m.mass) for m in alignment.pairs] == [(0, 0, 0.5), (1, 1, 0.5)]
    assert alignment.value == 2.0  # the document side: 5 is 4 away from its nearest


def test_the_table_names_tokens_and_adds_repeats_up():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    table = mr.align(x, x, "wmd").named(["go", "go", "now"], ["go", "go", "now"]).table()
    lines = table.splitlines()
    assert lines[1].split() == ["go", "->", "go", "66.67", "0.0000", "0.00000"]
    assert lines[2].split() == ["now", "->", "now", "33.33", "0.0000", "0.00000"]
    assert lines[3].split() == ["distance", "100.00", "0.00000"]


def test_the_table_can_be_cut_and_still_sums():
    rng = np.random.default_rng(1)
    alignment = mr.align(rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), "wmd")
    lines = alignment.table(max_rows=2).splitlines()
    assert len(lines) == 5
    assert "other moves" in lines[3]
    assert str(alignment).splitlines()[-1] == alignment.table().splitlines()[-1]
    assert repr(alignment).endswith("5x5)")


def test_wrong_numbers_of_names_are_refused():
    alignment = mr.align(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match="source_tokens: expected 2 names, one per token, got 1"):
        alignment.named(["a"], ["b", "c"])
