"""Windows of texts, with spaces between words and without."""

import json
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moverank as mr
from moverank.cli import main
from moverank.encoders import Words, WordVectors
from moverank.ranking import Passages

CHINESE = "我爱北京天安门，天安门上太阳升。" * 40
JAPANESE = "私は昨日、東京タワーに行きました。とても楽しかったです！" * 30
THAI = "ฉันรักเมืองไทยและชอบกินข้าวผัด" * 30
LAO = "ຂ້ອຍຮັກປະເທດລາວແລະມັກກິນເຂົ້າໜຽວ" * 30


def pieces(passages, text):
    return [text[start:end] for start, end in passages.spans(text)]


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI, LAO], ids=["zh", "ja", "th", "lo"])
def test_texts_without_spaces_are_cut_as_well(text):
    spans = Passages(words=30, overlap=10).spans(text)
    assert len(spans) > 5
    assert (spans[0][0], spans[-1][1]) == (0, len(text))
    assert all(end - start <= 30 * 8 for start, end in spans)
    assert all(before[0] < after[0] < before[1] < after[1] for before, after in pairwise(spans))
    for start, _ in spans:
        assert unicodedata.category(text[start])[0] != "M"
        assert start == 0 or text[start - 1] not in "เแโใไເແໂໃໄ"
        assert text[start] not in "，。、！"


def test_words_of_other_scripts_stay_whole_in_such_texts():
    text = "使用transformer模型 in GPT-4, 很好"
    assert pieces(Passages(words=1, overlap=0), text) == ["使用", "transformer", "模型", "in", "GPT-4,", "很好"]
    hindi = "हिन्दी की किताब"
    assert pieces(Passages(words=1, overlap=0), hindi) == hindi.split()


@pytest.mark.parametrize(
    ("segmenter", "text"), [("jieba", CHINESE), ("fugashi", JAPANESE), ("pythainlp", THAI)], ids=["zh", "ja", "th"]
)
def test_a_segmenter_keeps_words_whole(segmenter, text):
    try:
        words = Words(segmenter=segmenter)
    except ImportError as error:
        pytest.skip(str(error))
    found = pieces(Passages(words=7, overlap=0, segmenter=segmenter), text)
    assert "".join(found) == text
    of_pieces = [word for piece in found for word in words(piece)]
    assert of_pieces == words(text)


def test_segmenters_are_known_by_name():
    with pytest.raises(ValueError, match="segmenter must be one of"):
        Passages(segmenter="spaces")


@given(st.text(alphabet=st.sampled_from("ab 我爱京ーカร้ำเข。,\u3099\n-"), max_size=60), st.integers(1, 5))
def test_windows_cover_all_but_white_space(text, words):
    spans = Passages(words=words, overlap=words // 2).spans(text)
    covered = np.zeros(len(text), dtype=bool)
    for start, end in spans:
        covered[start:end] = True
    assert all(covered[place] or char.isspace() for place, char in enumerate(text))
    assert spans == sorted(set(spans))


def test_the_nearest_passage_of_a_text_without_spaces_counts(tmp_path, capsys):
    table = WordVectors(list("猫狗股票市场跌"), np.eye(7), tokenize=list)
    long, short = "股票市场" * 200 + "猫" + "股票市场" * 200, "狗" * 20 + "猫"
    ranking = mr.Reranker(table, passages=Passages(words=20, overlap=5)).rank("猫", [short, long])
    start, end = ranking[0].passage
    assert "猫" in ranking[0].text[start:end]
    assert end - start <= 40
    whole = mr.Reranker(table).rank("猫", [long])[0].distance
    windows = mr.Reranker(table, passages=Passages(words=20, overlap=5)).rank("猫", [long])[0].distance
    assert windows < whole


def test_the_command_line_cuts_such_texts(tmp_path, capsys):
    pytest.importorskip("jieba", reason="jieba is not installed")
    vectors, requests = tmp_path / "words.txt", tmp_path / "in.jsonl"
    words = ["我", "爱", "北京", "天安门", "股票"]
    rows = (" ".join(map(str, row)) for row in np.eye(5).tolist())
    vectors.write_text("".join(f"{word} {row}\n" for word, row in zip(words, rows, strict=True)))
    text = "股票" * 100 + "我爱北京天安门"
    requests.write_text(json.dumps({"query": "北京", "documents": [text]}) + "\n")
    options = ["--vectors", str(vectors), "--segmenter", "jieba"]
    distances = []
    for passages in ([], ["--passages", "9"]):
        assert main(["rerank", str(requests), *options, *passages]) == 0
        distances.append(json.loads(capsys.readouterr().out)["hits"][0]["distance"])
    assert distances[1] < distances[0]
