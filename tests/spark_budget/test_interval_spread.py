"""The predicted spread of an interval, on errors whose spread is known."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.budget.predictor import LEAST_SPREAD, MOST_SPREAD, ErrorSpread
from spark_apps.budget.out_of_sample import (
    CONSTANT_SPREAD,
    FEWEST_FOR_A_SPREAD,
    fit_spread,
    make_interval,
)

TITLES = 6000


def made_up() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(errors, answers, beginners, scale): cheap titles and beginners' are harder."""
    rng = np.random.default_rng(3)
    answers, beginners = rng.normal(7.0, 0.4, TITLES), (rng.random(TITLES) < 0.4).astype(float)
    scale = 0.3 * np.exp(-0.5 * (answers - 7.0) + 0.4 * beginners)
    return rng.normal(0.0, scale), answers, beginners, scale


def test_the_spread_finds_what_is_harder() -> None:
    errors, answers, beginners, _ = made_up()
    spread = fit_spread(errors, answers, beginners)
    assert spread.by_estimate == pytest.approx(-0.5, abs=0.15)
    assert spread.by_beginner == pytest.approx(0.4, abs=0.1)


def test_every_kind_of_film_is_covered_alike() -> None:
    errors, answers, beginners, _ = made_up()
    half = TITLES // 2
    alone = [str(i) for i in range(half)]
    learnt = make_interval(errors[:half], answers[:half], beginners[:half], alone)
    later = slice(half, TITLES)
    scales = learnt.spread.of(answers[later], beginners[later])
    low, high = learnt.residuals
    inside = (errors[later] >= low * scales) & (errors[later] <= high * scales)
    kinds = [beginners[later] > 0, beginners[later] == 0, answers[later] < 6.8]
    assert [float(inside[kind].mean()) for kind in kinds] == pytest.approx([0.8] * 3, abs=0.04)


def test_a_spread_stays_within_bounds() -> None:
    spread = ErrorSpread(level=0.3, by_estimate=-5.0, by_beginner=0.0, centre=7.0)
    found = spread.of(np.array([1.0, 7.0, 12.0]), np.zeros(3))
    np.testing.assert_allclose(found, [0.3 * MOST_SPREAD, 0.3, 0.3 * LEAST_SPREAD])


def test_titles_that_all_cost_the_same_have_a_spread() -> None:
    """No error at all would leave nothing to divide by, and a bundle that does not load."""
    titles = 2 * FEWEST_FOR_A_SPREAD
    none, answers = np.zeros(titles), np.full(titles, 7.0)
    found = make_interval(none, answers, np.ones(titles), ["nm1"] * titles)
    assert found.residuals == (0.0, 0.0)
    assert found.spread.level > 0
    assert np.isfinite(found.spread.of(answers, none)).all()


def test_too_few_titles_have_one_width() -> None:
    errors, answers, beginners, _ = (values[: FEWEST_FOR_A_SPREAD - 1] for values in made_up())
    assert fit_spread(errors, answers, beginners) == CONSTANT_SPREAD
