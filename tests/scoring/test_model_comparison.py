"""Comparing models: the paired bootstrap's known answers, and the choice among recipes.

Of equal candidates one is seldom chosen, better ones are, none by ruining another metric. The
simulated splits are those of `bench/choice_simulation.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.choice_simulation import better, equal, improved, skewed, split
from marquee.errors import SourceError
from scoring.model_comparison import Criterion, choose_recipe, clearly_better, paired_bootstrap

RNG = np.random.default_rng(5)


def test_the_point_is_the_difference_of_the_means():
    ours, other = RNG.random(80), RNG.random(80)
    found = paired_bootstrap(ours, other, seed=1)
    assert found["difference"] == pytest.approx(ours.mean() - other.mean())
    low, high = found["interval"]
    assert low < found["lower95"] < found["difference"] < found["upper95"] < high


def test_the_interval_agrees_with_the_textbook_for_means():
    differences = RNG.normal(0.1, 1.0, 400)
    found = paired_bootstrap(differences, np.zeros(400), seed=1)
    standard_error = differences.std() / 20
    assert found["interval"][0] == pytest.approx(
        differences.mean() - 1.96 * standard_error, abs=0.02
    )
    assert found["interval"][1] == pytest.approx(
        differences.mean() + 1.96 * standard_error, abs=0.02
    )


def test_pairing_hides_what_both_share():
    people = RNG.normal(0, 5, 200)
    found = paired_bootstrap(people + 0.01, people, seed=1)
    assert found["interval"] == pytest.approx([0.01, 0.01])


def test_root_of_weighted_sums_is_the_rmse_over_rows():
    rows = RNG.integers(1, 30, 60).astype(float)
    errors = RNG.random(60) * rows
    found = paired_bootstrap(errors, errors * 2, weights=rows, root=True, seed=3)
    assert found["challenger"] == pytest.approx(np.sqrt(errors.sum() / rows.sum()))
    assert found["other"] == pytest.approx(np.sqrt(2 * errors.sum() / rows.sum()))


def test_the_seed_decides():
    ours, other = RNG.random(30), RNG.random(30)
    assert paired_bootstrap(ours, other, seed=1) == paired_bootstrap(ours, other, seed=1)
    assert paired_bootstrap(ours, other, seed=1) != paired_bootstrap(ours, other, seed=2)


@pytest.mark.parametrize("ours", [[], [np.nan, 1.0], [np.inf, 1.0]])
def test_nothing_or_not_finite_is_refused(ours):
    with pytest.raises(SourceError, match="nothing to compare"):
        paired_bootstrap(np.array(ours), np.zeros(len(ours)), seed=1)


SPLITS, UNITS = 200, 60
FALSE = 20
"""Of 200 splits: five in a hundred are 10, and more than 20 come once in a thousand."""


@pytest.mark.parametrize("candidates", [1, 3])
def test_of_equal_candidates_any_is_chosen_in_one_split_of_twenty(candidates: int) -> None:
    rng = np.random.default_rng(candidates)
    shares = equal(rng, candidates, SPLITS, UNITS)
    assert 0 < shares["errors"] * SPLITS <= FALSE, "none would mean that nothing is ever chosen"
    assert shares["errors and ranking"] * SPLITS <= FALSE
    assert shares["one standard error"] * SPLITS > FALSE, "the rule before would not pass"


@pytest.mark.parametrize("units", [60, 150])
def test_candidates_that_lose_much_on_few_are_not_called_better(units: int) -> None:
    """Random signs alone call one of three better in 38 to 49 of these 200 splits."""
    found = skewed(np.random.default_rng(7), 3, SPLITS, units, spread=1.0)
    assert 0 < found * SPLITS <= FALSE


def test_a_loss_that_most_draws_miss_makes_nothing_clear() -> None:
    """All but two of 150 gain the same: a fair share of splits holds neither of the two."""
    losses = np.full(150, 0.99)
    losses[:2] = 1.2
    sums = np.stack([np.ones(150), losses])
    assert sums[1].mean() < 1.0
    assert clearly_better([Criterion(sums, np.ones(150))], seed=1) == []


def test_a_better_error_is_found_beside_an_equal_ranking() -> None:
    rng = np.random.default_rng(12)
    found = 0
    for seed in range(20):
        errors, ranking = split(rng, 3, UNITS)
        found += choose_recipe([improved(errors, 7.0), ranking], [0] * 4, seed=seed) == 3
    assert found >= 15


def test_the_better_one_is_chosen_the_oftener_the_better_it_is() -> None:
    rng = np.random.default_rng(11)
    little, much = (better(rng, gain, 20, UNITS) for gain in (0.5, 6.0))
    assert little < 0.5
    assert much >= 0.9


def test_the_more_are_tried_the_clearer_one_must_be() -> None:
    rng = np.random.default_rng(5)
    losses = rng.normal(1.0, 0.3, (40, 200))
    differences = losses[0] - losses[1]
    losses[1] = losses[0] - (
        differences - differences.mean() + 2.3 * differences.std() / np.sqrt(200)
    )
    ones = np.ones(200)
    assert clearly_better([Criterion(losses[:2], ones)], seed=1) == [1]
    others = losses[0] + rng.normal(0.0, 0.4, (40, 200))
    others -= (others - losses[0]).mean(axis=1, keepdims=True)
    many = np.vstack([losses[:2], others])
    assert clearly_better([Criterion(many, ones)], seed=1) == []


def two_metrics(error: float, rank: float, noise: float = 0.02) -> list[Criterion]:
    """One candidate whose squared error and nDCG are so many times the incumbent's."""
    rng = np.random.default_rng(8)
    ours, alike = rng.uniform(0.5, 1.5, 300), rng.uniform(0.1, 0.3, 300)
    errors = np.stack([ours, ours * error + unbiased(rng, ours, noise)])
    ndcg = np.stack([alike, alike * rank + unbiased(rng, alike, 10 * noise)])
    weights = np.ones(300)
    return [Criterion(errors, weights, 0.01, root=True), Criterion(-ndcg, weights, 0.03)]


def unbiased(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """Noise of this share of the values that adds up to nothing."""
    noise = rng.normal(0.0, share, len(values)) * values
    return noise - noise.mean()


@pytest.mark.parametrize(
    ("error", "rank", "row"),
    [
        (0.95, 1.0, 1),  # better on prediction, alike on ranking
        (1.0, 1.2, 1),  # better on ranking, alike on prediction
        (0.95, 0.8, 0),  # the ranking is shown worse
        (1.1, 1.2, 0),  # the prediction is
        (1.0, 1.0, 0),
    ],
)
def test_one_metric_is_never_paid_with_the_other(error: float, rank: float, row: int) -> None:
    assert choose_recipe(two_metrics(error, rank), [0, 1], seed=2) == row


def test_a_loss_beyond_the_margin_counts_even_where_it_is_not_shown() -> None:
    unclear = two_metrics(0.95, 0.965, noise=0.05)
    assert unclear[1].shares[1] > 0.03
    assert choose_recipe(unclear, [0, 1], seed=2) == 0
    patient = [unclear[0], Criterion(unclear[1].sums, unclear[1].weights, 0.2)]
    assert choose_recipe(patient, [0, 1], seed=2) == 1


def test_of_the_clearly_better_the_best_and_of_equals_the_cheaper() -> None:
    rng = np.random.default_rng(4)
    held = rng.uniform(0.5, 1.5, 100)
    sums = np.stack([held, held * 0.9, held * 0.8, held * 0.8])
    criterion = Criterion(sums, np.ones(100))
    assert clearly_better([criterion], seed=1) == [1, 2, 3]
    assert choose_recipe([criterion], [0, 1, 7, 5], seed=1) == 3
    assert choose_recipe([criterion], [0, 1, 5, 7], seed=1) == 2


def test_a_unit_repeated_tells_no_more_than_once() -> None:
    """Whole units are drawn: thirty equal films of a director weigh as one would."""
    rng = np.random.default_rng(6)
    films = rng.normal(1.0, 0.3, (2, 40))
    films[1] += films[0].mean() - films[1].mean() - 1.5 * films.std() / np.sqrt(40)
    once = Criterion(films, np.ones(40))
    thirty = Criterion(30.0 * films, np.full(40, 30.0))
    each = Criterion(np.repeat(films, 30, axis=1), np.ones(1200))
    assert clearly_better([each], seed=1) == [1], "as units of their own they would be many"
    for seed in range(5):
        assert clearly_better([once], seed=seed) == clearly_better([thirty], seed=seed) == []


def test_few_units_tell_nothing() -> None:
    sums = np.stack([np.ones(19), np.full(19, 0.5)])
    assert choose_recipe([Criterion(sums, np.ones(19))], [0, 1], seed=1) == 0
    nobody_liked = Criterion(np.zeros((2, 50)), np.zeros(50))
    errors = Criterion(np.stack([np.ones(50), np.full(50, 0.5)]), np.ones(50))
    assert choose_recipe([errors, nobody_liked], [0, 1], seed=1) == 0


def test_a_candidate_that_is_not_finite_is_never_better() -> None:
    sums = np.ones((3, 40))
    sums[1, 7], sums[2] = np.nan, 0.5
    assert clearly_better([Criterion(sums, np.ones(40))], seed=1) == [2]
    with pytest.raises(SourceError, match="not finite"):
        clearly_better([Criterion(sums[[1, 2]], np.ones(40))], seed=1)


def test_the_same_as_the_incumbent_is_not_better() -> None:
    sums = np.tile(np.random.default_rng(1).random(50), (2, 1))
    assert clearly_better([Criterion(sums, np.ones(50))], seed=1) == []
