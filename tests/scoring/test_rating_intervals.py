"""Intervals of predicted ratings: against slow code, calibrated, measured, and in a bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marquee.errors import BundleError
from scoring.recommender.baselines import popularity
from scoring.recommender.bundle import RecommenderBundle, read_bundle, write_bundle
from scoring.recommender.holdout import HoldoutSplit, last_share
from scoring.recommender.holdout_evaluation import evaluate_forecast, measure
from scoring.recommender.interval_calibration import (
    calibrate,
    cross_fitted,
    fit_weights,
    measure_intervals,
)
from scoring.recommender.model import Recommender
from scoring.recommender.rating_intervals import (
    COLUMNS,
    Cases,
    Growth,
    RatingIntervals,
    StarModel,
    how_well_known,
)
from scoring.recommender.ratings_arrays import Ratings, RatingsMatrix
from tests.scoring.made_up import FACTS, GOLDEN, make_ratings

ROWS = make_ratings(people=160, titles=60, seed=5)
LATE = last_share(ROWS)
TRAIN, HELD = ROWS.take(~LATE), ROWS.take(LATE)


def bias_bundle(rows: Ratings) -> RecommenderBundle:
    """A bundle that predicts by biases alone; the factors of a title are its number."""
    users, u = np.unique(rows.user_ids, return_inverse=True)
    movies, m = np.unique(rows.movie_ids, return_inverse=True)
    mean = float(rows.values.mean())
    of_title = np.bincount(m, rows.values - mean) / (np.bincount(m) + 5.0)
    of_person = np.bincount(u, rows.values - mean - of_title[m]) / (np.bincount(u) + 5.0)
    numbers = np.ones((len(movies), 5), dtype=np.float32)
    return RecommenderBundle(
        user_ids=users,
        movie_ids=movies,
        user_bias=of_person,
        item_bias=of_title,
        user_factors=np.zeros((len(users), 5), dtype=np.float32),
        item_factors=numbers,
        rank_user_factors=np.zeros((len(users), 4), dtype=np.float32),
        rank_item_factors=numbers[:, :4],
        ratings=RatingsMatrix.build(u, m, rows.values, len(users)),
        popularity=popularity(m, rows.values, len(movies)),
        titles={},
        facts={**FACTS, "mean": mean},
        golden=GOLDEN,
    )


def with_intervals(bundle: RecommenderBundle, facts: Any) -> RecommenderBundle:
    levels = np.array(facts["levels"])
    counts = bundle.ratings.stars_by_title(len(bundle.movie_ids), levels)
    return replace(bundle, facts={**bundle.facts, "intervals": facts}, title_stars=counts)


@pytest.fixture(scope="module")
def model() -> Recommender:
    return Recommender(bias_bundle(TRAIN))


@pytest.fixture(scope="module")
def fitted(model: Recommender) -> RatingIntervals:
    found = calibrate(model, HELD, seed=1)
    assert found is not None
    return found


def some_cases(n: int, levels: int) -> Cases:
    rng = np.random.default_rng(3)
    given, got = (rng.integers(0, 4, (n, levels)).astype(float) for _ in range(2))
    given[: n // 3] = 0.0
    return Cases(rng.uniform(0.5, 5.0, n), given, got)


def slow_interval(shares: list[float], mass: float) -> tuple[int, int]:
    low = high = shares.index(max(shares))
    while sum(shares[low : high + 1]) < mass and high - low < len(shares) - 1:
        below = shares[low - 1] if low else -1.0
        above = shares[high + 1] if high + 1 < len(shares) else -1.0
        low, high = (low - 1, high) if below >= above else (low, high + 1)
    return low, high


def test_growth_is_that_of_one_interval_after_the_other() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(7), 200)
    growth = Growth.of(shares)
    for mass in (0.0, 0.5, 0.83, 0.999):
        low, high = growth.reaching(np.full(200, mass))
        wanted = [slow_interval(row, mass) for row in shares.tolist()]
        assert list(zip(low.tolist(), high.tolist(), strict=True)) == wanted
    # A star is in the interval exactly where the mass before it is less than the interval's.
    low, high = growth.reaching(np.full(200, 0.7))
    inside = (low[:, None] <= np.arange(7)) & (np.arange(7) <= high[:, None])
    assert (inside == (growth.before < 0.7)).all() and 0.2 < inside.mean() < 0.9


def test_the_stars_a_person_gives_are_the_stars_of_the_interval() -> None:
    levels, weights = np.arange(1, 11) / 2, np.zeros(len(COLUMNS))
    weights[COLUMNS.index("person")] = 1.0
    stars = StarModel(levels, np.full(10, 0.1), weights, (5.0, 10.0))
    given = np.zeros((2, 10))
    given[0, [7, 9]] = 50.0  # four and five stars only
    shares = stars.probabilities(Cases(np.array([4.5, 4.5]), given, np.zeros((2, 10))))
    assert shares[0, [7, 9]].sum() > 0.95 and shares[1] == pytest.approx(np.full(10, 0.1))
    assert shares[0] == pytest.approx((given[0] + 0.5) / 105.0)


def test_weights_are_the_most_likely() -> None:
    cases, rng = some_cases(3_000, 6), np.random.default_rng(2)
    stars = StarModel(np.arange(6) / 1.25 + 0.5, np.full(6, 1 / 6), np.zeros(len(COLUMNS)), (5, 10))
    truth = np.where(np.isin(COLUMNS, ["square", "person", "tilt"]), 1.2, 0.0)
    shares = replace(stars, weights=truth).probabilities(cases)
    actual = (rng.random(len(shares))[:, None] > shares.cumsum(axis=1)).sum(axis=1).clip(max=5)
    columns = stars.columns(cases)
    found = fit_weights(columns, actual, np.ones(len(actual)))

    def penalised(weights: Any) -> float:
        each = replace(stars, weights=weights).probabilities(cases)[np.arange(len(actual)), actual]
        return float(np.log(each).sum() - 0.5 * weights @ weights)

    assert penalised(found) > penalised(truth) > penalised(np.zeros(len(truth)))
    for place in range(len(found)):
        for step in (-0.02, 0.02):
            moved = found.copy()
            moved[place] += step
            assert penalised(moved) < penalised(found)


def test_each_half_of_the_people_is_covered_by_the_others_calibration(model) -> None:
    split = HoldoutSplit.of(TRAIN, HELD)
    values = model.predict(HELD.user_ids, HELD.movie_ids).values
    found = cross_fitted(model, split, values, seed=1)
    assert found is not None and found["rows"] == len(HELD) > 300
    assert 0.75 < found["coverage"] < 0.92 and found["known"] == found["coverage"]
    assert found["strangers"] is None and found["width"] < found["one_width"]
    for of in ("people", "titles"):
        assert len(found[of]) > 5 and sum(g["rows"] for g in found[of]) == len(HELD)
        assert [g["from"] for g in found[of]] == sorted(g["from"] for g in found[of])
    assert measure(model, split, 1, None)["rating_intervals"] is not None


def test_bounds_are_stars_of_the_scale_around_the_prediction(model, fitted) -> None:
    values = model.predict(HELD.user_ids, HELD.movie_ids).values
    known = fitted.of_known(HELD.user_ids, HELD.movie_ids, values)
    levels = np.unique(TRAIN.values)
    for bounds in (known, fitted.of_given({}, HELD.movie_ids, values)):
        assert np.isin(bounds.low, levels).all() and np.isin(bounds.high, levels).all()
        assert (bounds.low - 0.25 <= values).all() and (values <= bounds.high + 0.25).all()
    strangers = fitted.of_known(np.full(len(HELD), -5), HELD.movie_ids, values)
    assert (strangers.low == fitted.of_given({}, HELD.movie_ids, values).low).all()
    unknown = fitted.of_given({10**6: 5.0}, np.array([10**6]), np.array([3.5]))
    assert unknown.low[0] < 3.5 < unknown.high[0]


def test_a_bundle_keeps_its_intervals(model, fitted, tmp_path) -> None:
    bundle = with_intervals(model.bundle, fitted.facts())
    assert model.intervals is None and len(bundle.title_stars) == len(bundle.movie_ids)
    assert bundle.title_stars.sum() == len(TRAIN)
    loaded = Recommender.load(write_bundle(tmp_path / "b", bundle)).intervals
    values = model.predict(HELD.user_ids, HELD.movie_ids).values
    ours = fitted.of_known(HELD.user_ids, HELD.movie_ids, values)
    theirs = loaded.of_known(HELD.user_ids, HELD.movie_ids, values)
    assert (ours.low == theirs.low).all() and (ours.high == theirs.high).all()


def test_a_forecast_measures_the_intervals_of_its_bundle(model, fitted, tmp_path) -> None:
    folder = write_bundle(tmp_path / "b", with_intervals(model.bundle, fitted.facts()))
    found = evaluate_forecast(folder, ROWS, seed=1)["rating_intervals"]
    assert found["rows"] > 100 and 0.7 < found["coverage"] <= 1.0
    plain = evaluate_forecast(write_bundle(tmp_path / "c", model.bundle), ROWS, seed=1)
    assert plain["rating_intervals"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"weights": {}},
        {"levels": [5.0, 4.0]},
        {"masses": [[0.8]]},
        {"shares": None},
        {"priors": [5.0, 0.0]},
        {"people_from": [1, 2, 3]},
        {"people_from": 0.0},
        {"people_from": []},
        {"titles_from": [[0.0, 5.0, 30.0]]},
        {"priors": [float("nan"), 5.0]},
        {"priors": [5.0, float("inf")]},
        {"priors": 10**400},
        {"masses": [[1.5, 0.8, 0.8]] * 3},
        {"masses": [[-0.1, 0.8, 0.8]] * 3},
        {"shares": [2.0] * 10},
    ],
)
def test_damaged_facts_are_a_bundle_error(model, fitted, change) -> None:
    facts = {**fitted.facts(), **change}
    bundle = replace(model.bundle, facts={**model.bundle.facts, "intervals": facts})
    counts = np.zeros((len(bundle.movie_ids), 10), dtype=np.float32)
    with pytest.raises(BundleError, match="intervals"):
        Recommender(replace(bundle, title_stars=counts))


def test_less_than_no_rating_is_a_bundle_error(model, fitted) -> None:
    bundle = with_intervals(model.bundle, fitted.facts())
    counts = np.array(bundle.title_stars)
    counts[0, 0] = -1.0
    with pytest.raises(BundleError, match="title_stars"):
        Recommender(replace(bundle, title_stars=counts))


def test_stars_that_single_precision_rounds_are_inside() -> None:
    third = replace(ROWS, values=ROWS.values / 3.0)
    bundle = bias_bundle(third.take(~LATE))
    model = Recommender(replace(bundle, facts={**bundle.facts, "clip": [1 / 6, 5 / 3]}))
    held = third.take(LATE)
    found = calibrate(model, held, seed=1)
    split = HoldoutSplit.of(third.take(~LATE), held)
    values = model.predict(held.user_ids, held.movie_ids).values
    bounds = found.of_known(held.user_ids, held.movie_ids, values)
    assert measure_intervals(model, split, values, bounds)["coverage"] > 0.7


def test_a_missing_array_is_a_bundle_error(model, fitted, tmp_path) -> None:
    folder = write_bundle(tmp_path / "b", with_intervals(model.bundle, fitted.facts()))
    assert json.loads((folder / "bundle.json").read_text())["intervals"] == fitted.facts()
    (folder / "title_stars.npy").unlink()
    with pytest.raises(BundleError, match="title_stars"):
        read_bundle(folder)


def test_few_ratings_or_too_fine_a_scale_give_no_intervals(model) -> None:
    assert calibrate(model, HELD.take(slice(0, 99)), seed=1) is None
    fine = replace(TRAIN, values=TRAIN.values + np.linspace(0.0, 0.1, len(TRAIN)))
    assert calibrate(Recommender(bias_bundle(fine)), HELD, seed=1) is None


def test_what_is_said_of_people_we_hardly_know() -> None:
    assert "do not know you" in how_well_known(0)
    assert how_well_known(1) == "we hardly know you: from 1 rating"
    assert how_well_known(3) == "we hardly know you: from 3 ratings"
    assert how_well_known(20) == ""
