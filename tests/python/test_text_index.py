"""An index of texts: what goes in comes out, whatever has changed since, by terms, by tokens, and by both."""

import itertools
import json
import os
import pickle
import re
import shutil

import numpy as np
import pytest

import moverank as mr
from moverank.cli import main
from moverank.encoders import CallableEncoder, Words, WordVectors
from moverank.ranking import Fusion, ReciprocalRanks
from moverank.text_index import lexical as inverted_lists

pytest.importorskip("tantivy", reason="tantivy is not installed")

TEXTS = [
    "A portrait by an unknown artist.",
    "Stocks fell sharply on Monday.",
    "Rain in the north, sun in the south.",
    "The painter finished her landscape.",
    "Investors sold shares of the bank.",
    "A cat slept on the warm roof.",
]
NAMES = ["art", "stocks", "rain", "painter", "bank", "cat"]
PAYLOADS = [{"year": 1990 + n, "tag": name} for n, name in enumerate(NAMES)]


def made(path=None, **options):
    index = mr.TextIndex.create(path, **options)
    index.add(TEXTS, NAMES, payloads=PAYLOADS)
    return index


@pytest.fixture(params=["memory", "folder", "reopened", "pickled"])
def index(request, tmp_path):
    """The same texts, however they are kept."""
    if request.param == "memory":
        yield made()
    elif request.param == "folder":
        with made(tmp_path / "notes") as own:
            yield own
    elif request.param == "reopened":
        made(tmp_path / "notes").close()
        with mr.TextIndex.open(tmp_path / "notes", writable=True) as own:
            yield own
    else:
        yield pickle.loads(pickle.dumps(made()))


def test_texts_are_found_with_all_that_belongs_to_them(index):
    hits = index.search("who painted it?", 3)
    assert len(index) == len(hits.ids) * 2 == 6
    assert set(hits.ids[:2]) == {"art", "painter"}
    for rank, hit in enumerate(hits):
        place = NAMES.index(hit.id)
        assert (hit.rank, hit.text, hit.payload) == (rank, TEXTS[place], PAYLOADS[place])
        assert hit.similarity == pytest.approx(1 - hit.distance)
        moved = hit.explain()
        assert moved.value == pytest.approx(hit.distance, abs=1e-5)
        assert {moved.source_names[pair.source] for pair in moved.pairs} <= {"who", "painted", "it"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert list(index) == NAMES
    assert "art" in index
    assert "nothing" not in index
    assert 5 not in index
    assert index.text("bank") == TEXTS[4]
    assert index.payload("bank") == PAYLOADS[4]


def test_distances_are_those_of_the_reranker(index):
    ranker = mr.Reranker()
    for query in ("money", "a painting of the sky", "weather"):
        expected = ranker.rank(query, TEXTS, doc_ids=NAMES)
        hits = index.search(query, 6, fusion=1, candidates=None)
        assert hits.ids == expected.doc_ids
        assert [hit.distance for hit in hits] == pytest.approx([own.distance for own in expected], abs=1e-6)
        assert all(hit.lexical is None for hit in hits)
        assert hits.certificate.exact


def test_given_documents_are_ordered(index):
    query, given = "the bank sold a landscape", ["cat", "bank", "art", "stocks"]
    everything = index.search(query, 6, fusion=1, candidates=None)
    alone = index.rerank(query, given, fusion=1)
    assert alone.ids == [id for id in everything.ids if id in given]
    similarity = {hit.id: hit.similarity for hit in everything}
    assert [hit.score for hit in alone] == pytest.approx([similarity[id] for id in alone.ids])
    assert alone.certificate.exact
    assert index.rerank(query, given, 2, fusion=1).ids == alone.ids[:2]
    assert alone[0].explain().value == pytest.approx(alone[0].distance, abs=1e-5)

    terms = {hit.id: hit.lexical for hit in index.search(query, 6)}
    first = {"cat": 3.0, "bank": -1.0, "art": 0.0, "stocks": 1.0}
    for scores, own in ((None, terms), (list(first.values()), first)):
        expected = Fusion(0.15)([own[id] for id in given], [similarity[id] for id in given])
        hits = index.rerank(query, given, scores=scores)
        found = {hit.id: hit.score for hit in hits}
        assert [found[id] for id in given] == pytest.approx(expected.tolist())
        assert hits.ids == sorted(given, key=found.get, reverse=True)
        assert {hit.id: hit.lexical for hit in hits} == pytest.approx({id: own[id] for id in given})
        assert str(hits.certificate) == "the scores of all 4 given candidates were added"


def test_given_documents_with_equal_scores_keep_their_order(index):
    for given in (NAMES, NAMES[::-1]):
        assert index.rerank("zzqqx", given).ids == given
        assert index.rerank("zzqqx", given, scores=[1.0] * 6, fusion=0.0).ids == given
        assert index.rerank("zzqqx", given, scores=range(6)).ids == given[::-1]
        assert not index.rerank("zzqqx", given).comparable


def test_documents_in_passages_are_given_by_their_ids():
    index = mr.TextIndex.create(passages=mr.Passages(3, 1), lexical=None)
    index.add(["a cat sat on the mat while stocks fell sharply", "a dog", "shares rose"], ids=[7, 8, 9])
    hits = index.rerank("stocks", [8, 7], scores=[0, 0])
    assert (hits.ids, hits[0].text) == ([7, 8], "while stocks fell")
    with pytest.raises(mr.UnknownIdError, match="ids: '7' is not in the index"):
        index.rerank("stocks", ["7"])
    with pytest.raises(mr.NoTokensError):
        index.rerank("zzqqx", [7])
    assert index.rerank("zzqqx", [7, 9, 8], scores=[0, 2, 1]).ids == [9, 8, 7]


def test_what_is_not_compared_in_time_is_ordered_by_its_scores(index):
    query = "the bank sold a landscape"
    hits = index.rerank(query, NAMES, scores=range(6), timeout=1e-9)
    assert hits.ids == NAMES[::-1]
    assert "were not compared by transport, as time was over" in str(hits.certificate) or not hits[0].similarity
    assert hits.stats.timed_out
    found = index.search(query, 6, timeout=1e-9)
    assert {hit.id for hit in found} >= {hit.id for hit in index.search(query, 6, fusion=0)}
    assert not found.certificate.exact


def test_scores_are_the_sum_of_standardised_scores(index):
    query = "the bank sold a landscape"
    hits = index.search(query, 6)
    terms = [hit.lexical for hit in hits]
    similarities = [hit.similarity for hit in hits]
    assert max(terms) > min(terms) == 0
    standard = [(np.array(own) - np.mean(own)) / np.std(own) for own in (terms, similarities)]
    assert [hit.score for hit in hits] == pytest.approx((0.85 * standard[0] + 0.15 * standard[1]).tolist())
    only_terms = index.search(query, 6, fusion=0)
    assert [hit.lexical for hit in only_terms] == sorted(filter(None, terms), reverse=True)
    assert {hit.id: hit.similarity for hit in only_terms}.items() <= {hit.id: hit.similarity for hit in hits}.items()
    assert str(only_terms.certificate) == "ordered by terms alone: 5 of 6 documents have a term of the query"
    assert not hits.certificate.exact
    assert "6 of 6 documents were candidates" in str(hits.certificate)


def test_lexical_scores_are_bm25(index):
    """By its definition, as Lucene has it: k1 = 1.2, b = 0.75, over stems."""
    terms = [text.lower().replace(".", "").replace(",", "").split() for text in TEXTS]
    stems = {"stocks": "stock", "painter": "painter", "sold": "sold"}
    found = {hit.id: hit.lexical for hit in index.search("painters sold stocks", 6)}
    mean = np.mean([len(own) for own in terms])
    idf = np.log(1 + (6 - 1 + 0.5) / (1 + 0.5))
    for name, own in zip(NAMES, terms, strict=True):
        shared = len(stems.keys() & set(own))
        expected = shared * idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * len(own) / mean))
        assert found[name] == pytest.approx(expected, rel=1e-5)


def test_conditions_apply_to_both_kinds_of_retrieval(index):
    for fusion in (0, 0.5, 1):
        hits = index.search("stocks and shares of painters", 6, where="year >= 1993", fusion=fusion)
        assert set(hits.ids) <= {"painter", "bank", "cat"}
        assert {"painter", "bank"} <= set(hits.ids)
    assert index.search("stocks", where=lambda payload: False).ids == []
    with pytest.raises(mr.UnknownFieldError, match="yeer"):
        index.search("stocks", where="yeer > 3")


def test_changes_are_seen_by_both_kinds_of_retrieval(index):
    before = index.search("dogs", 6)
    assert index.add(["The dog barked at dogs."], ["dog"]).ids == ["dog"]
    assert index.search("dogs", 1, fusion=0).ids == ["dog"]
    assert index.search("dogs", 1, fusion=1).ids == ["dog"]
    index.upsert(["Interest rates rose."], ["dog"], payloads=[{"new": True}])
    assert "dog" not in index.search("dogs", 1, fusion=0).ids
    assert index.search("interest", 1, fusion=0)[0].payload == {"new": True}
    index.remove(["dog", "cat"])
    assert len(index) == 5
    assert "cat" not in index
    assert not {"dog", "cat"} & {*index.search("a cat", 9).ids, *index.search("a cat", 9, fusion=0).ids}
    index.compact()
    assert list(index) == NAMES[:5]
    assert index.search("who painted it", 1).ids[0] in ("art", "painter")
    # An answer keeps what it found.
    assert before[0].text in TEXTS
    assert before[0].explain().value == pytest.approx(before[0].distance, abs=1e-5)


def test_a_failed_change_changes_nothing(index):
    def state():
        return list(index), index.search("stocks", 6).to_dict()["hits"]

    before = state()
    for call, error, message in (
        (lambda: index.add(["x cat", "y"], ["new", "art"]), mr.DuplicateIdError, "'art' is already in the index"),
        (lambda: index.add(["cat", "dog"], ["a", "a"]), mr.DuplicateIdError, "'a' is given more than once"),
        (
            lambda: index.add(["cat", "qqqzz"], ["a", "b"]),
            mr.NoTokensError,
            r"text 1 \(id 'b'\) has no word with a vec",
        ),
        (lambda: index.add(["cat", None], ["a", "b"]), TypeError, "texts: text 1 is missing"),
        (lambda: index.add(["cat", 5], ["a", "b"]), TypeError, "texts: text 1 is not a string but int"),
        (lambda: index.add("cat", ["a"]), TypeError, "texts: expected many texts, got one string"),
        (lambda: index.add(["cat"], [5]), TypeError, "ids: expected str, the type of ids in this index, got int"),
        (lambda: index.add(["cat"]), ValueError, "ids: required, as the ids of this index are strings"),
        (lambda: index.add(["cat"], ["a", "b"]), ValueError, "ids: expected 1, one per document, got 2"),
        (lambda: index.add(["cat"], ["a"], payloads=[{1, 2}]), TypeError, "payloads: document 0"),
        (lambda: index.add(["cat"], ["a"], unknown="keep"), ValueError, "unknown must be one of"),
        (lambda: index.add(["a cat \ud800"], ["a"]), ValueError, "not valid Unicode"),
        (lambda: index.remove(["art", "nothing"]), mr.UnknownIdError, "'nothing' is not in the index"),
        (lambda: index.remove(["art", "art"]), mr.DuplicateIdError, "'art' is given more than once"),
        (lambda: index.text("nothing"), mr.UnknownIdError, "'nothing' is not in the index"),
        (lambda: index.payload(3), mr.UnknownIdError, "3 is not in the index"),
        (lambda: index.search("x", 0), ValueError, "k must be"),
        (lambda: index.search(5), TypeError, "query: expected a string, got int"),
        (lambda: index.search("x", fusion=2), ValueError, "fusion: weight must be from 0 to 1"),
        (lambda: index.search("x", candidates=0), ValueError, "candidates"),
        (lambda: index.search("x", min_similarity="high"), TypeError, "min_similarity"),
    ):
        with pytest.raises(error, match=message):
            call()
        assert state() == before


def test_texts_without_a_known_word_can_be_left_out(index):
    added = index.add(["qqqzz", "a dog", "..."], ["a", "b", "c"], unknown="skip")
    assert (added.ids, added.skipped) == (["b"], ["a", "c"])
    assert repr(added) == "Added(1 documents, 2 left out, 0 words without a vector)"
    assert index.add(["qqqzz"], ["a"], unknown="skip").ids == []
    assert "a" not in index


def test_a_query_without_a_known_word_is_answered_by_terms(index):
    index.add(["The qqqzz is a cat."], ["new"])
    hits = index.search("qqqzz")
    assert hits.ids == ["new"]
    assert not hits.comparable
    assert (hits[0].similarity, hits[0].distance) == (0, np.inf)
    assert "no word of the query has a vector" in str(hits.certificate)
    with pytest.raises(ValueError, match="found by its terms alone"):
        hits[0].explain()
    assert json.loads(json.dumps(hits.to_dict()))["hits"][0]["distance"] is None
    assert index.search("zzqqzz").ids == []


def test_nothing_relevant_is_an_answer(index):
    hits = index.search("quantum chromodynamics", min_similarity=0.9)
    assert hits.ids == []
    assert hits.left_out == 6
    assert str(hits).startswith("no document: no candidate is as good as requested")
    some = index.search("a cat", 6, min_similarity=0.5)
    assert 0 < len(some) < 6
    assert all(hit.similarity >= 0.5 for hit in some)
    # What is left out makes room for others.
    every = [hit.id for hit in index.search("a cat", 6) if hit.similarity >= 0.3]
    assert index.search("a cat", len(every), min_similarity=0.3).ids == every


def test_several_queries_are_the_same_as_one_by_one(index):
    queries = ["a cat", "stocks", "a cat"]
    seen = []
    found = index.search_batch(queries, 3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for query, hits in zip(queries, found, strict=True):
        assert hits.query == query
        assert hits.ids == index.search(query, 3).ids
        assert set(hits.seconds) == {"encode", "lexical", "transport", "fuse"}


def test_an_index_without_texts_answers_and_can_be_opened(tmp_path):
    with mr.TextIndex.create(tmp_path / "notes") as index:
        assert len(index) == 0
        assert index.search("a cat").ids == []
        assert list(index) == []
    with mr.TextIndex.open(tmp_path / "notes", writable=True) as index:
        assert index.search("a cat").ids == []
        index.add(["a cat"])
        index.remove([0])
        index.compact()
        assert index.search("a cat").ids == []
        assert index.add(["a dog"]).ids == [1]  # an id is not used twice
        assert index.verify().documents == 1


def test_whole_numbers_are_ids_too():
    index = mr.TextIndex.create()
    assert index.add(["a cat", "a dog"]).ids == [0, 1]
    assert index.add(["a bird"], [7]).ids == [7]
    assert index.add(["a fish"]).ids == [8]
    assert index.add(["a horse"], np.array([-3])).ids == [-3]
    assert index.search("fish", 1).ids == [8]
    assert list(index) == [0, 1, 7, 8, -3]
    assert 7 in index
    assert "7" not in index
    with pytest.raises(TypeError, match="ids: expected int, the type of ids"):
        index.add(["a cow"], ["cow"])
    with pytest.raises(TypeError, match="ids: expected all integers or all strings, got bool"):
        index.add(["a cow"], [True])


@pytest.mark.parametrize("options", [{"store_texts": False}, {}], ids=["without texts", "with texts"])
def test_halves_of_surrogate_pairs_are_no_characters(options):
    index = mr.TextIndex.create(**options)
    index.add(["a dog"])
    if options:
        index.add(["a cat\ud800"])
        assert index.search("cat", 1, fusion=0).ids == [1]
    else:
        with pytest.raises(ValueError, match="texts: text 0 is not valid Unicode"):
            index.add(["a cat\ud800"])
    assert index.search("dog \udfff", 1).ids == [0]


def test_ids_of_no_kind_are_unknown():
    index = made()
    for id in ([], {}, None, np.nan):
        with pytest.raises(mr.UnknownIdError, match="is not in the index"):
            index.remove([id])
    with pytest.raises(mr.DuplicateIdError, match="'cat' is given more than once"):
        index.remove(["cat", "cat"])
    assert len(index) == 6


def test_an_error_of_the_system_in_the_lexical_index_is_named(tmp_path, monkeypatch):
    opened = inverted_lists.Lexical._opened

    def without_its_folder(self, folder):
        index = opened(self, folder)
        while folder.exists():  # threads of the index may still write into it
            shutil.rmtree(folder, ignore_errors=True)
        return index

    with made(tmp_path / "notes") as index:
        with monkeypatch.context() as patch:
            patch.setattr(inverted_lists.Lexical, "_opened", without_its_folder)
            with pytest.raises(mr.IndexWriteError, match="could not be written: No such file or directory"):
                index.add(["A horse."], ["horse"])
        assert list(index) == NAMES
        index.add(["A horse."], ["horse"])
        assert index.verify().documents == 7


LONG = " ".join(f"{'cat' if n == 35 else 'stone'} {'tree' if n % 2 else 'river'}" for n in range(60))


def test_a_document_is_found_by_its_best_passage(tmp_path):
    index = mr.TextIndex.create(tmp_path / "notes", passages=mr.Passages(20, 5))
    index.add([LONG, "The bank. " * 30], ["long", "dog"], payloads=[{"n": 1}, {"n": 2}])
    index.close()
    with mr.TextIndex.open(tmp_path / "notes", writable=True) as index:
        assert index.passages == mr.Passages(20, 5)
        assert len(index) == 2
        assert len(index.index) > 4
        for fusion in (None, 0, 1):
            hits = index.search("cat", 5, fusion=fusion)
            assert hits.ids[0] == "long"
            assert len(set(hits.ids)) == len(hits.ids)
            begin, end = hits[0].passage
            assert hits[0].text == LONG[begin:end]
            assert "cat" in hits[0].text
        assert index.text("long") == LONG
        assert index.search("cat", where="n = 2").ids == ["dog"]
        # Fewer passages than before: none of the old ones stay.
        index.upsert(["A cat."], ["long"])
        assert index.search("stone river", 5, fusion=0).ids == []
        assert index.text("long") == "A cat."
        index.remove(["dog"])
        assert list(index) == ["long"]
        assert index.verify().documents == 1


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("zzq qqz zqz the cat sat on the mat", ["zzq qqz zqz the cat sat", "on the mat"]),
        ("the cat sat zzq qqz zqz on the mat", ["the cat sat zzq qqz zqz", "on the mat"]),
        ("the cat sat zzq qqz zqz qqz zzq", ["the cat sat zzq qqz zqz qqz zzq"]),
    ],
)
def test_passages_without_a_vector_go_with_their_neighbours(text, passages, tmp_path):
    index = mr.TextIndex.create(tmp_path / "notes", passages=mr.Passages(3, 0))
    index.add(["A dog.", text], ["dog", "cat"])
    assert "cat" in index
    assert index.text("cat") == text
    assert len(index.index) == 1 + len(passages)
    hit = index.search("zzq", 1)[0]
    assert (hit.id, hit.text, text[slice(*hit.passage)]) == ("cat", passages[0], passages[0])
    assert {pair.target for pair in index.search("cat", 1, fusion=1)[0].explain().pairs} <= set(range(9))
    index.upsert(["A bird."], ["cat"])
    assert index.text("cat") == "A bird."
    assert len(index.index) == 2
    index.remove(["cat"])
    assert list(index) == ["dog"]
    index.verify()


def test_ids_with_the_sign_of_passages_are_kept_apart():
    index = mr.TextIndex.create(passages=mr.Passages(5, 1), lexical=None)
    index.add(["a cat", "a dog", "a bird"], ["x", "x#0", "x#0#0"])
    assert list(index) == ["x", "x#0", "x#0#0"]
    index.remove(["x#0"])
    assert list(index) == ["x", "x#0#0"]
    assert index.search("bird", 1).ids == ["x#0#0"]


def test_without_stored_texts_hits_have_none(tmp_path):
    made(tmp_path / "notes", store_texts=False).close()
    with mr.TextIndex.open(tmp_path / "notes", writable=True) as index:
        hit = index.search("who painted it?", 1)[0]
        assert hit.text is None
        assert index.text("art") is None
        assert hit.explain().value == pytest.approx(hit.distance, abs=1e-5)
        index.remove(["cat"])
        index.compact()
        assert index.search("stocks", 1, fusion=0).ids == ["stocks"]
    octets = b"".join(path.read_bytes() for path in (tmp_path / "notes").iterdir())
    assert b"unknown artist" not in octets


def test_without_lexical_retrieval_answers_are_exact_on_request():
    index = made(lexical=None)
    hits = index.search("who painted it?", 2, candidates=None)
    assert hits.certificate.exact
    assert [hit.score for hit in hits] == [hit.similarity for hit in hits]
    with pytest.raises(ValueError, match="fusion: expected none or 1, as this index has no lexical retrieval"):
        index.search("x", fusion=0.5)
    with pytest.raises(mr.NoTokensError, match="query: no word of 'qqqzz' has a vector"):
        index.search("qqqzz")


def own_encoder():
    """An encoder of a user: letters as vectors."""

    def encode(texts):
        return [
            ([c for c in text if c.isalpha()], [np.eye(26)[ord(c) - 97] for c in text if c.isalpha()]) for text in texts
        ]

    return CallableEncoder(encode)


def test_encoders_of_the_package_need_not_be_given_again(tmp_path):
    rng = np.random.default_rng(0)
    words = sorted({word.strip(".,").lower() for text in TEXTS for word in text.split()} | {"PAINTED", "it"})
    vectors = WordVectors(words, rng.normal(size=(len(words), 8)), tokenize=Words(lower_case=False, stop_words=["the"]))
    made(tmp_path / "words", encoder=vectors).close()
    opened = mr.TextIndex.open(tmp_path / "words")
    assert opened.encoder.identity == vectors.identity
    assert opened.search("PAINTED", 1).comparable
    with pytest.raises(mr.EncoderMismatchError):
        mr.TextIndex.open(tmp_path / "words", encoder=WordVectors.default())


def test_other_encoders_have_to_be_given_again(tmp_path):
    index = mr.TextIndex.create(tmp_path / "own", encoder=own_encoder(), lexical="words")
    index.add(["cat", "dog"])
    assert index.search("cat", 1).ids == [0]
    index.close()
    with pytest.raises(
        mr.EncoderMismatchError, match=r"does not keep its encoder.*TextIndex.open\(path, encoder=...\)"
    ):
        mr.TextIndex.open(tmp_path / "own")
    assert mr.TextIndex.open(tmp_path / "own", encoder=own_encoder()).search("dog", 1).ids == [1]


def test_token_vectors_are_found_by_cells(tmp_path):
    rng = np.random.default_rng(1)
    texts = ["".join(map(chr, 97 + rng.integers(26, size=rng.integers(3, 9)))) for _ in range(3000)]
    with mr.TextIndex.create(tmp_path / "own", encoder=own_encoder(), measure="wmd", dtype="int8") as index:
        index.add(texts)
        assert isinstance(index.index.prefilter, mr.TokenCells)
        every = mr.distances(
            np.array([np.eye(26)[ord(c) - 97] for c in "cat"]),
            [np.eye(26)[[ord(c) - 97 for c in t]] for t in texts],
            "wmd",
        )
        hits = index.search("cat", 5, fusion=1)
        np.testing.assert_allclose([hit.distance for hit in hits], np.sort(every)[:5], atol=0.02)
        assert index.verify().documents == 3000


def test_a_space_is_kept_and_moves_queries(tmp_path):
    space = mr.fit(WordVectors.default(), TEXTS, ["centring", "idf"])
    made(tmp_path / "notes", space=space).close()
    with mr.TextIndex.open(tmp_path / "notes") as index:
        hits = index.search("who painted it?", 6, fusion=1, candidates=None)
    ranked = mr.Reranker(space.over(WordVectors.default())).rank("who painted it?", TEXTS, doc_ids=NAMES)
    assert hits.ids == ranked.doc_ids
    assert [hit.distance for hit in hits] == pytest.approx([own.distance for own in ranked], abs=2e-3)  # float16


def test_texts_stream_in_and_are_durable_step_by_step(tmp_path, monkeypatch):
    monkeypatch.setattr("moverank.text_index.changing.TEXTS_AT_ONCE", 4)

    def texts():
        for n in range(10):
            if n == 9:
                raise OSError("the source is gone")
            yield f"a cat and dog number {n}"

    seen = []
    index = mr.TextIndex.create(tmp_path / "notes")
    with pytest.raises(OSError, match="the source is gone"):
        index.add(texts(), iter(range(100)), payloads=iter([{"n": n} for n in range(100)]), progress=seen.append)
    index.close()
    assert seen == [4, 8]
    with mr.TextIndex.open(tmp_path / "notes") as index:
        assert list(index) == list(range(8))
        assert index.payload(7) == {"n": 7}
        assert index.verify().documents == 8
    with pytest.raises(ValueError, match="ids: fewer than texts; 1 were given"):
        mr.TextIndex.create().add(iter(["a cat", "a dog"]), iter([1]))


@pytest.mark.parametrize("opens", [False, True], ids=["refreshes", "opens"])
def test_a_writer_may_delete_files_while_a_reader_opens_them(opens, tmp_path, monkeypatch):
    writer = made(tmp_path / "notes")
    reader = mr.TextIndex.open(tmp_path / "notes")
    writer.add(["A horse."], ["horse"])
    lay_out, left = inverted_lists._lay_out, [1]

    def interrupted(files, folder):
        lay_out(files, folder)
        if left:
            left.clear()
            writer.compact()

    monkeypatch.setattr(inverted_lists, "_lay_out", interrupted)
    if opens:
        reader = mr.TextIndex.open(tmp_path / "notes")
    else:
        assert reader.refresh()
    assert reader.search("horse", 1, fusion=0).ids == ["horse"]
    assert not left


def test_readers_see_what_a_writer_has_changed(tmp_path):
    writer = made(tmp_path / "notes")
    reader = mr.TextIndex.open(tmp_path / "notes")
    writer.add(["A horse."], ["horse"])
    writer.compact()
    assert "horse" not in reader
    assert "horse" not in reader.search("horse", 6, fusion=0).ids
    assert reader.refresh()
    assert reader.search("horse", 1, fusion=0).ids == reader.search("horse", 1, fusion=1).ids == ["horse"]
    with pytest.raises(mr.ReadOnlyIndexError):
        reader.remove(["horse"])
    with pytest.raises(mr.IndexLockedError):
        mr.TextIndex.open(tmp_path / "notes", writable=True)
    writer.close()


def test_its_vectors_can_be_read_by_an_index_but_not_changed(tmp_path):
    made(tmp_path / "notes").close()
    with mr.Index.open(tmp_path / "notes", writable=True) as index:
        assert sorted(index.ids) == sorted(NAMES)
        with pytest.raises(mr.ReadOnlyIndexError, match=r"change it through TextIndex.open"):
            index.remove(["cat"])
    mr.Index.build([np.eye(3)]).save(tmp_path / "vectors")
    with pytest.raises(mr.IndexFormatError, match=r"has an index of vectors without texts; open it by Index.open"):
        mr.TextIndex.open(tmp_path / "vectors")


def test_what_reads_an_index_of_vectors_finds_the_texts(tmp_path, capsys):
    made(tmp_path / "notes").close()
    with mr.Index.open(tmp_path / "notes") as index:
        hits = index.search(WordVectors.default().encode(["who painted it?"]).sequences, 2)
        assert [hit.text for hit in hits] == [TEXTS[NAMES.index(hit.id)] for hit in hits]
        assert [hit.text for hit in pickle.loads(pickle.dumps(hits))] == [hit.text for hit in hits]
        ranking = mr.Reranker().rank("who painted it?", index, top_k=2)
        assert [own.text for own in ranking] == [hit.text for hit in hits]
        assert ranking[0].explain().target_names[0] in ranking[0].text.lower()
    assert main(["search", "--index", str(tmp_path / "notes"), "who painted it?", "-k", "1"]) == 0
    assert hits[0].text in capsys.readouterr().out
    assert main(["info", str(tmp_path / "notes")]) == 0
    assert re.search(r"texts +kept\n(.*\n)*  attached +[1-9]", capsys.readouterr().out)
    with (
        mr.Index.open(tmp_path / "notes", writable=True) as index,
        pytest.raises(mr.ReadOnlyIndexError, match="belongs to a TextIndex"),
    ):
        index.remove(["art"])


def test_another_encoder_can_be_insisted_on(tmp_path):
    made(tmp_path / "notes").close()
    bundled = WordVectors.default()
    other = WordVectors(list(bundled._words), bundled._vectors.copy())
    other._vectors[0] += 1
    with pytest.raises(mr.EncoderMismatchError):
        mr.TextIndex.open(tmp_path / "notes", encoder=other)
    index = mr.TextIndex.open(tmp_path / "notes", encoder=other, check_encoder=False)
    assert index.encoder is other
    assert index.search("stocks", 1).ids == made().search("stocks", 1).ids
    with pytest.raises(TypeError, match="encoder"):
        mr.TextIndex.open(tmp_path / "notes", encoder="other", check_encoder=False)


def test_tokens_can_be_kept_beside_their_codes(tmp_path):
    exact = made(dtype="float32", lexical=None)
    made(tmp_path / "notes", dtype="int8", rescore=True, lexical=None).close()
    index = mr.TextIndex.open(tmp_path / "notes")
    for query in ("money", "a painting of the sky"):
        expected = exact.search(query, 6, candidates=None)
        found = index.search(query, 6, candidates=None)
        assert found.ids == expected.ids
        assert [hit.distance for hit in found] == pytest.approx([hit.distance for hit in expected], abs=1e-6)


def test_damage_to_the_lexical_index_is_found(tmp_path):
    made(tmp_path / "notes").close()
    folder = tmp_path / "notes"
    files = json.loads((folder / "manifest.json").read_bytes().split(b"\n")[1])["attachment"]["files"]
    assert "meta.json" in files
    for entry in files.values():
        path = folder / entry["file"]
        octets = path.read_bytes()
        path.write_bytes(octets[:-1] + bytes([octets[-1] ^ 1]))
        with pytest.raises(mr.IndexFormatError, match="checksum"):
            mr.TextIndex.open(folder)
        path.unlink()
        with pytest.raises(mr.IndexFormatError, match="is missing"):
            mr.TextIndex.open(folder)
        path.write_bytes(octets)
    mr.TextIndex.open(folder).verify()


@pytest.mark.parametrize("lexical", ["german", "greek", "words", "characters"])
def test_other_languages_have_their_analyzers(lexical):
    texts = {
        "german": (["Die Häuser am See.", "Ein Hund bellt."], "das Haus"),
        "greek": (["Τα σπίτια είναι λευκά.", "Ένας σκύλος."], "σπίτι"),
        "words": (["Zebras run.", "A dog barks."], "ZEBRAS"),
        "characters": (["我爱北京天安门", "上海的天气"], "北京"),
    }
    documents, query = texts[lexical]

    def encode(batch):
        return [(["x"], np.eye(2)[:1]) for _ in batch]

    index = mr.TextIndex.create(encoder=CallableEncoder(encode), lexical=lexical)
    index.add(documents)
    assert index.lexical == lexical
    assert index.search(query, 1, fusion=0).ids == [0]


def test_options_are_checked_before_a_folder_is_made(tmp_path):
    path = tmp_path / "notes"
    for options, error, message in (
        ({"lexical": "klingon"}, ValueError, "lexical must be one of"),
        ({"passages": 150}, TypeError, "passages: expected Passages"),
        ({"encoder": "minilm"}, TypeError, "encoder: expected an object with a method encode"),
        ({"store_texts": 1}, TypeError, "store_texts must be True or False"),
        ({"measure": "bm25"}, ValueError, "measure"),
        ({"dtype": "int3"}, ValueError, "dtype must be one of"),
        ({"num_threads": -1}, ValueError, "num_threads"),
    ):
        with pytest.raises(error, match=message):
            mr.TextIndex.create(path, **options)
        assert not path.exists()
    made(path).close()
    with pytest.raises(mr.IndexExistsError, match="overwrite=True replaces it"):
        mr.TextIndex.create(path)
    assert len(mr.TextIndex.create(path, overwrite=True)) == 0


def test_a_copy_is_saved(tmp_path):
    index = made()
    index.save(tmp_path / "copy")
    with mr.TextIndex.open(tmp_path / "copy", writable=True) as copy:
        assert copy.search("stocks", 6).ids == index.search("stocks", 6).ids
        copy.add(["A horse."], ["horse"])
        assert copy.verify().documents == 7
    assert "horse" not in index
    assert repr(index) == "TextIndex(6 documents, measure=wrd(capacity=4), lexical='english')"


def test_answers_are_what_their_json_says():
    hits = made().search("who painted it?", 3)
    told = json.loads(json.dumps(hits.to_dict(), allow_nan=False))
    assert (told["query"], told["measure"], told["comparable"]) == ("who painted it?", "wrd(capacity=4)", True)
    for hit, own in zip(hits, told["hits"], strict=True):
        assert own == {
            "rank": hit.rank, "id": hit.id, "score": hit.score, "distance": hit.distance, "passage": None,
            "text": hit.text, "payload": hit.payload, "similarity": hit.similarity, "lexical": hit.lexical,
            "probability": None,
        }  # fmt: skip
    assert told["certificate"]["statement"] == str(hits.certificate)
    assert set(told["seconds"]) == {"encode", "lexical", "transport", "fuse"}
    assert "text" not in hits.to_dict(contents=False)["hits"][0]


@pytest.mark.parametrize("candidates", [20, 2, None])
@pytest.mark.parametrize("passages", [None, mr.Passages(4, 1)])
def test_near_duplicates_are_pairs_that_are_similar_in_both_directions(candidates, passages):
    texts = [
        "the cat sat on the mat", "a cat sat on a mat", "the cat sat on the mat while stocks fell in the north",
        "stocks fell", "stocks fell", "rain in the north", "the dog slept",
    ]  # fmt: skip
    names = list("abcdefg")
    index = mr.TextIndex.create(lexical=None, passages=passages)
    index.add(texts, names)
    cut = [[text[begin:end] for begin, end in passages.spans(text)] if passages else [text] for text in texts]

    def similarity(one, other):
        ranked = mr.Reranker().rank(one, [other])
        return ranked[0].score

    expected = {}
    for first in range(7):
        for second in range(first + 1, 7):
            both = [min(similarity(x, y), similarity(y, x)) for x in cut[first] for y in cut[second]]
            if max(both) >= 0.7:
                expected[names[first], names[second]] = max(both)
    seen = []
    found = index.near_duplicates(0.7, candidates=candidates, progress=lambda done, total: seen.append((done, total)))
    pairs = {(own.first, own.second): own.similarity for own in found}
    assert ("d", "e") in pairs
    if candidates == 2:
        assert pairs == pytest.approx({pair: expected[pair] for pair in pairs}, abs=1e-5)
    else:
        assert pairs == pytest.approx(expected, abs=1e-5)
    assert [own.similarity for own in found] == sorted(pairs.values(), reverse=True)
    assert seen[-1] == (len(index.index), len(index.index))


def test_ranks_can_be_fused_instead_of_scores():
    index = made()
    query = "the bank sold a landscape"
    hits = index.search(query, 6, fusion=ReciprocalRanks(0.25, 10))
    expected = {}
    for weight, of in ((0.75, lambda hit: hit.lexical), (0.25, lambda hit: hit.similarity)):
        values = [of(hit) for hit in hits]
        for hit in hits:
            above = sum(value > of(hit) for value in values)
            ties = sum(value == of(hit) for value in values)
            expected[hit.id] = expected.get(hit.id, 0) + weight / (10 + above + (ties + 1) / 2)
    assert {hit.id: hit.score for hit in hits} == pytest.approx(expected)
    assert [hit.score for hit in hits] == sorted(expected.values(), reverse=True)
    ranked = mr.Reranker(fusion=ReciprocalRanks()).rank(query, TEXTS, scores=[3, 2, 1, 0, -1, -np.inf])
    assert ranked[0].score < 2 / 60


def test_the_weight_of_terms_is_learnt_from_judged_queries(tmp_path):
    """Of codes, which no vector knows, only terms can tell the right one; of meanings, only vectors."""
    rng = np.random.default_rng(3)
    codes = [f"qz{n}x" for n in range(60)]
    texts = [f"the engine part {code} of the machine" for code in codes]
    with mr.TextIndex.create(tmp_path / "notes") as index:
        index.add(texts)
        queries = [f"machine {codes[n]}" for n in rng.permutation(60)[:20]]
        relevant = [[codes.index(query.split()[1])] for query in queries]
        fitted = index.fit_fusion(queries, relevant)
        assert fitted.weight < 0.9
        assert index.search(queries[0], 1).ids == relevant[0]
    with mr.TextIndex.open(tmp_path / "notes") as index:
        default, chosen = index.search(queries[1], 5), index.search(queries[1], 5, fusion=fitted)
        assert [hit.score for hit in default] == [hit.score for hit in chosen]
        with pytest.raises(mr.ReadOnlyIndexError):
            index.fit_fusion(queries, relevant)
    with pytest.raises(ValueError, match="fit_fusion: expected an index with lexical retrieval"):
        mr.TextIndex.create(lexical=None).fit_fusion(["a"], [["b"]])


def test_few_bits_hold_differences_here_too(tmp_path):
    """An index that begins empty has anchors from its first texts on."""
    rng = np.random.default_rng(1)
    texts = ["".join(map(chr, 97 + rng.integers(26, size=8))) for _ in range(300)]
    with mr.TextIndex.create(tmp_path / "own", encoder=own_encoder(), dtype="int4", lexical=None) as index:
        index.add(texts[:250])
        index.add(texts[250:])
        anchors = index.index._snapshot.setup.anchors
        assert anchors is not None
        hits = index.search(texts[7], 1)
        assert (hits.ids, hits[0].text) == ([7], texts[7])
        assert hits[0].distance < 1e-3  # letters are anchors themselves
    with mr.TextIndex.open(tmp_path / "own", encoder=own_encoder()) as index:
        assert index.index._snapshot.setup.anchors == anchors
        assert index.verify().documents == 300


def test_ids_beyond_the_texts_of_a_generator_are_refused():
    index = mr.TextIndex.create(lexical=None)
    with pytest.raises(ValueError, match=r"ids: expected 2, one per document, got 3; all texts are in the index"):
        index.add((text for text in ("a cat", "a dog")), ids=[1, 2, 3])
    assert list(index) == [1, 2]
    index.add(iter(["a bird"]), ids=itertools.count(7))  # whose length nobody knows
    assert list(index) == [1, 2, 7]
    index.upsert(["qqqzz"], [7], unknown="skip")
    assert index.text(7) == "a bird"


def test_what_killed_processes_leave_behind_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new, other = (tmp_path / name for name in ("moverank-lexical-old", "moverank-lexical-new", "mine"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (0, 0))
    inverted_lists._sweep.cache_clear()
    made()
    assert {path.name for path in tmp_path.iterdir()} == {"moverank-lexical-new", "mine"}


def test_an_index_that_was_replaced_is_what_it_was_replaced_by_or_an_error(tmp_path):
    made(tmp_path / "notes").close()
    with mr.TextIndex.open(tmp_path / "notes") as index:
        made(passages=mr.Passages(3, 1)).save(tmp_path / "notes", overwrite=True)
        assert index.refresh()
        assert set(index) == set(NAMES)
        assert index.search("stocks", 1).ids == index.rerank("stocks", NAMES, 1).ids == ["stocks"]
        other = mr.TextIndex.create(encoder=WordVectors(["stocks", "cat"], np.eye(2)), lexical=None)
        other.add(["stocks"])
        other.save(tmp_path / "notes", overwrite=True)
        for _ in range(2):
            with pytest.raises(mr.EncoderMismatchError, match="open it again"):
                index.refresh() or index.search("stocks")
        mr.Index.build([np.eye(2)]).save(tmp_path / "notes", overwrite=True)
        with pytest.raises(mr.IndexFormatError, match="without texts"):
            index.refresh()


def test_near_duplicates_of_vectors_far_from_the_origin(tmp_path):
    rng = np.random.default_rng(0)
    near = {letter: rng.normal(size=8) for letter in "abcdefghij"}

    def far(texts):
        return [
            (kept, np.array([near[c] + 1e6 for c in kept])) for kept in ([c for c in t if c in near] for t in texts)
        ]

    index = mr.TextIndex.create(tmp_path / "far", encoder=CallableEncoder(far), measure="wmd", lexical=None)
    index.add(["abc", "abd", "efg", "efg", "hij", "acb"])
    found = index.near_duplicates(0.9, candidates=None)
    assert {(one.first, one.second) for one in found} == {(0, 5), (2, 3)}
    assert all(one.similarity == pytest.approx(1.0, abs=1e-6) for one in found)
