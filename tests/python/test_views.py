"""Pictures of alignments: they show the whole plan, whatever the tokens are called."""

import csv
import io
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


def test_tables_for_other_programs_hold_every_move(alignment, tmp_path):
    rows = list(csv.DictReader(io.StringIO(alignment.to_csv(), newline="")))
    assert [(int(r["source"]), int(r["target"]), float(r["mass"]), float(r["cost"])) for r in rows] == [
        (m.source, m.target, m.mass, m.cost) for m in alignment.pairs
    ]
    assert {r["target_token"] for r in rows} <= set(HOSTILE)
    assert sum(float(r["contribution"]) for r in rows) == pytest.approx(alignment.value, abs=1e-12)
    assert alignment.to_csv(tmp_path / "moves.csv") is None
    assert (tmp_path / "moves.csv").read_bytes().decode("utf-8") == alignment.to_csv()
    pandas = pytest.importorskip("pandas")
    frame = alignment.to_dataframe()
    read = pandas.read_csv(tmp_path / "moves.csv", keep_default_na=False)
    pandas.testing.assert_frame_equal(frame, read)
    assert list(frame.columns) == list(rows[0])


def test_pandas_is_named_where_it_is_missing(alignment, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'moverank\[pandas\]'"):
        alignment.to_dataframe()


def test_latex_is_given_nothing_to_obey():
    names = [r"a\b", "50%", "x_1^2", "{~$&#}", "line\nbreak"]
    alignment = mr.align(np.eye(5), np.eye(5), "wmd").named(names, names)
    lines = alignment.to_latex().splitlines()
    assert (lines[0], lines[-1]) == (r"\begin{tabular}{llrrr}", r"\end{tabular}")
    assert r"50\% & 50\% & 20.00 & 0.0000 & 0.00000 \\" in lines
    assert r"a\textbackslash{}b & a\textbackslash{}b & 20.00 & 0.0000 & 0.00000 \\" in lines
    assert sum(r"x\_1\textasciicircum{}2" in line for line in lines) == 1
    assert sum(r"\{\textasciitilde{}\$\&\#\}" in line for line in lines) == 1
    assert sum(r"line\textbackslash{}nbreak" in line for line in lines) == 1
    negative = mr.align(np.eye(2), np.eye(2), "maxsim").to_latex()
    assert "$-1.0000$ & $-0.50000$" in negative


@pytest.fixture(scope="module")
def long_one():
    rng = np.random.default_rng(5)
    return mr.align(rng.normal(size=(60, 4)), rng.normal(size=(400, 4)), "wmd")


def test_long_documents_are_folded(long_one):
    moves = len(long_one.pairs)
    lines = str(long_one).splitlines()
    assert len(lines) == 35
    assert f"{moves - 32} other moves" in lines[-2]
    mass = [float(line.split()[-2 if "other" in line else -3]) for line in lines[1:-1]]
    assert sum(mass) == pytest.approx(100, abs=0.5)
    assert len(long_one.table().splitlines()) == moves + 2
    latex = long_one.to_latex(max_rows=5)
    assert rf"\multicolumn{{2}}{{l}}{{{moves - 5} other moves}}" in latex
    assert len(latex.splitlines()) == 14
    page = long_one.to_html()
    assert page.index("<table>") < page.index('class="token')


def test_pages_of_long_documents_stay_readable(long_one):
    whole, page = Page(long_one.to_html(max_tokens=None)), Page(long_one.to_html(max_tokens=20))
    names = [*long_one.source_names, *long_one.target_names]
    assert whole.tokens == names
    shown = [token for token in page.tokens if not token.endswith(" tokens")]
    assert len(shown) >= 40
    assert len(page.tokens) <= 2 * (2 * 20 + 1)
    folded = sum(int(token.split()[0]) for token in page.tokens if token.endswith(" tokens"))
    assert len(shown) + folded == len(names)
    taken = long_one.plan.sum(axis=0)
    assert {f"[{j}]" for j in np.argsort(-taken, kind="stable")[:20].tolist()} <= set(shown)
    moves = [json.loads(some.scripts[0][1]) for some in (whole, page)]
    assert len(moves[1]) < len(moves[0])
    for own in moves:
        assert sum(move[2] for move in own) == pytest.approx(1, abs=1e-6)
        assert sum(move[2] * move[3] for move in own) == pytest.approx(long_one.value, abs=1e-4)
    assert "⋯ stands for so many" in page.shown
    assert "⋯" not in whole.shown
    with pytest.raises(ValueError, match="max_tokens must be at least 1, got 0"):
        long_one.to_html(max_tokens=0)


@pytest.mark.slow(reason="aligns long documents")
@pytest.mark.parametrize("measure", [mr.wrd, mr.wrd.replace(capacity=4), mr.wrd.replace(problem=mr.Sinkhorn(0.1))])
def test_a_page_does_not_grow_with_the_document(measure):
    rng = np.random.default_rng(6)
    one = mr.align(rng.normal(size=(20, 8)), rng.normal(size=(5000, 8)), measure)
    page = one.to_html()
    assert len(page) < 400_000
    assert len(one.to_html(max_tokens=None)) > 2 * len(page)
    if isinstance(measure.problem, mr.Sinkhorn):
        assert "are too small to be drawn" in Page(page).shown


@pytest.mark.slow(reason="draws long pictures")
@pytest.mark.parametrize("kind", ["flow", "heatmap"])
@pytest.mark.parametrize(("suffix", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89PNG")])
def test_pictures_of_long_documents_fit_a_page(long_one, tmp_path, kind, suffix, begins):
    pytest.importorskip("matplotlib")
    long_one.save(tmp_path / f"picture.{suffix}", kind=kind)
    assert (tmp_path / f"picture.{suffix}").read_bytes().startswith(begins)
    axes = getattr(long_one, kind)()
    width, height = axes.figure.get_size_inches()
    assert max(width, height) < 16
    if kind == "flow":
        assert [text.get_text() for text in axes.texts if "others" in text.get_text()] == ["28 others", "368 others"]
    else:
        lines = axes.get_title(loc="left").splitlines()
        assert lines[1:] == ["28 query tokens not shown", "368 document tokens not shown"]
    few = getattr(long_one, kind)(max_tokens=1)
    few.figure.canvas.draw()


def test_pictures_are_of_known_kinds(alignment, tmp_path):
    with pytest.raises(ValueError, match=r"path: expected a name that ends in .pdf, .svg, .png, got 'x.gif'"):
        alignment.save(tmp_path / "x.gif")
    with pytest.raises(ValueError, match="kind must be one of 'flow', 'heatmap'"):
        alignment.save(tmp_path / "x.svg", kind="chord")
    assert not list(tmp_path.iterdir())
