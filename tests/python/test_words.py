"""Where words end, in any script; how tables are searched for them; and segmenters for scripts without spaces."""

import json
import logging
import pickle
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moverank.encoders import SEGMENTERS, STOP_WORDS, Words, WordVectors
from moverank.encoders.tokenize import _ASCII_WORD, _any_word, forms, pieces
from moverank.errors import NoTokensError
from moverank.ranking import Reranker

SENTENCES = {"jieba": "我爱北京天安门", "fugashi": "東京タワーに行く", "pythainlp": "ฉันรักแมวดำ"}
LIBRARIES = {"jieba": "jieba", "fugashi": "fugashi", "pythainlp": "pythainlp.tokenize"}
EXTRAS = {"jieba": "chinese", "fugashi": "japanese", "pythainlp": "thai"}


def needs(name):
    pytest.importorskip(LIBRARIES[name], reason=f"{name} is not installed: pip install moverank[{EXTRAS[name]}]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी पानी, किताब।", ["हिन्दी", "पानी", "किताब"]),
        ("ขอบคุณ ครับ", ["ขอบคุณ", "ครับ"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("سَلام عليكم؟", ["سَلام", "عليكم"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("ക്\u200dഷ", ["ക്\u200dഷ"]),
        (unicodedata.normalize("NFD", "Café naïve Việt"), ["café", "naïve", "việt"]),
        ("x\u0303y", ["x\u0303y"]),
        ("l’été, aujourd'hui 'quoted'", ["l'été", "aujourd'hui", "quoted"]),
        ("пам’ять", ["пам'ять"]),
        ("paral·lel", ["paral·lel"]),
        ('צה"ל, צה״ל "א"', ['צה"ל', 'צה"ל', "א"]),
        ("1,000.50 3.14 1, 2. ١٬٠٠٠", ["1,000.50", "3.14", "1", "2", "١٬٠٠٠"]),
        ("U.S.A. e.g. end. Next", ["u.s.a", "e.g", "end", "next"]),
        ("state\u2011of\u2011the\u2010art re-run -x- a--b", ["state-of-the-art", "re-run", "x", "a", "b"]),
        ("snake_case __init__ a__b", ["snake_case", "init", "a__b"]),
        ("con\u00adtent a\u200eb\ufeff", ["content", "ab"]),
        ("zero\u200bwidth", ["zero", "width"]),
        ("👩\u200d👩\u200d👧👍🏽 🇩🇪🇫🇷 ❤️ 1️⃣", ["👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "🇫🇷", "❤️", "1️⃣"]),
        ("İstanbul", ["i\u0307stanbul"]),
        ("\u0301 — … !", []),
        ("", []),
    ],
)  # fmt: skip
def test_words_of_any_script(text, words):
    assert Words()(text) == words
    assert Words()(unicodedata.normalize("NFD", text)) == words


@given(st.text(st.characters(max_codepoint=126)))
def test_ascii_is_cut_by_both_patterns_alike(text):
    assert _ASCII_WORD.findall(text) == _any_word().findall(text)


@given(st.text())
def test_words_are_found_again_in_words(text):
    words = Words(lower_case=False)(text)
    assert [again for word in words for again in Words(lower_case=False)(word)] == words
    for word in words:
        assert word not in list(forms(word))
        assert all(0 < len(part) < len(word) for part in pieces(word))


@pytest.mark.parametrize(
    ("of_table", "in_text"),
    [
        ("क\u093c", "\u0958"),  # NFC takes this letter apart, so that no normal form has it whole
        ("\u0958", "क\u093c"),
        (unicodedata.normalize("NFD", "café"), "café"),
        ("café", unicodedata.normalize("NFD", "CAFÉ")),
        ("سلام", "سَلام"),
        ("سلام", "سـلام"),
        ("שלום", "שָׁלוֹם"),
        ("میخواهم", "می\u200cخواهم"),
        ("istanbul", "İstanbul"),
        ("file", "ﬁle"),
        ("abc", "ＡＢＣ"),
        ("пам’ять", "пам'ять"),
        ("памʼять", "пам'ять"),
        ("don’t", "don't"),
        ("u.s.", "the U.S. and"),
        ("❤", "❤️"),
    ],
)
def test_tables_are_searched_for_other_ways_to_write_a_word(of_table, in_text):
    encoder = WordVectors([of_table], [[1.0]])
    assert encoder.encode([in_text]).tokens == [[of_table]]
    assert encoder.bags([in_text]).words.tolist() == [0]


def test_marks_that_make_another_word_are_not_dropped():
    for of_table, in_text in [("schon", "schön"), ("ano", "año"), ("कताब", "किताब"), ("มา", "ม้า")]:
        with pytest.raises(NoTokensError):
            WordVectors([of_table], [[1.0]]).encode([in_text])


def test_what_the_table_lacks_is_looked_for_in_parts():
    encoder = WordVectors(["new_york", "state", "1", "000", "b's", "東京", "タワー", "می", "خواهم"], np.eye(9))
    assert encoder.encode(["New_York state_x", "1,000", "a.b's", "東京タワー", "می\u200cخواهم"]).tokens == [
        ["new_york", "state"],
        ["1", "000"],
        ["b's"],
        ["東京", "タワー"],
        ["می", "خواهم"],
    ]


def test_nearness_in_a_script_with_vowel_signs():
    encoder = WordVectors(["घर", "पानी", "किताब", "दूध"], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.1, 0.9, 0]])
    ranking = Reranker(encoder, "wmd").rank("घर पानी", ["घर किताब", "घर दूध"])
    assert ranking.doc_ids == [1, 0]
    np.testing.assert_allclose([d.distance for d in ranking], [np.hypot(0.1, 0.1) / 2, np.sqrt(2) / 2], atol=1e-6)


@pytest.mark.parametrize(
    ("words", "text", "advice"),
    [
        (["北京"], "我爱北京", r"split at spaces into '我爱北京': for Chinese use tokenize=Words\(segmenter='jieba'\)"),
        (["猫"], "ねこがいる", r"for Japanese use tokenize=Words\(segmenter='fugashi'\)"),
        (["แมว"], "ฉันรักแมว", r"for Thai use tokenize=Words\(segmenter='pythainlp'\)"),
        (["London"], "london town", r"the table has 'London': tokenize=Words\(lower_case=False\)"),
        (["cat"], "zzz yy xx ww", r"split into 'zzz', 'yy', 'xx', …: pass tokenize= if the table needs"),
        (["cat"], "?!", "it has no letter or digit"),
    ],
)
def test_a_text_of_unknown_words_says_how_to_choose_a_tokeniser(words, text, advice):
    encoder = WordVectors(words, np.eye(len(words)))
    for call in (
        lambda: encoder.encode([text]),
        lambda: encoder.bags([text]),
        lambda: encoder.encode([text], skip_empty=True),
    ):
        with pytest.raises(NoTokensError, match=advice):
            call()


def test_a_tokeniser_that_gives_a_string_is_refused():
    with pytest.raises(TypeError, match="tokenize: expected it to return a list of words, got one string"):
        WordVectors(["a"], [[1.0]], tokenize=str.lower).encode(["a"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jieba", ["我", "爱", "北京", "天安门"]),
        ("fugashi", ["東京", "タワー", "に", "行く"]),
        ("pythainlp", ["ฉัน", "รัก", "แมว", "ดำ"]),
    ],
)
def test_segmenters_find_words_without_spaces(name, words, capfd):
    needs(name)
    cut = Words(segmenter=name)
    assert cut(f"{SENTENCES[name]}. The re-run, {SENTENCES[name]}2020x!") == [*words, "the", "re-run", *words, "2020x"]
    assert pickle.loads(pickle.dumps(cut)) == cut
    assert cut.options()["segmenter"] == name
    assert json.loads(json.dumps(cut.options())) == cut.options()
    encoder = WordVectors(words[-2:], np.eye(2), tokenize=cut)
    assert encoder.encode([SENTENCES[name]]).tokens == [words[-2:]]
    assert encoder.encode([SENTENCES[name]]).dropped == [2]
    assert repr(encoder) == f"WordVectors(2 words, dim=2, tokenize=Words(segmenter={name!r}))"
    assert capfd.readouterr().err == ""
    assert logging.getLogger().level == logging.WARNING


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_segmenter_that_is_not_installed_is_named_with_its_extra(name, monkeypatch):
    from moverank.encoders import segmenters

    segmenters._loaded.cache_clear()
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    with pytest.raises(ImportError, match=rf"is not installed: pip install 'moverank\[{EXTRAS[name]}\]'"):
        Words(segmenter=name)


def test_options_say_all_that_decides_how_texts_are_cut():
    assert Words().options() == {"version": 2, "lower_case": True, "stop_words": []}
    assert Words(False, ["b", "a"]).options() == {"version": 2, "lower_case": False, "stop_words": ["a", "b"]}
    assert repr(Words(False, STOP_WORDS)) == f"Words(lower_case=False, stop_words={len(STOP_WORDS)} words)"
    with pytest.raises(ValueError, match="segmenter must be one of 'jieba', 'fugashi', 'pythainlp', got 'spacy'"):
        Words(segmenter="spacy")
    with pytest.raises(TypeError, match="lower_case must be True or False, got 'yes'"):
        Words("yes")


def test_stop_words_are_taken_from_any_collection():
    pd = pytest.importorskip("pandas")
    for given_words in (["the", "a"], {"the", "a"}, pd.Series(["the", "a"], index=[7, 8]), iter(["the", "a"])):
        assert Words(stop_words=given_words)("The cat, a dog") == ["cat", "dog"]
