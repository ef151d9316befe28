"""Fits the intervals of `rating_intervals.py` to ratings that a bundle has not seen; measures them.

A held-out rating counts three times: as it is, as if a stranger had given it, and as if somebody
had given it of whom a few ratings are known. So intervals of newcomers are calibrated, too,
although a holdout of everybody's last ratings has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.arrays import Floats, Ints, Mask, Rows, pieces, rows_of
from scoring.recommender.holdout import HoldoutSplit
from scoring.recommender.rating_intervals import (
    COLUMNS,
    ROWS_AT_ONCE,
    Bounds,
    Cases,
    Growth,
    Masses,
    RatingIntervals,
    StarModel,
)
from scoring.recommender.ratings_arrays import Ratings

if TYPE_CHECKING:
    from scoring.recommender.model import Recommender

NOMINAL = 0.8
"""The share of the following weeks' ratings that the intervals shall hold."""
AIM = 0.83
"""The share of a holdout of everybody's last ratings that gives NOMINAL in the weeks that follow:
that holdout shares its weeks with train. Chosen on inner splits (ADR 42)."""
MOST_LEVELS = 20  # with more different stars there are no intervals
FEWEST_ROWS, MOST_ROWS = 100, 12_000  # of a calibration; of more rows, a sample
FOLDED = (1, 3, 10, 30)  # ratings known of somebody folded in
FOLDED_WEIGHT = 0.5  # of such a row beside the two others
PERSON_POWER = 0.5  # m rows of a person count m to this power
PRIORS = 5.0, 10.0  # ratings of everybody that are added to a person's, and to a title's
PEOPLE_FROM, TITLES_FROM = (0, 1, 20), (0, 5, 30)  # least ratings of each class of the masses
CLASS_PRIOR = 300.0  # rows of all classes that are added to a class
RIDGE, MOST_STEPS, LEAST_STEP = 1.0, 50, 1e-6
HALF_WIDTHS = np.arange(0.02, 2.01, 0.005)  # that are tried, in halves of the scale
ROUNDING = 1e-5  # of the scale: bundles keep stars in single precision
GROUPS = 10  # of people by activity, of titles by popularity


@dataclass(frozen=True)
class Sample:
    """Cases of a calibration, the place of the stars that were given, and weights, [n] each."""

    cases: Cases
    actual: Rows
    weights: Floats


def calibrate(model: Recommender, held: Ratings, seed: int) -> RatingIntervals | None:
    """The intervals of a bundle, from ratings that it has not seen.

    None where people that it knows gave fewer than FEWEST_ROWS of them, or where the scale has more
    than MOST_LEVELS stars.
    """
    start = _unfitted(model)
    rows = np.flatnonzero(np.isin(held.user_ids, model.user_ids))
    if start is None or len(rows) < FEWEST_ROWS:
        return None
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
    sample = _sample(model, start, held.take(rows))
    columns = _columns(start.stars, sample.cases)
    stars = replace(start.stars, weights=fit_weights(columns, sample.actual, sample.weights))
    masses = replace(start.masses, table=_masses(stars, start.masses, sample))
    return replace(start, stars=stars, masses=masses)


def _unfitted(model: Recommender) -> RatingIntervals | None:
    """Intervals with weights and masses of 0; None for a scale of too many stars, or of one."""
    bundle = model.bundle
    found, counts = np.unique(bundle.ratings.values, return_counts=True)
    if not 1 < len(found) <= MOST_LEVELS:
        return None
    # Single precision holds a neighbour of 3.7; the fewest digits that name it are the stars.
    levels = np.array([float(str(level)) for level in found])
    stars = StarModel(levels, counts / counts.sum(), np.zeros(len(COLUMNS)), PRIORS)
    titles = bundle.ratings.stars_by_title(len(bundle.movie_ids), levels)
    edges = [np.array(least, dtype=np.float64) for least in (PEOPLE_FROM, TITLES_FROM)]
    masses = Masses(edges[0], edges[1], np.zeros((len(PEOPLE_FROM), len(TITLES_FROM))))
    return RatingIntervals(stars, masses, titles, bundle.user_ids, bundle.movie_ids, bundle.ratings)


def _sample(model: Recommender, intervals: RatingIntervals, held: Ratings) -> Sample:
    """The ratings as they are, as a stranger's, and as those of somebody folded in."""
    users, movies = held.user_ids, held.movie_ids
    as_known = intervals.cases(users, movies, model.predict(users, movies).values)
    as_strangers = intervals.cases_given({}, movies, model.predict_for({}, movies).values)
    rows, as_folded = _folded(model, intervals, held)
    one, few = _weights(users), _weights(users[rows]) * FOLDED_WEIGHT
    actual = intervals.stars.counted(held.values)
    return Sample(
        Cases.join([as_known, as_strangers, as_folded]),
        np.concatenate([actual, actual, actual[rows]]),
        np.concatenate([one, one, few]),
    )


def _folded(model: Recommender, intervals: RatingIntervals, held: Ratings) -> tuple[Rows, Cases]:
    """Rows of `held`, and their cases where only the oldest ratings of the person are known.

    Their number is one of FOLDED by turns.
    """
    rows, cases = [], []
    for turn, user in enumerate(np.unique(held.user_ids).tolist()):
        ratings = dict(list(model.ratings_of(user).items())[: FOLDED[turn % len(FOLDED)]])
        own = np.flatnonzero(held.user_ids == user)
        movies = held.movie_ids[own]
        values = model.predict_for(ratings, movies).values
        rows.append(own)
        cases.append(intervals.cases_given(ratings, movies, values))
    return np.concatenate(rows), Cases.join(cases)


def _weights(users: Ints) -> Floats:
    """The weight of each row, so that somebody with thousands does not decide; the mean is 1."""
    _, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    weights = counts[place] ** -PERSON_POWER
    found: Floats = weights / weights.mean()
    return found


def _columns(stars: StarModel, cases: Cases) -> Floats:
    """`StarModel.columns`, made in pieces."""
    found = np.empty((len(cases.values), len(stars.levels), len(COLUMNS)))
    for piece in pieces(len(found), ROWS_AT_ONCE):
        found[piece] = stars.columns(cases.take(piece))
    return found


def fit_weights(columns: Floats, actual: Rows, weights: Floats) -> Floats:
    """The weights [J] of the most likely conditional logit with a ridge, by Newton's method.

    `columns` [n, L, J], `actual` [n] the star that was given, `weights` [n] of the rows. The
    likelihood is concave (McFadden 1974, section 4).
    """
    found = np.zeros(columns.shape[2])
    given = columns[np.arange(len(actual)), actual]
    for _ in range(MOST_STEPS):
        slope, curve = weights @ given - RIDGE * found, RIDGE * np.eye(len(found))
        for piece in pieces(len(actual), ROWS_AT_ONCE):
            part, weight = columns[piece], weights[piece]
            scores = part @ found
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            shares *= (weight / shares.sum(axis=1))[:, None]
            means = np.einsum("nl,nlj->nj", shares, part)
            slope -= means.sum(axis=0)
            curve += np.einsum("nl,nlj,nlk->jk", shares, part, part, optimize=True)
            curve -= (means / weight[:, None]).T @ means
        step = np.linalg.solve(curve, slope)
        found += step
        if np.abs(step).max() < LEAST_STEP:
            break
    return found


def _masses(stars: StarModel, classes: Masses, sample: Sample) -> Floats:
    """The mass of each class of people and titles that holds AIM of the sample's ratings.

    A class of few rows gets nearly the mass of all strangers, or of all known people.
    """
    before = np.empty(len(sample.actual))
    for piece in pieces(len(before), ROWS_AT_ONCE):
        growth = Growth.of(stars.probabilities(sample.cases.take(piece)))
        actual = sample.actual[piece]
        before[piece] = growth.before[np.arange(len(actual)), actual]
    people, titles = classes.classes(sample.cases)
    masses = np.zeros_like(classes.table)
    for (person, title), _ in np.ndenumerate(masses):
        alike = (people == 0) == (person == 0)
        own = (people == person) & (titles == title)
        every = _quantile(before[alike], sample.weights[alike])
        n = int(own.sum())
        mass = _quantile(before[own], sample.weights[own]) if n else every
        masses[person, title] = (n * mass + CLASS_PRIOR * every) / (n + CLASS_PRIOR)
    return masses


def _quantile(values: Floats, weights: Floats) -> float:
    """The least value with AIM of the weight at or below it."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    place = min(int(np.searchsorted(reached, AIM * reached[-1])), len(values) - 1)
    # An interval holds a star if the mass before it is less than the interval's: a little more.
    return float(values[order[place]]) + 1e-9


# Measuring


def cross_fitted(
    model: Recommender, split: HoldoutSplit, values: Floats, seed: int
) -> dict[str, Any] | None:
    """`rating_intervals` of `evaluation.json`: each half of the people by the other half's fit.

    `values` [rows] are the predicted stars of the holdout. None where a half has too few rows.
    """
    held = split.holdout
    half = np.random.default_rng(seed).permutation(len(split.people)) % 2 == 0
    first: Mask = half[np.searchsorted(split.people, held.user_ids)]
    low, high = np.empty(len(held)), np.empty(len(held))
    for asked in (first, ~first):
        found = calibrate(model, held.take(~asked), seed)
        if found is None:
            return None
        bounds = found.of_known(held.user_ids[asked], held.movie_ids[asked], values[asked])
        low[asked], high[asked] = bounds.low, bounds.high
    return measure_intervals(model, split, values, Bounds(low, high))


def measure_intervals(
    model: Recommender, split: HoldoutSplit, values: Floats, bounds: Bounds
) -> dict[str, Any]:
    """Coverage and width of intervals on a holdout, and of one width for all.

    `one_width` is predicted stars plus and minus one number, clipped to the scale, of the same
    coverage; `one_width_whole` is narrowed to stars of the scale, as the intervals are. `people`
    and `titles` are coverages of tenths, fewest ratings in train first.
    """
    held, actual = split.holdout, split.holdout.values
    little = ROUNDING * (model.bundle.scale[1] - model.bundle.scale[0])
    inside: Mask = (bounds.low - little <= actual) & (actual <= bounds.high + little)
    known = rows_of(model.user_ids, held.user_ids) >= 0
    coverage = float(inside.mean())
    return {
        "nominal": NOMINAL,
        "rows": len(held),
        "coverage": coverage,
        "width": float((bounds.high - bounds.low).mean()),
        "step": float(np.diff(levels).min()) if len(levels := np.unique(actual)) > 1 else None,
        "one_width": _one_width(model, values, actual, coverage, None),
        "one_width_whole": _one_width(model, values, actual, coverage, np.unique(actual)),
        "known": _share(inside[known]),
        "strangers": _share(inside[~known]),
        "people": _by_tenth(inside, held.user_ids, split.ratings_in_train("user_ids")),
        "titles": _by_tenth(inside, held.movie_ids, split.ratings_in_train("movie_ids")),
    }


def _one_width(
    model: Recommender, values: Floats, actual: Floats, coverage: float, levels: Floats | None
) -> float | None:
    """The mean width of the narrowest such interval of at least this coverage."""
    scale = model.bundle.scale
    for half in HALF_WIDTHS * (scale[1] - scale[0]) / 2.0:
        low, high = (values - half).clip(*scale), (values + half).clip(*scale)
        if levels is not None:
            low = levels[np.searchsorted(levels, low - 1e-9).clip(max=len(levels) - 1)]
            high = levels[(np.searchsorted(levels, high + 1e-9, side="right") - 1).clip(min=0)]
        if float(((low <= actual) & (actual <= high)).mean()) >= coverage:
            return float((high - low).clip(min=0.0).mean())
    return None


def _by_tenth(inside: Mask, ids: Ints, counts: Ints) -> list[dict[str, float | int]]:
    """Coverage in tenths of the ids by their number of ratings in train, fewest first.

    Equal numbers stay together, so that strangers are one group and there may be fewer than ten.
    `counts` are those of the rows; `from` and `to` are the least and the most of the group.
    """
    known, first = np.unique(ids, return_index=True)
    fewer = np.searchsorted(np.sort(counts[first]), counts)
    tenth = fewer * GROUPS // len(known)
    return [
        {
            "from": int(counts[rows].min()),
            "to": int(counts[rows].max()),
            "rows": int(rows.sum()),
            "coverage": float(inside[rows].mean()),
        }
        for rows in (tenth == group for group in np.unique(tenth).tolist())
    ]


def _share(inside: Mask) -> float | None:
    return float(inside.mean()) if len(inside) else None
