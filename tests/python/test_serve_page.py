"""The page of the service, in a browser: what it shows is what the service answered, and nothing else."""

import itertools
import json
import os
import re
import shutil
import urllib.request
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from serving import index_folder
from serving import served as running

QUERY = "Hypoglycemia increases the risk of dementia."
OTHER = "Participating in six months of physical activity improves cognitive functioning."
HOSTILE = '<img src=x onerror="window.pwned = 1"> & <script>window.pwned = 1</script>'
ID = ".payload > div:first-child > dd"
WIDTHS = {320: 720, 768: 1024, 1600: 1000}

#: Chromium's own lines about answers that a test asked for.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d|503)")


# ---- without a browser ---------------------------------------------------------------------------------------------


class Markup(HTMLParser):
    """Elements of the page, and its inline styles and scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.code, self.open = [], {"style": [], "script": []}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open = tag

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open in self.code:
            self.code[self.open].append(data)


@pytest.fixture(scope="module")
def markup():
    return Markup(files("moverank").joinpath("serve", "page.html").read_text(encoding="utf-8"))


def test_the_page_is_one_file_that_a_strict_policy_allows(markup):
    """One style and one script, whose hashes the service can send; nothing from elsewhere, no handlers in markup."""
    assert {tag: len(code) for tag, code in markup.code.items()} == {"style": 1, "script": 1}
    for tag, attributes in markup.elements:
        assert "src" not in attributes
        assert "style" not in attributes, f"<{tag}> has a style of its own"
        assert not [name for name in attributes if name.startswith("on")], f"<{tag}> has a handler"
        if tag == "link":
            assert attributes["href"].startswith("data:image/svg+xml,")
    assert not re.search(r"url\(|@import", markup.code["style"][0])


def test_the_page_never_reads_data_as_markup(markup):
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    assert not re.search(rf"{ways}|\beval\b|new Function", markup.code["script"][0])


def test_every_field_has_a_name_to_be_read_out(markup):
    labels = {attributes.get("for") for tag, attributes in markup.elements if tag == "label"}
    fields = {a["id"] for tag, a in markup.elements if tag in ("input", "select", "textarea")}
    assert fields <= labels


# ---- with one ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of a service with an index."""
    for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
    pytest.importorskip("tantivy", reason="tantivy is not installed")
    with running(index_folder(tmp_path_factory.mktemp("indexes"))) as service:
        yield service.url


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, and a Chromium")
    own = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as library:
        if own is None and not Path(library.chromium.executable_path).exists():
            pytest.skip("there is no Chromium: none in PATH, and none installed by playwright")
        started = library.chromium.launch(executable_path=own, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def context(browser):
    made = browser.new_context(viewport={"width": 1600, "height": 1000})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def page(context):
    """A page that logs no error."""
    made, errors = context.new_page(), []
    made.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: errors.append(str(error)))
    yield made
    assert [error for error in errors if not EXPECTED.match(error)] == []


def asked(served, path, body=None):
    """What the service itself answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(served.rstrip("/") + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.fixture
def index(served):
    """Name of an index with terms and texts."""
    indexes = asked(served, "/v1/indexes")["indexes"]
    return next(each["name"] for each in indexes if each["lexical"] and each["texts"])


@pytest.fixture
def answer(served, index):
    """The service's answer to a query, by options."""
    return lambda query=QUERY, **options: asked(
        served, f"/v1/indexes/{quote(index)}/search", {"query": query, "explain": True, **options}
    )


def link(served, index, query=QUERY, **settings):
    rest = "".join(f"&{name}={quote(str(value))}" for name, value in settings.items())
    return f"{served.rstrip('/')}/?index={quote(index)}&q={quote(query)}{rest}"


def settled(page):
    page.wait_for_selector("#main[aria-busy=false]")


def opened(page, *args, **settings):
    page.goto(link(*args, **settings))
    page.wait_for_selector(".hit")
    settled(page)
    return page


def ids(page, which=0, marked=""):
    """Ids of the hits shown, the best first."""
    return page.locator(".answer").nth(which).locator(f".hit{marked} {ID}").all_inner_texts()


def number(text):
    return float(text.replace("−", "-").replace("+", ""))


def changed(page, change):
    """Change answers to searches before they reach the page."""

    def handle(route):
        got = route.fetch()
        found = got.json()
        change(found)
        route.fulfill(response=got, json=found)

    page.route("**/search", handle)


def test_a_search_shows_the_hits_of_the_service(page, served, index, answer):
    page.goto(f"{served.rstrip('/')}/?index={quote(index)}")
    page.fill("#q", QUERY)
    page.press("#q", "Enter")
    page.wait_for_selector(".hit")
    expected = answer()
    assert ids(page) == [hit["id"] for hit in expected["hits"]]
    assert page.locator(".hit h3").first.inner_text() == expected["hits"][0]["payload"]["title"]
    assert expected["certificate"]["statement"] in page.locator(".proof").inner_text()
    assert f"{len(expected['hits'])} hits" in page.locator("#said").inner_text()
    page.click(".work summary")
    rungs = [row.split("\t")[:3] for row in page.locator(".work table").first.locator("tbody tr").all_inner_texts()]
    assert rungs == [[rung["name"], str(rung["seen"]), str(rung["dropped"])] for rung in expected["stats"]["rungs"]]
    stages = page.locator(".work table").last.locator("tbody th").all_inner_texts()
    assert stages == list(expected["seconds"])


@pytest.mark.parametrize("fusion", ["1", "0.5"])
def test_what_is_proved_is_said_of_the_hits_that_are_shown(page, served, index, fusion):
    opened(page, served, index, fusion=fusion, k=4)
    assert page.locator(".hit").count() == 4
    said = page.locator(".proof").inner_text()
    if fusion == "1":
        assert re.search(r"above the 4th distance|all 60 documents were solved|[0-4] of 4 hits are certain", said)
    else:
        assert re.search(r"\d+ of 60 documents were candidates", said)


def test_shading_leaves_the_text_as_it_is(page, served, index, answer):
    opened(page, served, index)
    hit = answer()["hits"][0]
    page.locator(".hit .all").first.click()
    assert page.locator(".hit .text").first.text_content() == hit["text"]
    taking = {move["target"] for move in hit["alignment"]["moves"]}
    marked = [word.lower() for word in page.locator(".hit").first.locator(".w").all_text_contents()]
    assert marked == [hit["alignment"]["target_tokens"][t] for t in sorted(taking)]


def test_a_token_shows_where_its_mass_goes(page, served, index, answer):
    opened(page, served, index)
    alignment = answer()["hits"][0]["alignment"]
    page.locator(".hit .all").first.click()
    source = alignment["source_tokens"].index("dementia")
    moves = [move for move in alignment["moves"] if move["source"] == source]
    page.locator(".chip", has_text="dementia").hover()
    page.wait_for_selector(".hit .w.on")
    marked = [word.lower() for word in page.locator(".hit").first.locator(".w.on").all_text_contents()]
    assert marked == [move["target_token"] for move in sorted(moves, key=lambda move: move["target"])]
    costs = sum(move["contribution"] for move in moves)
    assert f"costs {costs:.3f}" in page.locator(".hit .trace").first.inner_text()
    assert page.locator(".flow.busy .band.on").count() > 0
    page.mouse.move(1, 1)
    page.wait_for_selector(".flow:not(.busy)")
    assert page.locator(".w.on").count() == 0


def test_the_table_of_the_flow_sums_to_the_distance(page, served, index, answer):
    opened(page, served, index)
    hit = answer()["hits"][0]
    page.click(".astable summary")
    while page.locator(".astable button").count():
        page.locator(".astable button").click()
    rows = page.locator(".astable tbody tr")
    assert rows.count() == len(hit["alignment"]["moves"])
    shown = [number(row.split("\t")[4]) for row in rows.all_inner_texts()]
    assert sum(shown) == pytest.approx(hit["distance"], abs=6e-5 * len(shown))
    assert number(page.locator(".astable tfoot td").inner_text()) == pytest.approx(hit["distance"], abs=6e-5)


def test_two_settings_side_by_side_mark_what_moved(page, served, index, answer):
    opened(page, served, index, fusion=1, compare=1, measure2="wmd", fusion2=1)
    one = [hit["id"] for hit in answer(fusion=1)["hits"]]
    two = [hit["id"] for hit in answer(fusion=1, measure="wmd")["hits"]]
    assert (ids(page, 0), ids(page, 1)) == (one, two)
    assert set(one) & set(two)
    for place, hit in enumerate(two):
        mark = page.locator(".answer").nth(1).locator(".moved").nth(place)
        up = one.index(hit) - place if hit in one else None
        signs = "new" if up is None else "=" if up == 0 else f"▲{up}" if up > 0 else f"▼{-up}"
        assert mark.locator("[aria-hidden]").inner_text() == signs
        assert mark.locator(".vh").text_content()
    assert ids(page, 0, ":has(.moved.gone)") == [hit for hit in one if hit not in two]
    page.click("#compare")
    page.wait_for_selector(".answers:not(.two) .hit")
    assert ids(page) == one


def test_the_second_settings_begin_as_the_first(page, served, index):
    opened(page, served, index, capacity=2, candidates=50)
    page.click("#compare")
    assert page.input_value("#capacity2") == "2"
    assert page.input_value("#candidates2") == "50"
    assert page.evaluate("document.activeElement.id") == "measure2"


def test_why_one_hit_is_above_another(page, served, index, answer):
    opened(page, served, index)
    a, b = answer()["hits"][1:3]
    page.locator(".hit").nth(1).get_by_role("button", name="Why above 3?").click()
    table = page.locator("#panel table").last
    while page.locator("#panel button.plain").count():
        page.locator("#panel button.plain").click()
    rows = [row.replace("\n", "").split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    spent = [{}, {}]
    for own, hit in zip(spent, (a, b), strict=True):
        for move in hit["alignment"]["moves"]:
            own[move["source_token"]] = own.get(move["source_token"], 0.0) + move["contribution"]
    # Tokens that the query has once.
    names = a["alignment"]["source_tokens"]
    shown = {row[0]: [number(re.match(r"[-−+]?[\d.]+", cell)[0]) for cell in row[1:4]] for row in rows}
    for name in [name for name in names if names.count(name) == 1]:
        expected = [spent[0].get(name, 0.0), spent[1].get(name, 0.0)]
        assert shown[name] == pytest.approx([*expected, expected[0] - expected[1]], abs=1e-4)
    differences = [abs(numbers[2]) for numbers in shown.values()]
    assert all(x >= y - 1e-4 for x, y in itertools.pairwise(differences))
    sums = [number(cell) for cell in table.locator("tfoot td").all_inner_texts()]
    assert sums == pytest.approx([a["distance"], b["distance"], a["distance"] - b["distance"]], abs=1e-4)
    parts = page.locator("#panel table").first.locator("tr").all_inner_texts()
    assert number(parts[-1].split("\t")[-1]) == pytest.approx(a["score"] - b["score"], abs=1e-3)
    found = [number(row.split("\t")[-1]) for row in parts[1:3]]
    assert sum(found) == pytest.approx(a["score"] - b["score"], abs=2e-3)
    said = page.locator(".verdict").inner_text()
    assert said.startswith("A (hit 2) stands above B (hit 3)")
    assert "less" in said


def test_judgements_are_exported_as_trec_files(page, served, index, answer, tmp_path):
    opened(page, served, index)
    first = [hit["id"] for hit in answer()["hits"]]
    page.locator(".hit").nth(0).focus()
    page.keyboard.press("3")
    page.keyboard.press("j")
    page.keyboard.press("0")
    page.locator(".hit").nth(2).locator(".judge button").nth(1).click()
    page.locator(".hit").nth(3).locator(".judge button").nth(2).click()
    page.locator(".hit").nth(3).locator(".judge button").nth(2).click()  # and takes it back
    assert page.locator("#judged").inner_text() == "3 judged"
    page.fill("#q", OTHER)
    page.press("#q", "Enter")
    settled(page)
    second = ids(page)
    page.locator(".hit").nth(0).locator(".judge button").nth(2).click()
    page.click("#judged")
    with page.expect_download() as download:
        page.click("#export-qrels")
    download.value.save_as(tmp_path / "qrels")
    lines = (tmp_path / "qrels").read_text(encoding="utf-8").splitlines()
    assert sorted(lines) == sorted(
        [f"q1 0 {first[0]} 3", f"q1 0 {first[1]} 0", f"q1 0 {first[2]} 1", f"q2 0 {second[0]} 2"]
    )
    with page.expect_download() as download:
        page.click("#export-queries")
    download.value.save_as(tmp_path / "queries.tsv")
    assert (tmp_path / "queries.tsv").read_text(encoding="utf-8") == f"q1\t{QUERY}\nq2\t{OTHER}\n"
    page.reload()
    page.wait_for_selector(".hit")
    assert page.locator("#judged").inner_text() == "4 judged"
    assert page.locator(".hit").nth(0).locator(".judge [aria-pressed=true]").inner_text() == "2"


def test_ids_with_white_space_are_exported_between_tabs(page, served, index, tmp_path):
    changed(page, lambda found: found["hits"][0].update(id="an id of words"))
    opened(page, served, index)
    page.locator(".hit").nth(0).focus()
    page.keyboard.press("2")
    page.click("#judged")
    with page.expect_download() as download:
        page.click("#export-qrels")
    download.value.save_as(tmp_path / "qrels")
    assert (tmp_path / "qrels").read_text(encoding="utf-8") == "q1\t0\tan id of words\t2\n"


def test_a_link_leads_to_the_same_search(page, context, served, index):
    opened(page, served, index)
    page.fill("#k", "4")
    page.select_option("#measure", "wmd")
    page.fill("#candidates", "")
    page.fill("#fusion", "1")
    page.fill("#q", OTHER)
    page.click("#go")
    page.wait_for_selector("li:nth-child(4):last-child > .hit")
    page.locator(".hit").nth(1).get_by_role("button", name="Why above 3?").click()
    asked_for = {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}
    assert asked_for.items() >= {
        "index": index, "q": OTHER, "k": "4", "measure": "wmd", "candidates": "all", "fusion": "1", "hit": ids(page)[1],
    }.items()  # fmt: skip
    other = context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".verdict")
    assert ids(other) == ids(page)
    assert other.locator(".verdict").inner_text() == page.locator(".verdict").inner_text()
    assert [other.input_value(f"#{name}") for name in ("k", "measure", "candidates", "fusion")] == ["4", "wmd", "", "1"]
    page.go_back()
    page.wait_for_selector("li:nth-child(10) > .hit")
    assert page.input_value("#q") == QUERY
    assert page.input_value("#measure") == ""


def test_without_an_index_pasted_documents_are_ranked(page, served):
    page.route("**/v1/indexes", lambda route: route.fulfill(json={"indexes": []}))
    page.goto(served)
    page.wait_for_selector("#welcome h1")
    assert not page.is_visible("#index")
    assert not page.is_visible("#candidates")
    documents = ["Shares fell again.", "An unknown artist painted her portrait.", "Rain in the north."]
    page.fill("#documents", "\n\n".join(documents))
    page.fill("#q", "Who painted the picture?")
    page.click("#go")
    page.wait_for_selector(".hit")
    body = {"query": "Who painted the picture?", "documents": documents, "explain": True}
    expected = asked(served, "/v1/rerank", body)["moverank"]["results"]
    assert ids(page) == [str(each["index"]) for each in expected]
    assert page.locator(".hit .text").first.inner_text() == documents[1]
    assert f"distance {expected[0]['distance']:.4f}" in page.locator(".scores").first.inner_text()
    assert "Shares" not in urlsplit(page.url).query
    page.reload()
    page.wait_for_selector(".hit")
    assert page.input_value("#documents") == "\n\n".join(documents)


def test_the_setting_that_an_error_is_about_is_marked(page, served, index):
    page.goto(link(served, index, where="no such condition ("))
    page.wait_for_selector("#where[aria-invalid=true]")
    assert page.locator("#wrong-where").inner_text()
    assert page.get_attribute("#where", "aria-describedby") == "wrong-where"
    assert page.evaluate("document.activeElement.id") == "where"
    page.fill("#where", "")
    page.click("#go")
    page.wait_for_selector(".hit")
    assert page.locator("[aria-invalid]").count() == 0


def test_an_error_of_the_second_settings_is_marked_there(page, served, index):
    page.goto(link(served, index, compare=1, where2="no such condition ("))
    page.wait_for_selector("#where2[aria-invalid=true]")
    settled(page)
    assert page.locator(".hit").count() > 0
    assert page.locator("#where[aria-invalid]").count() == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_is_busy_is_asked_again(page, served, index, status):
    answers = iter([True])

    def handle(route):
        if next(answers, False):
            error = {"message": "not now", "type": "busy", "param": None, "code": None}
            return route.fulfill(status=status, headers={"Retry-After": "7"}, json={"error": error})
        return route.continue_()

    page.route("**/search", handle)
    page.goto(link(served, index))
    said = page.wait_for_selector(".notice.error").inner_text()
    assert "not now" in said
    assert "7 seconds" in said
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".hit")
    assert page.locator(".notice").count() == 0


def test_a_token_is_asked_for_and_stays_out_of_the_link(page, served, index):
    def handle(route):
        if route.request.headers.get("authorization") != "Bearer open sesame":
            error = {"message": "unauthorized", "type": "authentication_error", "param": None, "code": None}
            return route.fulfill(status=401, json={"error": error})
        return route.continue_()

    page.route("**/v1/**", handle)
    page.goto(link(served, index))
    page.get_by_label("Token", exact=True).fill("open sesame")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    assert "sesame" not in page.url
    assert page.evaluate("Object.values(localStorage).join()").find("sesame") < 0
    page.reload()
    page.wait_for_selector(".hit")


def test_what_is_not_found_is_said(page, served, index):
    page.goto(link(served, index, min_similarity=0.999))
    page.wait_for_selector(".answer")
    assert "Nothing relevant" in page.locator(".answer").inner_text()
    page.goto(link(served, index, query="zzxxqq"))
    page.wait_for_selector(".notice")
    assert "No word of the query has a vector" in page.locator(".notice").inner_text()
    page.fill("#q", "  ")
    page.click("#go")
    page.wait_for_selector("#q[aria-invalid=true]")


def test_a_deadline_that_passed_is_said(page, served, index):
    changed(page, lambda found: (found["stats"].update(timed_out=True), found.update(left_out=3)))
    opened(page, served, index)
    said = page.locator("#notices").inner_text()
    assert "deadline passed" in said
    assert "3 hits fewer" in said


def test_the_search_before_is_abandoned(page, served, index):
    waiting = []
    page.route("**/search", lambda route: waiting.append(route) if not waiting else route.continue_())
    page.goto(link(served, index))
    page.wait_for_selector("#main[aria-busy=true]")
    with page.expect_event("requestfailed"):
        page.fill("#q", OTHER)
        page.click("#go")
    page.wait_for_selector(".hit")
    assert page.title().startswith(OTHER[:20])


def test_hostile_texts_are_shown_and_not_run(page, served, index):
    def change(found):
        found["hits"][0].update(text=HOSTILE, payload={"title": HOSTILE, HOSTILE: HOSTILE}, alignment=None)
        found["hits"][1]["alignment"]["source_tokens"][0] = HOSTILE
        found["certificate"]["statement"] = HOSTILE

    changed(page, change)
    opened(page, served, index)
    assert page.locator(".hit h3").first.inner_text() == HOSTILE
    assert page.locator(".hit .text").first.inner_text() == HOSTILE
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.pwned") is None


def test_all_can_be_done_from_the_keyboard(page, served, index):
    page.goto(f"{served.rstrip('/')}/?index={quote(index)}")
    page.wait_for_selector("#welcome h1")
    page.keyboard.press("/")
    page.keyboard.type(QUERY)
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className.includes('chip')"):
            break
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    held = page.locator(".chip[aria-pressed=true]")
    assert held.inner_text() == page.locator(".chip").nth(1).inner_text()
    assert page.locator("#traced").inner_text().startswith("In hit 1: ")
    page.keyboard.press("Escape")
    assert page.locator(".chip[aria-pressed=true]").count() == 0
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator(".hit[aria-current=true] .rank").inner_text().strip() == "2"
    page.keyboard.press("w")
    assert page.locator(".verdict").inner_text().startswith("A (hit 2) stands above B (hit 3)")
    page.keyboard.press("f")
    assert page.locator(".flow .band").count() > 0
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_and_can_be_read(browser, served, index, width, scheme):
    """No part is wider than the screen, and texts have the contrast that WCAG 2 asks for (AA)."""
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = opened(context.new_page(), served, index)
    folder = os.environ.get("MOVERANK_ARTEFACTS")
    for view in ("results", "why", "compare"):
        if view == "results":
            page.locator(".hit").first.get_by_role("button", name="Flow").click()
        elif view == "why":
            page.locator(".hit").first.get_by_role("button", name="Why above 2?").click()
        elif view == "compare":
            opened(page, served, index, compare=1, fusion=1, fusion2=0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"page-{view}-{width}-{scheme}.png")
        told = page.locator("#inspector, .answer > header, .trace, .scores, #notices, #strip").all_inner_texts()
        assert not re.search(r"\b(null|undefined|NaN)\b|\[object", "\n".join(told)), view
        faint = page.evaluate(FAINT)
        assert faint == [], view
    context.close()


#: Texts whose contrast with the nearest background behind them is below 4.5, as WCAG 2 computes it.
FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const pixel = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((total, x, i) => total + x * [0.2126, 0.7152, 0.0722][i], 0);
  const faint = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, svg, .vh, .skip, :disabled")) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
    const ground = pixel(behind), ink = pixel([...behind, getComputedStyle(element).color]);
    const [high, low] = [light(ground), light(ink)].sort((x, y) => y - x);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faint.add(`${element.tagName} ${element.className}: ${contrast.toFixed(2)}`);
  }
  return [...faint];
}"""


@pytest.mark.parametrize(
    ("text", "tokens", "found"),
    [
        ("The cat, the CAT!", ["the", "cat", "the", "cat"], ["The", "cat", "the", "CAT"]),
        ("A b c", ["a", "missing", "c"], ["A", None, "c"]),
        ("Übermäßig café", ["ubermaßig", "cafe"], ["Übermäßig", "café"]),
        ("Embeddings embed", ["[CLS]", "em", "##bed", "##dings", "em", "##bed", "[SEP]"],
         [None, "Em", "bed", "dings", "em", "bed", None]),
        ("Hello worlds", ["Hello", "Ġworld", "s"], ["Hello", "world", "s"]),
        ("這是貓", ["這", "是", "貓"], ["這", "是", "貓"]),
        ("a cat in a catalogue", ["cat", "catalogue"], ["cat", "catalogue"]),
        ("𝒳 is ﬁne", ["x", "is", "fine"], ["𝒳", "is", "ﬁne"]),
        ("x" + " y" * 400 + " z", ["z", "y"], [None, "y"]),
        ("nothing", [], []),
    ],
)  # fmt: skip
def test_tokens_are_found_in_the_text(page, served, text, tokens, found):
    page.goto(served)
    script = "([text, tokens]) => placesOf(text, tokens).map((place) => place && text.slice(...place))"
    assert page.evaluate(script, [text, tokens]) == found
