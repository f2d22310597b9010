"""Alignments under noise: samples follow distributions that can be computed, and every view says what they say."""

import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr, logsumexp, softmax
from scipy.stats import gumbel_r, kstest

import moverank as mr
from moverank.alignment import sampling

#: Times its standard error that a share may be off: by chance it happens once in two million.
SIGMAS = 5
EXACT = [mr.emd, mr.emd.replace(capacity=2), mr.emd.replace(fraction=0.6), mr.emd.replace(capacity=np.inf)]
RELAXED = [mr.emd.replace(problem="relaxed"), mr.emd.replace(problem="relaxed", capacity=3)]
SMOOTH = [
    mr.emd.replace(problem=mr.Sinkhorn(0.2)),
    mr.emd.replace(problem=mr.Sinkhorn(0.1, relative=False), capacity=2),
    mr.emd.replace(problem=mr.Sinkhorn(0.1, marginal_penalty=0.5)),
]


def noise_of(cost, samples, temperature, seed):
    """The noise that is documented: of mean 0, in units of the median cost."""
    scale = temperature * np.median(np.abs(cost[np.isfinite(cost)]))
    drawn = np.random.default_rng(seed).standard_exponential((samples, *cost.shape))
    return -scale * (np.log(drawn) + np.euler_gamma)


def test_the_noise_is_gumbel():
    noise = noise_of(np.ones((100, 100)), 20, 1.0, 0).ravel()
    assert kstest(noise, gumbel_r(loc=-np.euler_gamma).cdf).pvalue > 1e-3
    assert np.abs(noise.mean()) < SIGMAS * 1.28 / np.sqrt(noise.size)


def problem(seed, n=4, m=5):
    random = np.random.default_rng(seed)
    return random.random((n, m)) + 0.1, random.random(n) + 0.1, random.random(m) + 0.1


def assert_within_error(found, expected, samples):
    assert abs(found - expected) <= SIGMAS * np.sqrt(expected * (1 - expected) / samples) + 1e-12


# ---- what is sampled -------------------------------------------------------------------------------------------------


def swaps(delta):
    """Probability that noise of scale 1 turns a 2 x 2 assignment that is better by `delta`.

    The noise of a diagonal minus that of the other one is the sum of two differences of Gumbels, each of them
    logistic: P(L1 + L2 > delta) is the mean of sigmoid(u - delta) over a logistic u.
    """
    if abs(delta) < 1e-6:
        return 0.5
    w = np.exp(delta)
    return 1 / (1 - w) + w * delta / (1 - w) ** 2


def test_the_formula_for_swaps_is_that_integral():
    p = (np.arange(200_000) + 0.5) / 200_000
    for delta in (-2.0, 0.0, 0.3, 4.0):
        assert swaps(delta) == pytest.approx(np.mean(p / (p + (1 - p) * np.exp(delta))), abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("delta", [0.0, 0.5, -1.0, 3.0])
def test_a_swap_is_as_likely_as_noise_makes_it(delta, seed):
    noise = 0.2
    cost = np.array([[1.0, 1.3 + delta * noise], [0.9, 1.2]])
    temperature = noise / np.median(cost)
    found = mr.align([1, 1], [1, 1], costs=cost, samples=4000, temperature=temperature, seed=seed).uncertainty
    assert found.noise == pytest.approx(noise)
    expected = swaps(delta)
    assert_within_error(found.frequency[0, 1], expected, found.samples)
    assert found.frequency[0, 1] + found.frequency[0, 0] == 1
    assert found.mean[0, 1] == pytest.approx(found.frequency[0, 1] / 2, abs=1e-12)
    share = found.frequency[0, 1]
    assert found.deviation[0, 1] == pytest.approx(0.5 * np.sqrt(share * (1 - share)), abs=1e-9)
    assert found.disagreement == pytest.approx((entr(share) + entr(1 - share)) / np.log(2), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_tokens_that_choose_freely_follow_a_softmax(seed):
    cost, a, b = problem(seed)
    free = mr.emd.replace(capacity=np.inf)
    found = mr.align(a, b, free, costs=cost, samples=5000, temperature=0.3, seed=seed).uncertainty
    expected = softmax(-cost / found.noise, axis=1)
    for share, probability in zip(found.frequency.ravel(), expected.ravel(), strict=True):
        assert_within_error(share, probability, found.samples)
    np.testing.assert_allclose(found.mean, found.frequency * (a / a.sum())[:, None], atol=1e-12)
    error = np.abs(found.entropy - entr(expected).sum(axis=1) / np.log(2))
    assert error.max() < 0.1
    np.testing.assert_allclose(found.disagreement, found.entropy, atol=1e-9)  # no sample splits a token


@given(seed=st.integers(0, 1000), measure=st.sampled_from(EXACT + RELAXED + SMOOTH))
@settings(max_examples=40, deadline=None)
def test_each_sample_is_what_the_measure_gives_for_costs_less_noise(seed, measure):
    """Against one alignment after another, of the noise that is documented."""
    cost, a, b = problem(seed, 1 + seed % 4, 1 + seed % 5)
    samples, temperature = 7, 0.3
    found = mr.align(a, b, measure, costs=cost, samples=samples, temperature=temperature, seed=seed)
    assert found.value == pytest.approx(mr.align(a, b, measure, costs=cost).value)
    np.testing.assert_array_equal(found.plan, mr.align(a, b, measure, costs=cost).plan)
    each = measure
    if isinstance(measure.problem, mr.Sinkhorn) and measure.problem.relative:
        sizes = np.sort(np.abs(cost), axis=None)
        unit = sizes[(sizes.size - 1) // 2]
        each = measure.replace(problem=measure.problem.replace(epsilon=measure.problem.epsilon * unit, relative=False))
    noise = noise_of(cost, samples, temperature, seed)
    plans = np.stack([mr.align(a, b, each, costs=cost - one).plan for one in noise])
    unsure, mean = found.uncertainty, plans.mean(axis=0)
    tolerance = {"atol": 1e-9}
    np.testing.assert_allclose(unsure.mean, mean, **tolerance)
    np.testing.assert_allclose(unsure.deviation, plans.std(axis=0), **tolerance)
    share = plans / found.a[:, None]
    np.testing.assert_allclose(unsure.frequency, (share >= 0.01).mean(axis=0), **tolerance)
    np.testing.assert_allclose(unsure.values, (plans * cost).sum(axis=(1, 2)), **tolerance)
    moved = mean.sum(axis=1)
    entropy = np.array([entr(row / row.sum()).sum() if row.sum() else 0.0 for row in mean]) / np.log(2)
    np.testing.assert_allclose(unsure.entropy, entropy, **tolerance)
    own = np.zeros(len(a))
    for plan in plans:
        for i, row in enumerate(plan):
            if row.sum():
                own[i] += row.sum() * entr(row / row.sum()).sum() / np.log(2) / samples
    split = np.divide(own, moved, out=np.zeros_like(own), where=moved > 0)
    np.testing.assert_allclose(unsure.disagreement, np.maximum(entropy - split, 0), atol=1e-8)


def test_smooth_samples_are_those_of_gumbel_sinkhorn():
    """A plain transcription of Mena et al.: rows and columns of (logits + noise) / τ are normalised in turn."""
    cost, samples, temperature, epsilon = problem(3, 4, 4)[0], 20, 0.5, 0.3
    measure = mr.emd.replace(problem=mr.Sinkhorn(epsilon, relative=False, tolerance=1e-9, max_iterations=100_000))
    found = mr.align(np.ones(4), np.ones(4), measure, costs=cost, samples=samples, temperature=temperature, seed=5)
    noise = noise_of(cost, samples, temperature, 5) / found.uncertainty.noise
    tau = epsilon / found.uncertainty.noise
    logits = (-cost / found.uncertainty.noise + noise) / tau
    for _ in range(3000):
        logits = logits - logsumexp(logits, axis=2, keepdims=True)
        logits = logits - logsumexp(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(found.uncertainty.mean, np.exp(logits).mean(axis=0) / 4, atol=1e-7)
    assert found.uncertainty.not_converged == 0


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 5),
    m=st.integers(1, 6),
    measure=st.sampled_from(
        ["wmd", "wrd", "maxsim", "rwmd", mr.wrd.replace(capacity=2), mr.wmd.replace(problem="sinkhorn")]
    ),
)
@settings(max_examples=30, deadline=None)
def test_without_temperature_all_samples_are_the_plan(seed, n, m, measure):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(n, 3)), random.normal(size=(m, 3))
    found = mr.align(x, y, measure, samples=5, temperature=0)
    unsure = found.uncertainty
    np.testing.assert_allclose(unsure.mean, found.plan, atol=1e-9)
    np.testing.assert_allclose(unsure.deviation, 0, atol=1e-12)
    np.testing.assert_allclose(unsure.disagreement, 0, atol=1e-6)
    assert set(np.unique(unsure.frequency)) <= {0.0, 1.0}
    np.testing.assert_allclose(unsure.values, found.value, atol=1e-9)
    assert unsure.noise == 0


def test_equal_tokens_get_noise_of_their_own():
    x = np.array([[0.0], [0.0], [0.0], [4.0]])
    found = mr.align(x, [[1.0], [3.0]], "wmd", samples=2000, temperature=0.01)
    # Half of the mass goes to each target, so one of three equal tokens has to go far.
    unsure = found.uncertainty
    assert np.abs(unsure.frequency[:3, 1] - 1 / 3).max() < SIGMAS * np.sqrt(2 / 9 / 2000)
    assert unsure.frequency[:3].sum(axis=1) == pytest.approx(1)
    assert (unsure.disagreement[:3] > 0.8).all()
    assert unsure.disagreement[3] == pytest.approx(0, abs=1e-9)


def test_little_noise_changes_little_and_much_noise_forgets_the_costs():
    cost, a, b = problem(0)
    plan = mr.align(a, b, costs=cost).plan
    little, much = (mr.align(a, b, costs=cost, samples=3000, temperature=t).uncertainty for t in (1e-6, 1e6))
    np.testing.assert_allclose(little.mean, plan, atol=1e-12)
    assert little.disagreement.max() < 1e-6
    # Without costs, equal masses go anywhere alike.
    even = mr.align(np.ones(3), np.ones(3), costs=cost[:3, :3], samples=3000, temperature=1e6).uncertainty
    assert np.abs(even.frequency - 1 / 3).max() < SIGMAS * np.sqrt(2 / 9 / 3000)
    assert much.values.mean() > little.values.mean()


@given(seed=st.integers(0, 10_000), measure=st.sampled_from([*EXACT, mr.emd.replace(problem=mr.Sinkhorn(0.3))]))
@settings(max_examples=30, deadline=None)
def test_the_mean_plan_is_a_plan(seed, measure):
    cost, a, b = problem(seed)
    found = mr.align(a, b, measure, costs=cost, samples=9, temperature=0.5, seed=seed)
    mean, tolerance = found.uncertainty.mean, 1e-4 if isinstance(measure.problem, mr.Sinkhorn) else 1e-9
    assert mean.sum() == pytest.approx(measure.fraction, abs=tolerance)
    if measure.fraction == 1:
        np.testing.assert_allclose(mean.sum(axis=1), found.a, atol=tolerance)
    assert (mean.sum(axis=1) <= found.a + tolerance).all()
    assert (mean.sum(axis=0) <= measure.capacity * found.b + tolerance).all()
    if measure == mr.emd:
        np.testing.assert_allclose(mean.sum(axis=0), found.b, atol=tolerance)
        assert (found.uncertainty.values >= found.value - 1e-9).all()


def test_seeds_say_what_the_noise_is():
    cost, a, b = problem(1)

    def of(seed, samples=2000):
        return mr.align(a, b, costs=cost, samples=samples, temperature=0.3, seed=seed).uncertainty

    first, again, other = of(1), of(1), of(2)
    for name in ("mean", "deviation", "frequency", "entropy", "disagreement", "values"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.mean, other.mean)
    error = SIGMAS * np.sqrt((first.deviation**2 + other.deviation**2) / 2000)
    assert (np.abs(first.mean - other.mean) <= error + 1e-9).all()
    np.testing.assert_array_equal(
        of(0, 3).values, mr.align(a, b, costs=cost, samples=3, temperature=0.3).uncertainty.values
    )
    np.testing.assert_array_equal(of(4, 3).values, of(4, 30).values[:3])


def test_samples_that_do_not_fit_at_once_are_the_same(monkeypatch):
    cost, a, b = problem(2)
    whole = mr.align(a, b, costs=cost, samples=50, temperature=0.4).uncertainty
    calls = []
    real = sampling.transport_batch
    monkeypatch.setattr(
        sampling, "transport_batch", lambda costs, *a, **o: calls.append(len(costs)) or real(costs, *a, **o)
    )
    mr.align(a, b, costs=cost, samples=50, temperature=0.4)
    assert calls == [50]
    monkeypatch.setattr(sampling, "ENTRIES", 7 * cost.size)
    parts = mr.align(a, b, costs=cost, samples=50, temperature=0.4).uncertainty
    assert calls[1:] == [7] * 7 + [1]
    np.testing.assert_array_equal(whole.values, parts.values)
    np.testing.assert_array_equal(whole.frequency, parts.frequency)
    for name in ("mean", "deviation", "entropy", "disagreement"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), atol=1e-12)


def test_forbidden_moves_stay_forbidden_and_massless_tokens_move_nothing():
    cost = np.array([[1.0, np.inf, 2.0], [np.inf, 1.0, 1.0], [3.0, 1.0, 1.0]])
    found = mr.align([1, 1, 1], [1, 1, 1], costs=cost, samples=200, temperature=2.0)
    assert (found.uncertainty.mean[np.isinf(cost)] == 0).all()
    assert np.isfinite(found.uncertainty.values).all()
    assert "<div" in found.to_html(page=False)
    still = mr.align(np.eye(3), np.eye(3), "wmd", a=[1, 0, 1], samples=20, temperature=2.0).uncertainty
    assert (still.frequency[1], still.entropy[1], still.mean[1].sum()) == (pytest.approx([0, 0, 0]), 0, 0)


def test_costs_of_any_size_give_the_same_samples():
    cost, a, b = problem(3)
    one, large = (mr.align(a, b, costs=unit * cost, samples=40).uncertainty for unit in (1.0, 2.0**300))
    np.testing.assert_allclose(one.mean, large.mean, atol=1e-9)
    assert large.noise == pytest.approx(2.0**300 * one.noise)
    nothing = mr.align(np.ones((2, 1)), np.ones((2, 1)), "wmd", samples=5).uncertainty
    assert nothing.noise == pytest.approx(0.1)  # all costs are 0, and their unit is 1


def test_samples_that_do_not_converge_are_counted():
    cost, a, b = problem(4)
    hasty = mr.emd.replace(problem=mr.Sinkhorn(0.01, max_iterations=1, tolerance=1e-9))
    found = mr.align(a, b, hasty, costs=cost, samples=6).uncertainty
    assert found.not_converged == 6
    assert "6 samples are not converged" in str(found)
    assert "6 not converged" in repr(found)


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_options_of_samples_need_samples():
    for name, value in (("temperature", 0.1), ("seed", 3)):
        with pytest.raises(ValueError, match=f"{name} applies only to samples=, which is not given, got {value}"):
            mr.align(np.eye(2), np.eye(2), **{name: value})
    assert mr.align(np.eye(2), np.eye(2)).uncertainty is None


def test_noise_beyond_the_type_of_the_costs_is_refused():
    with pytest.raises(ValueError, match=r"temperature: noise of 1e\+300 times the median cost, .* exceeds float32"):
        mr.align(np.eye(2), np.eye(2), "wmd", samples=2, temperature=1e300)
    with pytest.raises(ValueError, match=r"temperature: .* exceeds float64"):
        mr.align([1, 1], [1, 1], costs=np.full((2, 2), 1e200), samples=2, temperature=1e200)


# ---- views -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unsure():
    random = np.random.default_rng(3)
    found = mr.align(random.normal(size=(3, 4)), random.normal(size=(4, 4)), "wmd", samples=60, temperature=0.4)
    return found.named(["one", "two", "one"], ["<a>", "b_1", "c", "$d$"])


def test_moves_say_what_the_arrays_say(unsure):
    moves = unsure.uncertainty.moves
    assert len(moves) == np.count_nonzero(unsure.uncertainty.mean) > np.count_nonzero(unsure.plan)
    assert [m.mean for m in moves] == sorted((m.mean for m in moves), reverse=True)
    for move in moves:
        place = move.source, move.target
        assert move == mr.UncertainMove(
            *place, *(getattr(unsure.uncertainty, name)[place] for name in ("mean", "deviation", "frequency"))
        )


def test_the_table_has_a_line_per_move_and_bits_per_token(unsure):
    lines = unsure.table().splitlines()
    moves = np.count_nonzero((unsure.plan > 0) | (unsure.uncertainty.mean > 0))
    assert len(lines) == 1 + moves + 1 + 1
    heads = "query token bits document token mass % mean % ± % seen % cost contribution"
    assert " ".join(lines[0].split()) == heads
    numbers = [line.split("->")[1].split()[-6:] for line in lines[1:-2]]
    columns = np.array(numbers, dtype=float).T
    for column, total in zip(columns[[0, 1, 5]], (100, 100, unsure.value), strict=True):
        assert column.sum() == pytest.approx(total, abs=0.1)
    heads = [line for line in lines[1:-2] if not line.startswith(" ")]
    assert sorted(re.split(r"  +", line)[0] for line in heads) == ["one [0]", "one [2]", "two"]
    bits = {re.split(r"  +", line)[0]: float(re.split(r"  +", line)[1]) for line in heads}
    assert bits["two"] == pytest.approx(unsure.uncertainty.disagreement[1], abs=0.005)
    assert lines[-1].startswith("60 samples at temperature 0.4 (Gumbel noise of scale ")
    few = unsure.table(max_rows=2).splitlines()
    assert f"{moves - 2} other moves" in few[3]
    assert few[4].split() == lines[-2].split()
    assert str(unsure) == unsure.table(max_rows=32)
    assert repr(unsure).endswith("3x4, 60 samples)")


def test_tables_for_other_programs_hold_what_samples_say(unsure):
    rows = list(csv.DictReader(io.StringIO(unsure.to_csv(), newline="")))
    assert sum(float(row["mean"]) for row in rows) == pytest.approx(1)
    assert sum(float(row["contribution"]) for row in rows) == pytest.approx(unsure.value)
    for row in rows:
        place = int(row["source"]), int(row["target"])
        assert float(row["mass"]) == unsure.plan[place]
        assert float(row["frequency"]) == unsure.uncertainty.frequency[place]
        assert float(row["deviation"]) == unsure.uncertainty.deviation[place]
    pandas = pytest.importorskip("pandas")
    read = pandas.read_csv(io.StringIO(unsure.to_csv(), newline=""))
    pandas.testing.assert_frame_equal(unsure.to_dataframe(), read)
    latex = unsure.to_latex(max_rows=3).splitlines()
    assert latex[0] == r"\begin{tabular}{llrrrrr}"
    assert sum(r"\pm" in line for line in latex) == 3
    assert rf"\multicolumn{{2}}{{l}}{{{len(rows) - 3} other moves}}" in latex[7]
    assert all(line.count("&") == 6 for line in latex[4:7])


def test_json_has_the_samples(unsure):
    found = json.loads(json.dumps(unsure.to_dict(), allow_nan=False))
    assert list(found)[-1] == "uncertainty"
    assert "uncertainty" not in mr.align(np.eye(2), np.eye(2)).to_dict()
    told = found["uncertainty"]
    assert (told["samples"], told["temperature"], told["seed"], told["not_converged"]) == (60, 0.4, 0, 0)
    assert told["noise"] == unsure.uncertainty.noise
    assert [mr.UncertainMove(**move) for move in told["moves"]] == unsure.uncertainty.moves
    assert told["disagreement"] == unsure.uncertainty.disagreement.tolist()
    assert (told["entropy"], told["values"]) == (
        unsure.uncertainty.entropy.tolist(),
        unsure.uncertainty.values.tolist(),
    )


def test_a_page_draws_the_mean_and_marks_what_is_unsure(unsure):
    page = unsure.to_html(title="why?")
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    moves = json.loads(data)
    assert sum(move[2] for move in moves) == pytest.approx(1, abs=1e-6)
    assert sum(move[5] for move in moves) == pytest.approx(1, abs=1e-6)
    assert sum(move[5] * move[3] for move in moves) == pytest.approx(unsure.value, abs=1e-5)
    assert any(move[5] == 0 for move in moves)
    marked = page.count('class="token unsure"')
    assert marked == (unsure.uncertainty.disagreement >= 0.1).sum() > 0
    assert "Where samples disagree" in page
    assert "60 samples at temperature 0.4" in page
    assert "<a>" not in page
    assert "&lt;a&gt;" in page
    sure = mr.align(np.eye(3), np.eye(3), "wmd", samples=9, temperature=1e-9).to_html()
    assert "<p>nowhere</p>" in sure
    assert "Where samples disagree" not in mr.align(np.eye(3), np.eye(3)).to_html()


def test_a_move_that_no_sample_makes_is_still_drawn():
    # Two assignments, of which the better one by a hair may well occur in no sample of one.
    cost = np.array([[0.0, 1.0], [1.0, 2.0 - 1e-9]])
    found = [mr.align([1, 1], [1, 1], costs=cost, samples=1, temperature=1.0, seed=seed) for seed in range(20)]
    other = next(one for one in found if not (one.uncertainty.mean[one.plan > 0] > 0).any())
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', other.to_html())
    assert sorted(move[2] for move in json.loads(data)) == [0, 0, 0.5, 0.5]
    assert sorted(move[5] for move in json.loads(data)) == [0, 0, 0.5, 0.5]
    assert len(other.table().splitlines()) == 1 + 4 + 2


def test_long_documents_are_folded_with_samples_too():
    random = np.random.default_rng(5)
    long = mr.align(random.normal(size=(40, 4)), random.normal(size=(300, 4)), "wmd", samples=4)
    page = long.to_html(max_tokens=20)
    assert "⋯ stands for so many" in page
    assert len(str(long).splitlines()) == 1 + 32 + 1 + 1 + 1


def test_pictures_show_the_mean_and_the_plan(unsure, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.patches import PathPatch, Rectangle

    axes = unsure.heatmap()
    axes.figure.canvas.draw()
    (squares,) = axes.collections
    assert len(squares.get_paths()) == np.count_nonzero(unsure.uncertainty.mean)
    outlines = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    assert len(outlines) == np.count_nonzero(unsure.plan)
    assert "mean of 60 samples at temperature 0.4" in axes.get_title(loc="left")
    axes = unsure.flow()
    axes.figure.canvas.draw()
    bands = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    assert len(bands) == np.count_nonzero(unsure.uncertainty.mean)
    sources, targets = np.nonzero(unsure.uncertainty.mean)
    seen = unsure.uncertainty.frequency[sources, targets]
    expected = 0.62 * (0.25 + 0.75 * seen)
    assert [band.get_alpha() for band in bands] == pytest.approx(expected.tolist())
    few = unsure.flow(max_tokens=1)
    assert "others" in few.texts[-1].get_text()
    unsure.save(tmp_path / "flow.svg")
    unsure.save(tmp_path / "heat.svg", kind="heatmap")
