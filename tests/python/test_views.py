"""Pictures of alignments: they show the whole plan, whatever the tokens are called."""

import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import moverank as mr

HOSTILE = ['</script><script>alert("x")</script>', "<!--", "$a$", '"quoted"', "& co", "é"]


@pytest.fixture(scope="module")
def alignment():
    rng = np.random.default_rng(3)
    found = mr.align(rng.normal(size=(3, 4)), rng.normal(size=(6, 4)), mr.wrd.replace(capacity=2))
    return found.named(["one", "two", "<three>"], HOSTILE)


class Page(HTMLParser):
    """What a browser would make of a page: its tokens, its data and its scripts."""

    def __init__(self, text):
        super().__init__()
        self.tokens, self.scripts, self.open, self.shown = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "span" and "data-token" in attributes:
            self.tokens.append(attributes["data-token"])
        if tag == "script":
            self.scripts.append((attributes.get("type"), ""))
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], data)
        else:
            self.shown += data


def test_a_page_holds_every_token_and_every_move(alignment):
    page = Page(alignment.to_html(title="<why>"))
    assert page.tokens == ["one", "two", "<three>", *HOSTILE]
    (kind, data), (other, code) = page.scripts
    assert kind == "application/json"
    assert other is None
    assert "pointerenter" in code
    moves = json.loads(data)
    assert sum(mass * cost for _, _, mass, cost, _ in moves) == pytest.approx(alignment.value, abs=1e-5)
    assert sum(move[2] for move in moves) == pytest.approx(1)
    assert "<why>" in page.shown
    assert f"distance {alignment.value:.4f}" in page.shown


def test_a_notebook_gets_a_piece_of_a_page(alignment):
    piece = alignment._repr_html_()
    assert piece.startswith('<div class="moverank">')
    assert "<html" not in piece
    assert piece == alignment.to_html(page=False)


def test_a_page_needs_nothing_from_elsewhere(alignment):
    page = alignment.to_html()
    assert "src=" not in page
    assert "href=" not in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg")


def test_what_is_not_needed_of_a_document_is_told(alignment):
    assert alignment.unmatched.sum() > 0
    assert f"{100 * alignment.unmatched.sum():.0f} % of the document" in alignment.to_html()
    x = np.eye(3)
    balanced = mr.align(x, x[:2] + 0.1)
    np.testing.assert_allclose(balanced.unmatched, 0, atol=1e-12)
    assert "not needed" not in balanced.to_html()


@pytest.mark.parametrize("measure", [mr.wmd, mr.maxsim, mr.rwmd])
def test_every_measure_can_be_shown(measure):
    rng = np.random.default_rng(0)
    alignment = mr.align(rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), measure)
    assert Page(alignment.to_html()).tokens == ["[0]", "[1]", "[0]", "[1]", "[2]", "[3]"]
    same = mr.align(np.ones((1, 2)), np.ones((1, 2)))
    assert "0.0000" in same.to_html()


def test_a_heat_map_has_a_square_for_each_move(alignment):
    pytest.importorskip("matplotlib")
    axes = alignment.heatmap()
    axes.figure.canvas.draw()
    (squares,) = axes.collections
    assert len(squares.get_paths()) == np.count_nonzero(alignment.plan)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two", "<three>"]
    taken = np.flatnonzero(alignment.plan.sum(axis=0))
    assert len(axes.get_xticklabels()) == len(taken)
    fewer = alignment.heatmap(max_tokens=2)
    assert len(fewer.get_xticklabels()) == 2
    assert f"{len(taken) - 2} document tokens not shown" in fewer.get_title(loc="left")


def test_a_flow_diagram_has_a_band_for_each_move(alignment, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.patches import PathPatch

    axes = alignment.flow()
    axes.figure.savefig(tmp_path / "flow.svg")
    bands = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    assert len(bands) == np.count_nonzero(alignment.plan)
    fewer = alignment.flow(max_tokens=1)
    assert "others" in fewer.texts[-1].get_text()


def test_pictures_go_where_they_are_told(alignment):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    assert alignment.heatmap(ax=axes) is axes
    with pytest.raises(ValueError, match="max_tokens must be at least 1"):
        alignment.flow(max_tokens=0)


def test_matplotlib_is_named_where_it_is_missing(alignment, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'moverank\[plot\]'"):
        alignment.heatmap()
