"""The paraphrase example: chains visit sentences as often as they should, and find near ones."""

import itertools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

import moverank as mr

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))

from paraphrase import corpus, mixing, moves, sampler, search
from paraphrase.__main__ import main
from paraphrase.language_model import KneserNey
from paraphrase.proposals import WordProposal, Words, near_target

NOTEBOOK = Path(corpus.__file__).parent / "paraphrase.ipynb"
#: The least probability of a chi-square that passes: by chance one in a million fails, and seeds are fixed.
LEAST = 1e-6

# ---- a space of 39 sentences, whose distribution is known ------------------------------------------------------------

WORDS, LONGEST, TEMPERATURE = 3, 3, 1.0
SPACE = [s for n in range(1, LONGEST + 1) for s in itertools.product(range(WORDS), repeat=n)]
ENERGY = dict(zip(SPACE, np.random.default_rng(1).normal(size=len(SPACE)), strict=True))
BOLTZMANN = np.exp(-np.array([ENERGY[s] for s in SPACE]) / TEMPERATURE)
BOLTZMANN /= BOLTZMANN.sum()
PLACE = {s: place for place, s in enumerate(SPACE)}


def energies(sentences):
    return np.array([ENERGY[s] for s in sentences])


class Uneven:
    """Words for a place between two neighbours: far from uniform, and unlike for each pair of neighbours."""

    def __init__(self):
        random = np.random.default_rng(2)
        self._words = {
            pair: Words.of(random.random(WORDS) ** 3 + 0.02)
            for pair in itertools.product((None, *range(WORDS)), repeat=2)
        }

    def at(self, sentence, first, after):
        left = sentence[first - 1] if first else None
        return self._words[left, sentence[after] if after < len(sentence) else None]


ALL = {"replace": 0.2, "insert": 0.6, "delete": 0.1, "swap": 0.1}


def moves_of(shares, tries=3):
    return moves.Moves(Uneven(), shares, tries=tries, longest=LONGEST)


def p_value(shares, tries=3, chains=2000, steps=25):
    """How likely chains that begin in the distribution are to be where they are some steps later, if it is kept."""
    random = np.random.default_rng(3)
    starts = [SPACE[place] for place in random.choice(len(SPACE), chains, p=BOLTZMANN)]
    schedule = sampler.Schedule(1.0, TEMPERATURE, 0, steps)
    found = sampler.run(energies, moves_of(shares, tries), starts, schedule, seed=4)
    counts = np.bincount([PLACE[s] for s in found.sentences], minlength=len(SPACE))
    return chisquare(counts, chains * BOLTZMANN).pvalue


@pytest.mark.parametrize("tries", [1, 4])
@pytest.mark.parametrize(
    "shares",
    [ALL, {"replace": 1.0}, {"insert": 0.7, "delete": 0.3}, {"swap": 0.5, "replace": 0.5}],
    ids=["all", "replace", "insert-delete", "swap-replace"],
)
def test_the_distribution_is_kept(shares, tries):
    assert p_value(shares, tries) > LEAST


def test_without_hastings_correction_it_is_not_kept(monkeypatch):
    monkeypatch.setattr(moves, "log_odds", lambda there, back: 0.0)
    assert p_value(ALL) < LEAST
    assert p_value({"replace": 1.0}) > LEAST  # has no need of it


@pytest.mark.parametrize("shares", [{"replace": 1.0}, {"insert": 0.7, "delete": 0.3}, ALL])
def test_without_division_by_the_proposal_it_is_not_kept(monkeypatch, shares):
    monkeypatch.setattr(moves, "log_weights", lambda found, proposals, temperature: -found / temperature)
    assert p_value(shares) < LEAST


def test_without_other_words_on_the_way_back_it_is_not_kept(monkeypatch):
    real = Words.draw
    monkeypatch.setattr(Words, "draw", lambda words, count, random: real(words, count, random) if count == 5 else [])
    assert p_value({"insert": 0.5, "delete": 0.5}, tries=5) < LEAST


def visited(shares, steps=6000, chains=4):
    """Share of the steps that chains from one sentence are at each sentence, after the first hundred."""
    counts = Counter()
    schedule = sampler.Schedule(1.0, TEMPERATURE, 0, steps)
    sampler.run(
        energies,
        moves_of(shares),
        [(0, 0, 0)] * chains,
        schedule,
        seed=5,
        observe=lambda step, sentences: counts.update(sentences) if step >= 100 else None,
    )
    shares_of = np.array([counts[s] for s in SPACE], dtype=float)
    return shares_of / shares_of.sum()


def test_chains_reach_the_distribution_from_one_sentence(monkeypatch):
    # Total variation; 24 000 dependent visits of 39 sentences are some 0.03 off.
    assert np.abs(visited(ALL) - BOLTZMANN).sum() / 2 < 0.06
    monkeypatch.setattr(moves, "log_odds", lambda there, back: 0.0)
    assert np.abs(visited(ALL) - BOLTZMANN).sum() / 2 > 0.08


def test_moves_that_cannot_be_undone_are_refused():
    with pytest.raises(ValueError, match="one of insert and delete is 0"):
        moves.Moves(Uneven(), {"insert": 1.0})
    with pytest.raises(ValueError, match="expected 1 <= shortest <= longest, got 3 and 2"):
        moves.Moves(Uneven(), shortest=3, longest=2)
    with pytest.raises(ValueError, match="tries must be at least 1, got 0"):
        moves.Moves(Uneven(), tries=0)


# ---- chains ----------------------------------------------------------------------------------------------------------


def test_chains_are_measured_in_one_call_and_do_not_disturb_each_other():
    calls = []

    def counted(sentences):
        calls.append(len(sentences))
        return energies(sentences)

    assert sampler.Schedule.annealed(0.5, 30) == sampler.Schedule(4.0, 0.5, 15, 30)
    schedule = sampler.Schedule(2.0, 0.5, 10, 30)
    assert [schedule.temperature(step) for step in (0, 5, 10, 29)] == pytest.approx([2.0, 1.0, 0.5, 0.5])
    three = sampler.run(counted, moves_of(ALL), [(0,), (1, 2), (2, 2, 2)], schedule, seed=7)
    assert len(calls) == 31
    one = sampler.run(energies, moves_of(ALL), [(0,)], schedule, seed=7)
    np.testing.assert_array_equal(one.energies[:, 0], three.energies[:, 0])
    assert not np.array_equal(one.energies, sampler.run(energies, moves_of(ALL), [(0,)], schedule, seed=8).energies)
    assert sum(three.tried.values()) == 3 * 20
    assert all(0 <= share <= 1 for share in three.acceptance().values())
    assert three.energies[-1].tolist() == energies(three.sentences).tolist()
    assert three.lengths[-1].tolist() == [len(s) for s in three.sentences]


def test_the_best_are_the_best_of_all_that_was_measured():
    seen = {}

    def noted(sentences):
        found = energies(sentences)
        seen.update(zip(sentences, found.tolist(), strict=True))
        return found

    found = sampler.run(noted, moves_of(ALL), [(0,)] * 2, sampler.Schedule(1.0, 1.0, 0, 60), keep=5)
    assert found.best == sorted((energy, s) for s, energy in seen.items())[:5]


# ---- the language model ----------------------------------------------------------------------------------------------

SENTENCES = [[0, 1, 2], [0, 1, 3], [2, 1, 0, 4], [0, 1, 2, 5], [3], [5, 5, 1]]
MODEL = KneserNey(SENTENCES, 5)  # 5 stands for unknown words


def plain_kneser_ney(u, v, w):
    """The formulas of Chen and Goodman, order by order, counted anew."""
    padded = [[7, 7, *s, 6] for s in SENTENCES]
    trigrams = Counter(g for s in padded for g in zip(s, s[1:], s[2:], strict=False))
    bigrams = Counter((b, c) for _, b, c in trigrams)
    unigrams = Counter(c for _, c in bigrams)

    def smoothed(counts, context, lower):
        own = {g: n for g, n in counts.items() if g[:-1] == context}
        values = list(counts.values())
        once, twice = values.count(1), values.count(2)
        discount = once / (once + 2 * twice) if once and twice else 0.5
        if not own:
            return lower
        total = sum(own.values())
        return max(counts[(*context, w)] - discount, 0) / total + discount * len(own) / total * lower

    alone = smoothed(Counter({(c,): n for c, n in unigrams.items()}), (), 1 / 7)
    return smoothed(trigrams, (u, v), smoothed(bigrams, (v,), alone))


def test_probabilities_are_those_of_the_formulas_and_sum_to_one():
    for u, v in itertools.product(range(8), repeat=2):
        found = [MODEL.probability(u, v, w) for w in range(7)]
        assert found == pytest.approx([plain_kneser_ney(u, v, w) for w in range(7)], abs=1e-12)
        assert sum(found) == pytest.approx(1)
        assert min(found) > 0


def test_proposals_see_the_lower_orders():
    for v, w in itertools.product(range(5), repeat=2):
        # A context of two that never occurred leaves it to these.
        assert MODEL.after(v)[w] == pytest.approx(MODEL.probability(4, v, w))
        assert MODEL.before(w)[v] == pytest.approx(MODEL.after(v)[w])
    assert MODEL.before(MODEL.end)[4] == pytest.approx(MODEL.probability(4, 4, MODEL.end))


def test_the_likelihood_of_a_sentence_is_the_product_over_its_words():
    expected = np.log([MODEL.probability(7, 7, 0), MODEL.probability(7, 0, 1), MODEL.probability(0, 1, 6)]).sum()
    assert MODEL.log_likelihood([0, 1]) == pytest.approx(expected)
    assert MODEL.perplexity([[0, 1]]) == pytest.approx(np.exp(-expected / 3))
    # The product of so many would be 0 in float64.
    assert MODEL.log_likelihood([4, 3] * 1000) == pytest.approx(
        MODEL.log_likelihood([4, 3] * 500) + 500 * np.log(MODEL.probability(4, 3, 4) * MODEL.probability(3, 4, 3)),
        rel=1e-9,
    )


@pytest.fixture(scope="module")
def known():
    return corpus.load(80)


@pytest.fixture(scope="module")
def model(known):
    return KneserNey(known.sentences, len(known.words))


def test_the_model_predicts_abstracts_better_than_words_alone(known):
    unknown, half = len(known.words), len(known.sentences) // 2
    learnt = KneserNey(known.sentences[:half], unknown)
    rest = known.sentences[half:]
    counts = Counter(w for s in known.sentences[:half] for w in (*s, unknown + 1))
    total = sum(counts.values())
    logs = [np.log((counts[w] + 1) / (total + unknown + 2)) for s in rest for w in (*s, unknown + 1) if w != unknown]
    assert learnt.perplexity(rest) < 0.9 * np.exp(-np.mean(logs))


# ---- proposals, energies, searches -----------------------------------------------------------------------------------


def test_proposals_know_the_neighbours_and_not_the_word(known, model):
    random = np.random.default_rng(0)
    allowed = random.random(len(known.words)) < 0.5
    near = near_target(known.vectors[:3], known.vectors, allowed)
    assert (near > 0).tolist() == allowed.tolist()
    proposal = WordProposal(model, near)
    words = proposal.at((1, 2, 3), 1, 2)
    assert words is proposal.at((1, 9, 3), 1, 2)
    assert words is proposal.at((1, 3), 1, 1)
    assert proposal.at((9, 3), 0, 1) is proposal.between(model.start, 3)
    assert proposal.at((3, 9), 1, 2) is proposal.between(3, model.end)
    assert np.exp(words.log_probability).sum() == pytest.approx(1)
    assert np.isneginf(words.log_probability[~allowed]).all()
    assert np.isfinite(words.log_probability[allowed]).all()
    small = Words.of(np.array([0.1, 0.0, 0.6, 0.3]))
    counts = np.bincount(small.draw(4000, random), minlength=4)
    assert counts[1] == 0
    assert chisquare(counts[[0, 2, 3]], [400, 2400, 1200]).pvalue > LEAST


def test_energies_are_distances_and_nats(known, model):
    made = search.paraphrase("Aspirin lowers the risk of a stroke", known, model, fluency=0.2, chains=5)
    found = made.energy(made.starts)
    target = mr.encoders.WordVectors.default().encode(["Aspirin lowers the risk of a stroke"]).sequences[0]
    expected = [
        mr.wrd(target, known.vectors[list(s)]) - 0.2 * model.log_likelihood(s) / (len(s) + 1) for s in made.starts
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert made.energy.evaluations == 5


def test_paraphrases_avoid_the_words_of_the_target(known, model):
    made = search.paraphrase("Patients with cancer have a higher risk of infections", known, model, chains=4)
    found = sampler.run(made.energy, made.moves, made.starts, sampler.Schedule(0.1, 0.004, 200, 300), keep=30)
    used = {known.words[word] for _, sentence in found.best for word in sentence}
    assert not used & {"patients", "patient", "cancer", "cancers", "higher", "risk", "risks", "infections", "infection"}
    starts = made.energy(made.starts)
    assert found.best[0][0] < starts.min() - 0.1
    assert found.energies[-20:].mean() < starts.mean() - 0.1
    assert all(4 <= len(sentence) <= 13 for _, sentence in found.best)


def test_sentences_that_are_shown_are_unlike():
    found = [(0.1, (1, 2, 3, 4)), (0.2, (1, 2, 3, 5)), (0.3, (1, 2, 6, 7)), (0.4, (8, 9)), (0.5, (10,))]
    assert search.unlike(found, 3) == [found[0], found[2], found[3]]
    assert search.unlike(found, 9) == [found[0], *found[2:]]


def test_keywords_are_used(known, model):
    made = search.from_keywords("cancer patients", known, model, chains=4)
    found = sampler.run(made.energy, made.moves, made.starts, sampler.Schedule(0.2, 0.01, 100, 150), keep=5)
    for _, sentence in found.best:
        words = {known.words[word] for word in sentence}
        assert words & {"cancer", "cancers"}
        assert words & {"patient", "patients"}


def test_the_command_says_what_it_found(capsys):
    assert main(["--keywords", "cells mice", "--steps", "100", "--chains", "3", "--tries", "4", "--best", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("target: cells mice")
    assert lines[2].split() == ["energy", "distance", "nats", "per", "word", "sentence"]
    assert lines[-4].endswith("per second of the language model")
    assert lines[-3].startswith("accepted after cooling: replace ")
    assert lines[-2].startswith("energy: R-hat ")
    assert lines[-1].endswith(" of 150")
    for wrong in (["--target", "a", "--chains", "1"], ["--target", "a", "--temperature", "0"], []):
        with pytest.raises(SystemExit):
            main(wrong)


# ---- how well chains mix ---------------------------------------------------------------------------------------------


def autoregressive(rho, steps, chains, seed=0):
    random = np.random.default_rng(seed)
    values = np.empty((steps, chains))
    values[0] = random.normal(size=chains)
    for step in range(1, steps):
        values[step] = rho * values[step - 1] + np.sqrt(1 - rho**2) * random.normal(size=chains)
    return values


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_effective_sizes_are_those_of_autoregressive_chains(rho):
    values = autoregressive(rho, 4000, 6)
    expected = values.size * (1 - rho) / (1 + rho)
    assert mixing.effective_sample_size(values) == pytest.approx(expected, rel=0.2)
    assert mixing.split_r_hat(values) < 1.02


def test_chains_at_different_places_are_told_from_mixed_ones():
    values = autoregressive(0.3, 1000, 4)
    apart = values + np.array([0.0, 0.0, 0.0, 4.0])
    drifting = values + np.linspace(0, 4, 1000)[:, None]
    assert mixing.split_r_hat(apart) > 1.3
    assert mixing.split_r_hat(drifting) > 1.3
    assert mixing.effective_sample_size(apart) < 50
    assert mixing.split_r_hat(np.ones((20, 3))) == 1
    assert mixing.split_r_hat(np.ones((20, 1)) * np.arange(3.0)) == np.inf
    assert mixing.effective_sample_size(np.ones((20, 3))) == 60
    with pytest.raises(ValueError, match="expected at least 8 steps, got 5"):
        mixing.split_r_hat(values[:5])


def test_the_statistic_is_the_plain_formula():
    values = autoregressive(0.5, 100, 3)
    halves = np.hstack([values[:50], values[50:]])
    between = 50 * halves.mean(axis=0).var(ddof=1)
    within = halves.var(axis=0, ddof=1).mean()
    assert mixing.split_r_hat(values) == pytest.approx(np.sqrt((49 / 50 * within + between / 50) / within))


@pytest.mark.parametrize("given", [["--target", "zzqqx"], ["--keywords", ""], ["--keywords", "zzqqx !"]])
def test_a_text_of_no_known_word_is_told(given, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.endswith(f"error: {given[0]}: expected at least one word that has a vector, got {given[1]!r}\n")


def test_a_target_of_one_word_has_paraphrases(capsys):
    assert main(["--target", "mice", "--steps", "100", "--chains", "2", "--tries", "2", "--best", "1"]) == 0
    assert "target: mice" in capsys.readouterr().out


@pytest.mark.slow(reason="runs a notebook")
def test_the_notebook_runs():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert all(shown)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
