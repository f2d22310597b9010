"""Scores of generated text: BERTScore's and MoverScore's by their definitions, and everything around the numbers."""

import errno
import json
import math
import os
from collections import Counter

import numpy as np
import pytest
from scipy.optimize import linprog

import moverank as mr
from moverank.encoders import CallableEncoder, EncodedTexts, WordVectors
from moverank.scoring import DEFAULT_MEASURE, ScoreBaseline, compare, storing
from moverank.spaces import TokenWeights

WORDS = [f"w{n}" for n in range(40)]
GREEDY = mr.Measure("cosine", "uniform", capacity=math.inf)
BALANCED = mr.Measure("cosine", "uniform")


def encoder(seed=0, shift=1.0):
    """Words with random vectors; without a shift about half of all similarities are negative."""
    vectors = np.random.default_rng(seed).normal(size=(len(WORDS), 8)) + shift
    return WordVectors(WORDS, vectors.astype(np.float32), tokenize=str.split)


def texts(count, seed, longest=9):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, longest + 1))) for _ in range(count)]


ENCODER, CANDIDATES, REFERENCES = encoder(), texts(60, 1), texts(60, 2)


def idf_of(references):
    """Weight of a word, as the BERTScore paper and its code have it."""
    counts, n = Counter(word for text in references for word in set(text.split())), len(references)
    return lambda word: -math.log((counts[word] + 1) / (n + 1))


def costs_and_masses(candidate, reference, weight, own=ENCODER):
    rows = {word: np.asarray(own.encode([word]).sequences[0], np.float64)[0] for word in WORDS}
    x, y = (np.array([rows[word] for word in text.split()]) for text in (candidate, reference))
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    a, b = (np.array([weight(word) for word in text.split()]) for text in (candidate, reference))
    return 1 - x @ y.T, a / a.sum(), b / b.sum()


def bert_score(candidate, reference, weight, own=ENCODER):
    """Precision, recall and F of greedy matching."""
    costs, a, b = costs_and_masses(candidate, reference, weight, own)
    precision, recall = a @ (1 - costs).max(axis=1), b @ (1 - costs).max(axis=0)
    return precision, recall, 2 * precision * recall / (precision + recall)


def stacked(scores):
    return np.stack([scores.precision, scores.recall, scores.f1], axis=1)


# ---- definitions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idf", [False, True])
def test_without_a_capacity_it_is_bert_score(idf):
    weight = idf_of(REFERENCES) if idf else lambda word: 1.0
    expected = [bert_score(x, y, weight) for x, y in zip(CANDIDATES, REFERENCES, strict=True)]
    assert np.min(expected) > 0  # where F is a harmonic mean
    found = mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=GREEDY, idf=idf)
    np.testing.assert_allclose(stacked(found), expected, rtol=0, atol=1e-6)


def test_tokens_of_all_references_weigh_nothing_but_can_be_matched():
    own = WordVectors(["the", "cat", "hat"], [[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
    scores = mr.score(["the cat", "the"], ["the hat", "the"], encoder=own, measure=GREEDY, idf=True)
    assert scores.precision[0] == pytest.approx(0.6, abs=1e-6)  # of cat, whose nearest is hat
    assert scores.recall[0] == pytest.approx(0.8, abs=1e-6)  # of hat, whose nearest is the
    assert scores.f1[1] == pytest.approx(1, abs=1e-6)  # tokens that weigh nothing, all alike


@pytest.mark.parametrize("idf", [False, True])
def test_balanced_it_is_transport_as_pot_solves_it(idf):
    ot = pytest.importorskip("ot", reason="POT is not installed")
    weight = idf_of(REFERENCES) if idf else lambda word: 1.0
    found = mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=BALANCED, idf=idf)
    for k, (candidate, reference) in enumerate(zip(CANDIDATES, REFERENCES, strict=True)):
        costs, a, b = costs_and_masses(candidate, reference, weight)
        assert found.precision[k] == pytest.approx(1 - ot.emd2(a, b, costs), abs=1e-6)
    assert (found.precision == found.recall).all()
    np.testing.assert_allclose(found.f1, found.precision, rtol=1e-12)


def limited(costs, a, b, capacity):
    """1 − the cost of moving all of `a`, if each column takes at most its share times the capacity."""
    n, m = costs.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    solved = linprog(costs.ravel(), A_ub=columns, b_ub=capacity * b, A_eq=rows, b_eq=a)
    assert solved.success
    return 1 - solved.fun


@pytest.mark.parametrize("capacity", [1.5, 4])
def test_with_a_capacity_it_is_a_linear_program_each_way(capacity):
    weight = idf_of(REFERENCES)
    found = mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=BALANCED.replace(capacity=capacity), idf=True)
    for k in range(20):
        costs, a, b = costs_and_masses(CANDIDATES[k], REFERENCES[k], weight)
        assert found.precision[k] == pytest.approx(limited(costs, a, b, capacity), abs=1e-6)
        assert found.recall[k] == pytest.approx(limited(costs.T, b, a, capacity), abs=1e-6)


@pytest.mark.parametrize("idf", [False, True])
def test_the_code_of_bert_score_agrees(idf):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    theirs = pytest.importorskip("bert_score.utils", reason="bert-score is not installed")
    weight = idf_of(REFERENCES) if idf else lambda word: 1.0
    found = stacked(mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=GREEDY, idf=idf))
    for k, pair in enumerate(zip(CANDIDATES, REFERENCES, strict=True)):
        sides = []
        for text in reversed(pair):  # alone in its batch: they let padding raise negative similarities to 0
            vectors = torch.tensor(np.array(ENCODER.encode([text]).sequences[0]))[None]
            weights = torch.tensor([[weight(word) for word in text.split()]])
            sides += [vectors, torch.ones(vectors.shape[:2]), weights]
        if any(len(text.split()) == 2 for text in pair):
            continue  # they take these for empty texts between two special tokens
        np.testing.assert_allclose(found[k], [float(one[0]) for one in theirs.greedy_cos_idf(*sides)], atol=1e-5)


def test_below_zero_f1_is_the_lower_score():
    own = encoder(shift=0.0)
    scores = mr.score(CANDIDATES, REFERENCES, encoder=own, measure=BALANCED.replace(capacity=3), idf=False)
    low = (scores.precision <= 0) | (scores.recall <= 0)
    assert 0 < low.sum() < len(low)
    np.testing.assert_array_equal(scores.f1[low], np.minimum(scores.precision, scores.recall)[low])
    two = np.array([scores.precision, scores.recall])[:, ~low]
    np.testing.assert_allclose(scores.f1[~low], 2 / (1 / two).sum(axis=0), rtol=1e-12)


def test_equal_texts_score_one_and_the_order_of_words_does_not_matter():
    for measure in (GREEDY, DEFAULT_MEASURE, BALANCED, "wrd"):
        scores = mr.score(["w1 w2 w3", "w3 w1 w2"], ["w1 w2 w3"] * 2, encoder=ENCODER, measure=measure)
        np.testing.assert_allclose(stacked(scores), 1, atol=1e-6)


# ---- weights of tokens -----------------------------------------------------------------------------------------------


def test_weights_are_those_of_the_references_as_often_as_they_are_given():
    references = [["w1 w2", "w1"], "w1 w3 w3", "w2"]
    scores = mr.score(["w1", "w2", "w3"], references, encoder=ENCODER, idf=True)
    weight = idf_of(["w1 w2", "w1", "w1 w3 w3", "w2"])
    assert scores.idf.of(["w1", "w2", "w3", "w4"]) == pytest.approx([weight(f"w{n}") for n in range(1, 5)])
    fitted = mr.score_idf(["w1 w2", "w1", "w1 w3 w3", "w2"], encoder=ENCODER)
    assert fitted.table == scores.idf.table
    assert fitted.unseen == scores.idf.unseen


def test_references_without_a_known_word_count_among_references():
    assert mr.score_idf(["w1", "?"], encoder=ENCODER).of(["w1"])[0] == pytest.approx(math.log(3 / 2))


def test_words_of_all_references_are_refused_as_weights():
    for references in (["w2 w1"], ["w2 w1", "w1 w2 w2"]):
        with pytest.raises(ValueError, match=r"idf: every token is in all .* more texts, or leave them out"):
            mr.score(["w1"] * len(references), references, encoder=ENCODER, idf=True)
        with pytest.raises(ValueError, match="idf: every token is in all of the texts"):
            mr.score_idf(references, encoder=ENCODER)
    assert mr.score(["w1"], ["w1"], encoder=ENCODER, idf=mr.score_idf(["w1", "w2"], encoder=ENCODER)).f1[0] > 0.999


def test_given_weights_replace_those_of_the_references():
    heavy = TokenWeights({"w1": 1e6})
    scores = mr.score(["w1 w2"], ["w1 w3"], encoder=ENCODER, measure=GREEDY, idf=heavy)
    assert scores.f1[0] == pytest.approx(1, abs=1e-5)
    assert scores.idf is heavy
    assert mr.score(["w1"], ["w2"], encoder=ENCODER, idf=False).idf is None


def test_mass_is_what_the_measure_gives_times_the_weight():
    measure = mr.wrd.replace(capacity=2)
    weights = TokenWeights({"w1": 3.0, "w2": 0.5})
    found = mr.score(["w1 w2 w3"], ["w2 w4"], encoder=ENCODER, measure=measure, idf=weights)
    x, y = (np.asarray(ENCODER.encode([text]).sequences[0], np.float64) for text in ("w1 w2 w3", "w2 w4"))
    a, b = np.linalg.norm(x, axis=1) * [3.0, 0.5, 1.0], np.linalg.norm(y, axis=1) * [0.5, 1.0]
    assert found.precision[0] == pytest.approx(1 - measure(x, y, a, b), abs=1e-9)
    assert found.recall[0] == pytest.approx(1 - measure(y, x, b, a), abs=1e-9)


def test_weights_of_an_encoder_are_multiplied_and_spaces_come_first():
    space = mr.fit(ENCODER, REFERENCES, ["centring", "sif"])
    inside = mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, space=space, idf=True)
    over = mr.score(CANDIDATES, REFERENCES, encoder=space.over(ENCODER), idf=True)
    np.testing.assert_array_equal(stacked(inside), stacked(over))
    k, weight = 3, idf_of(REFERENCES)
    x, y = (space(ENCODER.encode([text])).text(0) for text in (CANDIDATES[k], REFERENCES[k]))
    a, b = (np.array([weight(word) for word in text.tokens]) * text.weights for text in (x, y))
    assert inside.precision[k] == pytest.approx(1 - DEFAULT_MEASURE(x.vectors, y.vectors, a, b), abs=1e-9)


# ---- several references ----------------------------------------------------------------------------------------------


def test_of_several_references_the_best_counts():
    references = [texts(1 + k % 4, 100 + k) for k in range(len(CANDIDATES))]
    weights = mr.score_idf(REFERENCES, encoder=ENCODER)
    found = mr.score(CANDIDATES, references, encoder=ENCODER, idf=weights)
    for k, (candidate, own) in enumerate(zip(CANDIDATES, references, strict=True)):
        alone = mr.score([candidate] * len(own), own, encoder=ENCODER, idf=weights)
        assert found.best[k] == np.argmax(alone.f1)
        np.testing.assert_array_equal(stacked(found)[k], stacked(alone)[found.best[k]])
        assert found.best_references[k] == own[found.best[k]]
    assert len(set(found.best.tolist())) == 4


def test_equal_references_tie_in_their_order_and_one_without_a_word_is_never_the_best():
    own = encoder(shift=0.0)
    opposite = WordVectors(["up", "down"], [[1.0, 0.0], [-1.0, 0.0]])
    assert mr.score(["w1"], [["w2", "w2", "?"]], encoder=own).best.tolist() == [0]
    found = mr.score(["up"], [["?", "down"]], encoder=opposite, idf=False)
    assert found.best.tolist() == [1]
    assert found.f1[0] == pytest.approx(-1)
    assert found.scored.all()


# ---- texts that cannot be compared -----------------------------------------------------------------------------------


def test_pairs_without_a_known_word_score_zero_and_are_counted():
    said = r"3 of 4 pairs .* first is pair 1, whose candidate is 'unknown'"
    with pytest.warns(mr.UnscoredWarning, match=said) as told:
        scores = mr.score(["w1", "unknown", "w2", ""], ["w1", "w1", "?", ""], encoder=ENCODER)
    assert told[0].filename == __file__
    assert scores.unscored == [1, 2, 3]
    np.testing.assert_allclose(stacked(scores), [[1] * 3, *[[0] * 3] * 3], atol=1e-6)
    assert scores.mean == pytest.approx((0.25, 0.25, 0.25), abs=1e-6)
    assert scores.to_dict()["unscored"] == 3
    assert "3 without a token on one side, not compared" in str(scores)
    assert "3 not compared" in repr(scores)
    with pytest.warns(mr.UnscoredWarning, match="first is pair 0, whose reference is 'only'"):
        mr.score(["w1"], [["only", "unknown"]], encoder=ENCODER)
    with pytest.warns(mr.UnscoredWarning, match="1 of 1 pairs"):
        assert mr.score(["?"], ["?"], encoder=ENCODER).f1.tolist() == [0]


def test_a_zero_vector_has_no_direction():
    own = WordVectors(["a", "zero"], [[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"texts: the vector of 'zero' in 'a zero' is zero, .* weighting by norm"):
        mr.score(["a"], ["a zero"], encoder=own, measure=BALANCED)
    assert mr.score(["a"], ["a zero"], encoder=own, measure="wrd").f1[0] == pytest.approx(1)
    with pytest.warns(mr.UnscoredWarning, match="whose reference is 'zero'"):
        found = mr.score(["a", "a"], ["a", "zero"], encoder=own, measure="wrd")
    assert found.scored.tolist() == [True, False]
    with pytest.warns(mr.UnscoredWarning, match="whose candidate is 'zero'"):
        mr.score(["zero"], ["a"], encoder=own, measure="wrd")


# ---- baselines -------------------------------------------------------------------------------------------------------


def test_a_baseline_is_the_mean_of_random_pairs():
    all_texts = [*CANDIDATES, *REFERENCES]
    small = mr.score_baseline(all_texts[:3], encoder=ENCODER, pairs=4000)
    pairs = [(x, y) for x in all_texts[:3] for y in all_texts[:3] if x != y]
    every = mr.score(*zip(*pairs, strict=True), encoder=ENCODER, idf=False)
    spread = stacked(every).std(axis=0) / math.sqrt(4000)  # of a mean of so many draws
    assert (abs(np.array([small.precision, small.recall, small.f1]) - every.mean) < 5 * spread).all()
    assert small.pairs == 4000


def test_a_baseline_depends_on_its_seed_alone():
    first, same, other = (mr.score_baseline(CANDIDATES, encoder=ENCODER, pairs=50, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first.f1 != other.f1
    assert mr.score_baseline([*CANDIDATES, "?"], encoder=ENCODER, pairs=5000).pairs < 5000
    assert json.loads(json.dumps(first.to_dict()))["f1"] == first.f1


def test_scores_are_rescaled_one_by_one():
    baseline = mr.score_baseline(CANDIDATES, encoder=ENCODER, pairs=500)
    plain, moved = (mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, baseline=one) for one in (None, baseline))
    for name in ("precision", "recall", "f1"):
        mean = getattr(baseline, name)
        np.testing.assert_allclose(getattr(moved, name), (getattr(plain, name) - mean) / (1 - mean), rtol=1e-12)
    assert np.argsort(moved.f1).tolist() == np.argsort(plain.f1).tolist()
    assert moved.baseline is baseline
    assert mr.score(["w1 w2"], ["w1 w2"], encoder=ENCODER, baseline=baseline).f1[0] == pytest.approx(1, abs=1e-6)
    with pytest.warns(mr.UnscoredWarning):
        lost = mr.score(["?"], ["w1"], encoder=ENCODER, baseline=baseline)
    assert lost.f1[0] == pytest.approx(-baseline.f1 / (1 - baseline.f1))


def test_a_baseline_refuses_scores_of_another_kind():
    baseline = mr.score_baseline(CANDIDATES, encoder=ENCODER, pairs=50, idf=True)
    space = mr.fit(ENCODER, CANDIDATES, ["centring"])
    given = {"candidates": CANDIDATES, "references": REFERENCES, "baseline": baseline, "idf": True}
    mr.score(**given, encoder=encoder())  # equal vectors
    for other in ({"encoder": encoder(1)}, {"encoder": ENCODER, "space": space}):
        with pytest.raises(mr.EncoderMismatchError, match=r"baseline: .* they differ in (digest|space)"):
            mr.score(**given, **other)
    said = r"baseline: was fitted for wrd\(capacity=4\), but the scores are by wrd"
    with pytest.raises(mr.MeasureMismatchError, match=said):
        mr.score(**given, encoder=ENCODER, measure="wrd")
    weights = mr.score_idf(REFERENCES, encoder=ENCODER)
    for idf in (False, weights):
        with pytest.raises(ValueError, match="baseline: was fitted with idf=True, but the scores have"):
            mr.score(**{**given, "idf": idf}, encoder=ENCODER)
    own = mr.score_baseline(CANDIDATES, encoder=ENCODER, idf=weights, pairs=50)
    again = mr.score_idf(REFERENCES, encoder=ENCODER)
    mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, idf=again, baseline=own)
    with pytest.raises(ValueError, match=r"was fitted with weights [0-9a-f]{8}, but"):
        mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, idf=TokenWeights({"w1": 2}), baseline=own)


def test_encoders_of_ones_own_are_told_apart_by_name():
    def named(name):
        return CallableEncoder(
            lambda texts: [(text.split(), np.eye(9)[: len(text.split())]) for text in texts], name=name
        )

    baseline = mr.score_baseline(CANDIDATES, encoder=named("a"), pairs=9)
    mr.score(["w1"], ["w1"], encoder=named("a"), baseline=baseline)
    with pytest.raises(mr.EncoderMismatchError, match=r"'a'.*'b'; they differ in name"):
        mr.score(["w1"], ["w1"], encoder=named("b"), baseline=baseline)


def test_a_baseline_needs_two_texts_and_room_below_one():
    with pytest.raises(mr.NoTokensError, match="at least two different ones, got 1"):
        mr.score_baseline(["w1", "w1"], encoder=ENCODER)
    with pytest.raises(mr.NoTokensError, match="no pair of two different texts that both have a token"):
        mr.score_baseline(["w1", "?", "!"], encoder=ENCODER, pairs=1)
    long = WordVectors(["a", "b"], [[3.0, 0.0], [3.0, 0.1]])
    with pytest.raises(ValueError, match="mean precision of random pairs is 9, not below 1"):
        mr.score_baseline(["a", "b"], encoder=long, measure="maxsim", pairs=9)


#: Measures whose every field differs from the default somewhere.
CUSTOM = [
    DEFAULT_MEASURE,
    GREEDY,
    mr.Measure("euclidean", "uniform", capacity=1 / 0.3, fraction=0.7),
    mr.Measure("sqeuclidean", "norm", problem="relaxed"),
    mr.wmd.replace(problem=mr.Sinkhorn(epsilon=0.1 + 0.2, relative=False, tolerance=1e-7, max_iterations=0)),
    mr.wrd.replace(problem=mr.Sinkhorn(marginal_penalty=1 / 3)),
    mr.wmd.replace(problem=mr.Sinkhorn(debiased=True)),
]
IDENTITY = mr.EncoderIdentity(
    "Own “kind”", "b\n", 9, "0" * 32, {"a": 1, "b": 0.1 + 0.2, "c": True, "d": None, "e": "", "f": 1.0, "g": -(1 << 62)}
)


def made(**changes):
    given = {"precision": 1 / 3, "recall": -0.1, "f1": 5e-324, "pairs": 7, "encoder": IDENTITY, "measure": mr.wrd}
    return ScoreBaseline(**{**given, "idf": None, **changes})


@pytest.mark.parametrize("measure", CUSTOM)
@pytest.mark.parametrize("idf", [False, True, TokenWeights({"w1": 2, "w2": 0.5})])
def test_a_baseline_comes_back_from_a_file(measure, idf, tmp_path):
    baseline = mr.score_baseline(CANDIDATES, encoder=ENCODER, measure=measure, idf=idf, pairs=20)
    baseline.save(tmp_path / "baseline.json")
    again = mr.ScoreBaseline.load(str(tmp_path / "baseline.json"))
    assert again == baseline
    assert hash(again) == hash(baseline)
    scores = [
        mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=measure, idf=idf, baseline=one)
        for one in (baseline, again)
    ]
    assert (stacked(scores[0]) == stacked(scores[1])).all()
    with pytest.raises(mr.EncoderMismatchError, match="they differ in digest"):
        mr.score(CANDIDATES, REFERENCES, encoder=encoder(1), measure=measure, idf=idf, baseline=again)
    with pytest.raises(mr.MeasureMismatchError, match="baseline: was fitted for"):
        mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure="maxsim", idf=idf, baseline=again)
    with pytest.raises(ValueError, match="baseline: was fitted with"):
        mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, measure=measure, idf=idf is False, baseline=again)


def test_every_part_of_an_identity_comes_back(tmp_path):
    made().save(tmp_path / "b")
    again = mr.ScoreBaseline.load(tmp_path / "b")
    assert again == made()
    assert [(type(value), value) for value in again.encoder.options.values()] == [
        (type(value), value) for value in IDENTITY.options.values()
    ]


def test_a_space_is_part_of_what_a_file_keeps(tmp_path):
    space = mr.fit(ENCODER, CANDIDATES, ["centring"])
    mr.score_baseline(CANDIDATES, encoder=ENCODER, space=space, pairs=20).save(tmp_path / "b")
    again = mr.ScoreBaseline.load(tmp_path / "b")
    mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, space=space, baseline=again)
    with pytest.raises(mr.EncoderMismatchError, match="they differ in space"):
        mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, baseline=again)


def test_whatever_happens_to_a_byte_of_a_baseline_is_noticed(tmp_path):
    path = tmp_path / "b"
    made(idf="references").save(path)
    octets = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(len(octets)):
        for changed in (octets[:place], octets[:place] + bytes([rng.integers(256)]) + octets[place + 1 :]):
            path.write_bytes(changed)
            try:
                found = mr.ScoreBaseline.load(path)
            except ValueError as error:
                assert str(error).startswith(f"{path}: is not a baseline of moverank: ")  # noqa: PT017
            else:
                assert found == made(idf="references")


def content_changed(**changes):
    """Bytes of a file whose checksum is right, but not its content."""
    content = {name: getattr(made(), name) for name in ("precision", "recall", "f1", "pairs", "encoder", "measure")}
    whole = json.loads(storing.to_bytes({**content, "idf": None}))
    whole["content"] = {name: value for name, value in {**whole["content"], **changes}.items() if value != "gone"}
    return json.dumps({**whole, "crc32": storing._checksum(whole["content"])}).encode()


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "is not JSON"),
        (b"\x80\x04K\x01.", "is not JSON"),  # a pickle
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "expected an object, got list"),
        (b"{}", "'format' is missing"),
        (b'{"format": "moverank index", "version": 2}', "its format is not 'moverank score baseline'"),
        (b'{"format": "moverank score baseline", "version": 2}', "version 2, this moverank reads version 1"),
        (b" " * ((1 << 24) + 1), "has more than 16777216 bytes"),
        (content_changed(precision=1), "precision: expected a finite number below 1, got 1"),
        (content_changed(f1=10**400), "too large"),
        (content_changed(recall=True), "'recall' is True, expected float"),
        (content_changed(pairs=0), "pairs must be at least 1, got 0"),
        (content_changed(pairs=-1), "'pairs' is -1, expected a count"),
        (content_changed(idf="rare"), "idf: expected 'references', a digest or None, got 'rare'"),
        (content_changed(measure=None), "measure: expected Measure, got NoneType"),
        (content_changed(measure={"ground": "cosine"}), "'weighting' is missing"),
        (content_changed(encoder={"kind": "A"}), "expected an object of kind, name, dim, digest and options"),
        (content_changed(encoder="gone"), "'encoder' is missing"),
        (content_changed(more=1), "'more' is unknown"),
    ],
)
def test_files_that_are_no_baseline_are_refused(octets, said, tmp_path):
    path = tmp_path / "b.json"
    path.write_bytes(octets)
    with pytest.raises(ValueError, match=said) as refused:
        mr.ScoreBaseline.load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert type(refused.value) is ValueError


def test_a_file_may_be_laid_out_in_another_way(tmp_path):
    made().save(tmp_path / "b")
    (tmp_path / "b").write_text(json.dumps(json.loads((tmp_path / "b").read_text()), indent=4, sort_keys=True))
    assert mr.ScoreBaseline.load(tmp_path / "b") == made()


def test_a_baseline_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path, link = tmp_path / "b", tmp_path / "link"
    made().save(path)
    path.chmod(0o640)
    link.symlink_to(path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as refused:
            made(pairs=9).save(link)
    assert refused.value.filename == str(link)
    assert mr.ScoreBaseline.load(path) == made()
    made(pairs=9).save(link)
    assert link.is_symlink()
    assert (path.stat().st_mode & 0o777) == 0o640
    assert mr.ScoreBaseline.load(path).pairs == 9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "link"]
    for missing in (tmp_path / "none" / "b", tmp_path):
        with pytest.raises(OSError, match=str(missing)):
            made().save(missing)
    with pytest.raises(FileNotFoundError):
        mr.ScoreBaseline.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"f1": 1.0}, ValueError, "f1: expected a finite number below 1, got 1"),
        ({"recall": -math.inf}, ValueError, "recall: expected a finite number below 1, got -inf"),
        ({"precision": math.nan}, ValueError, "precision: expected a finite number below 1, got nan"),
        ({"precision": "0.5"}, TypeError, "precision must be a real number, got '0.5'"),
        ({"pairs": 1.0}, TypeError, "pairs must be an integer, got 1.0"),
        ({"encoder": ENCODER}, TypeError, "encoder: expected EncoderIdentity, got WordVectors"),
        ({"measure": "wrd"}, TypeError, "measure: expected Measure, got str"),
        ({"idf": True}, ValueError, "idf: expected 'references', a digest or None, got True"),
    ],
)
def test_baselines_that_could_not_rescale_are_refused(changes, kind, said):
    with pytest.raises(kind, match=said):
        made(**changes)


# ---- what comes back -------------------------------------------------------------------------------------------------


def test_reasons_add_up_to_the_scores():
    scores = mr.score(CANDIDATES, [[REFERENCES[0], text] for text in REFERENCES], encoder=ENCODER)
    for k in (0, 7, -1):
        for of in ("precision", "recall"):
            alignment = scores.explain(k, of)
            assert 1 - alignment.value == pytest.approx(getattr(scores, of)[k], abs=1e-9)
            assert sum(move.contribution for move in alignment.pairs) == pytest.approx(alignment.value, abs=1e-6)
            sides = scores.candidates[k].split(), scores.best_references[k].split()
            assert [list(alignment.source_tokens), list(alignment.target_tokens)] == list(
                sides if of == "precision" else sides[::-1]
            )
    assert mr.score(["w1 x"], ["w1"], encoder=ENCODER).explain(0).lost.query_dropped == 1


def test_nothing_explains_what_was_not_compared():
    with pytest.warns(mr.UnscoredWarning):
        scores = mr.score(["w1", "?"], ["w2", "w1"], encoder=ENCODER)
    with pytest.raises(ValueError, match="pair: 1 was not compared"):
        scores.explain(1)
    with pytest.raises(IndexError, match="pair: 2 of 2"):
        scores.explain(2)


def test_tables_have_a_line_per_pair_and_one_of_means():
    scores = mr.score(["w1\n w2", "w3 x"], [["w1", "w2"], "w3"], encoder=ENCODER)
    lines = scores.table().split("\n")
    assert lines[0].split() == ["pair", "precision", "recall", "f1", "best", "candidate"]
    assert lines[1].split()[-2:] == ["w1", "w2"]
    assert lines[3].startswith("mean")
    assert lines[4] == "without a vector or mass: 1 words of candidates, 0 of references"
    assert scores.table(max_rows=1).split("\n")[2] == "1 other pairs"
    many = mr.score(["w1"] * 50, ["w1"] * 50, encoder=ENCODER)
    assert "18 other pairs" in str(many)
    assert len(many.table().split("\n")) == 52


def test_json_says_what_the_scores_are():
    scores = mr.score(CANDIDATES, [[text, "w1"] for text in REFERENCES], encoder=ENCODER)
    found = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    numbers = [[pair[name] for name in ("precision", "recall", "f1")] for pair in found["pairs"]]
    assert numbers == stacked(scores).tolist()
    assert [pair["best"] for pair in found["pairs"]] == scores.best.tolist()
    assert found["pairs"][3]["candidate"] == CANDIDATES[3]
    assert found["mean"] == scores.mean._asdict()
    assert (found["measure"], found["baseline"]) == (DEFAULT_MEASURE.name, None)
    assert "candidate" not in scores.to_dict(contents=False)["pairs"][0]


def test_a_dataframe_has_a_row_per_pair():
    pd = pytest.importorskip("pandas")
    scores = mr.score(CANDIDATES, pd.Series(REFERENCES, index=range(100, 160)), encoder=ENCODER)
    frame = scores.to_dataframe()
    assert list(frame) == ["candidate", "reference", "precision", "recall", "f1", "best", "scored"]
    assert frame["f1"].tolist() == scores.f1.tolist()
    assert frame["reference"].tolist() == REFERENCES


def test_arrays_cannot_be_changed():
    scores = mr.score(["w1"], ["w1"], encoder=ENCODER)
    for array in (scores.precision, scores.recall, scores.f1, scores.best, scores.scored):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# ---- how they are computed -------------------------------------------------------------------------------------------


def test_scores_do_not_depend_on_blocks_threads_or_company(monkeypatch):
    weights = mr.score_idf(REFERENCES, encoder=ENCODER)
    together = mr.score(CANDIDATES, REFERENCES, encoder=ENCODER, idf=weights, num_threads=3)
    alone = [mr.score([x], [y], encoder=ENCODER, idf=weights) for x, y in zip(CANDIDATES, REFERENCES, strict=True)]
    np.testing.assert_array_equal(stacked(together), np.concatenate([stacked(one) for one in alone]))
    monkeypatch.setattr(compare, "_TEXTS_AT_ONCE", 7)
    monkeypatch.setattr(compare, "_PAIRS_AT_ONCE", 7)
    unknown = [f"?{n}" for n in range(20)]
    with pytest.warns(mr.UnscoredWarning):
        in_blocks = mr.score([*unknown, *CANDIDATES], [*unknown, *REFERENCES], encoder=ENCODER, idf=weights)
    np.testing.assert_array_equal(stacked(in_blocks)[20:], stacked(together))


def test_each_distinct_text_is_encoded_once_as_a_document():
    seen = []

    class Sides:
        def encode(self, texts, *, skip_empty=False):
            raise AssertionError("neither side is a query")

        def encode_documents(self, texts, *, skip_empty=False) -> EncodedTexts:
            seen.extend(texts)
            return ENCODER.encode(texts, skip_empty=skip_empty)

    reported = []
    mr.score(["w1", "w2", "w1"], [["w3", "w1"], "w3", "w4"], encoder=Sides(), progress=lambda *at: reported.append(at))
    assert sorted(seen) == ["w1", "w2", "w3", "w4"]
    assert reported == [(4, 4)]


def test_an_encoder_of_ones_own_may_give_weights():
    vectors = np.eye(3, dtype=np.float32)

    class Weighed:
        def encode(self, texts, *, skip_empty=False):
            one = mr.Sequences([vectors for _ in texts], [[1.0, 2.0, 0.0] for _ in texts])
            return EncodedTexts(one, [["a", "b", "c"] for _ in texts], list(range(len(texts))), [0] * len(texts))

    given = mr.Measure("cosine", "given")
    scores = mr.score(["x"], ["y"], encoder=Weighed(), measure=given, idf=False)
    assert scores.explain(0).a.tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    plain = CallableEncoder(lambda texts: [vectors for _ in texts])
    with pytest.raises(ValueError, match="measure: its weighting is 'given', but neither the encoder nor idf"):
        mr.score(["x"], ["y"], encoder=plain, measure=given, idf=False)


# ---- what cannot be scored -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidates", "references", "kind", "message"),
    [
        (["w1"], ["w1", "w2"], ValueError, "references: expected 1, one per candidate .*, got 2"),
        ("w1", ["w1"], TypeError, "candidates: expected a list of texts, got one string"),
        (["w1"], "w1", TypeError, "references: expected a list of texts, got one string"),
        ([], [], ValueError, "candidates: expected at least one, got none"),
        (["w1"], [[]], ValueError, r"references\[0\]: expected at least one text, got none"),
        (["w1", None], ["w1", "w2"], TypeError, r"candidates: candidate 1 is missing \(None\)"),
        (["w1", "w2"], ["w1", math.nan], TypeError, r"references: reference 1 is missing \(nan\)"),
        (["w1", "w2"], [["w1"], math.nan], TypeError, r"references: reference 1 is missing \(nan\)"),
        (["w1", "w2"], ["w1", ["w2", None]], TypeError, r"references\[1\]: reference 1 is missing \(None\)"),
        (["w1"], [3], TypeError, "references: reference 0 is not a string but int"),
        (["w1"], [b"w1"], TypeError, "references: reference 0 is not a string but bytes"),
        (["w1"], [{"w1": 1}], TypeError, "references: reference 0 is not a string but dict"),
        ([["w1"]], ["w1"], TypeError, "candidates: candidate 0 is not a string but list"),
    ],
)
def test_what_cannot_be_scored_is_named(candidates, references, kind, message):
    with pytest.raises(kind, match=message):
        mr.score(candidates, references, encoder=ENCODER)


def test_missing_texts_of_pandas_are_named():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="candidates: candidate 2 is missing"):
        mr.score(pd.Series(["w1", "w2", None]), ["w1"] * 3, encoder=ENCODER)
    with pytest.raises(TypeError, match=r"candidates: .*give one of its columns"):
        mr.score(pd.DataFrame({"a": ["w1"]}), ["w1"], encoder=ENCODER)
