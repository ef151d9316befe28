"""The 80 % interval of a predicted rating: the fewest stars around it that hold four in five.

A conditional logit gives each star k of the scale its probability, from the predicted stars, the
stars that this person gives and the stars that this title gets:

    log P(k) = sum over COLUMNS of weight x column(k) - log of the sum over all stars

(McFadden, Conditional Logit Analysis of Qualitative Choice Behavior, 1974). Somebody who gives 4
and 5 stars only gets an interval of such stars. The interval grows from the most
probable star to the more probable neighbour until it holds a probability `mass`. The mass is
conformal (Romano, Sesia and Candes, Classification with Valid and Adaptive Coverage, NeurIPS 2020),
for each class of people by their ratings and of titles by theirs. `interval_calibration.py` fits
weights and masses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Ints, Rows, ShortInts, Singles, rows_of
from scoring.recommender.bundle import RecommenderBundle
from scoring.recommender.ratings_arrays import RatingsMatrix

COLUMNS = (
    "square",  # -d^2, d the distance from the predicted stars in halves of the scale
    "square_new",  # the same times 1 / sqrt(1 + ratings of the person)
    "square_rare",  # times 1 / sqrt(1 + ratings of the title)
    "distance",  # -|d|
    "everybody",  # log share of the star among all ratings
    "everybody_unknown",  # the same for a person without ratings, else 0
    "tilt",  # d
    "tilt_new",
    "tilt_middle",  # d times the predicted stars, measured from the middle of the scale
    "tilt_own",  # d times (predicted stars - the person's mean)
    "person",  # log share of the star among the person's ratings, shrunken to all ratings
    "person_new",
    "title",  # log share of the star among the title's ratings, shrunken to all ratings
)
PERSON_PRIOR, TITLE_PRIOR = (
    5.0,
    10.0,
)  # ratings of everybody that are added to a person's, a title's
PEOPLE_FROM, TITLES_FROM = (0, 1, 20), (0, 5, 30)  # least ratings of each class of the masses
FEW_RATINGS, FEW_RATERS = 20, 5  # with fewer, an answer says that we hardly know
ROWS_AT_ONCE = 8_192


@dataclass(frozen=True)
class Bounds:
    """The lowest and the highest stars [n] of each interval, both included."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class Cases:
    """Pairs of a person and a title, as far as an interval depends on them.

    `values` [n] are predicted stars, `given` [n, L] the person's ratings by star, `got` [n, L] the
    title's.
    """

    values: Floats
    given: Floats
    got: Floats

    @classmethod
    def join(cls, cases: Sequence[Cases]) -> Cases:
        """All pairs, in their order."""
        return cls(*(np.concatenate([getattr(c, name) for c in cases]) for name in vars(cases[0])))

    def take(self, chosen: slice) -> Cases:
        """The chosen pairs."""
        return Cases(self.values[chosen], self.given[chosen], self.got[chosen])

    def classes(self) -> tuple[Rows, Rows]:
        """The class of each person by PEOPLE_FROM, and of each title by TITLES_FROM."""
        of_people = np.searchsorted(PEOPLE_FROM, self.given.sum(axis=1), side="right") - 1
        return of_people, np.searchsorted(TITLES_FROM, self.got.sum(axis=1), side="right") - 1


@dataclass(frozen=True)
class StarModel:
    """The probabilities of the L stars `levels`; `shares` [L] are those of all ratings."""

    levels: Floats
    shares: Floats
    weights: Floats

    def probabilities(self, cases: Cases) -> Floats:
        """[n, L]."""
        scores = self.columns(cases) @ self.weights
        found: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        return found

    def columns(self, cases: Cases) -> Floats:
        """COLUMNS of each pair and star, [n, L, columns]."""
        low, high = self.levels[0], self.levels[-1]
        half = (high - low) / 2.0
        d = (self.levels - cases.values[:, None]) / half
        middle = ((cases.values - self.levels.mean()) / half)[:, None]
        ratings, raters = cases.given.sum(axis=1), cases.got.sum(axis=1)
        new, rare = (1.0 / np.sqrt(1.0 + n)[:, None] for n in (ratings, raters))
        person = self._shrunken(cases.given, PERSON_PRIOR)
        above = (cases.values - person @ self.levels)[:, None]
        everybody, own = np.broadcast_to(np.log(self.shares), d.shape), np.log(person)
        title = np.log(self._shrunken(cases.got, TITLE_PRIOR))
        unknown = everybody * (ratings == 0.0)[:, None]
        square = -d * d
        of_predicted = [square, square * new, square * rare, -np.abs(d), everybody, unknown]
        of_tilt = [d, d * new, d * middle, d * above]
        return np.stack([*of_predicted, *of_tilt, own, own * new, title], axis=2)

    def _shrunken(self, counts: Floats, prior: float) -> Floats:
        shares: Floats = (counts + prior * self.shares) / (
            counts.sum(axis=1, keepdims=True) + prior
        )
        return shares

    def counted(self, stars: Floats | Singles) -> Rows:
        """The place of each number of stars among `levels`; the nearest."""
        return np.searchsorted((self.levels[1:] + self.levels[:-1]) / 2.0, stars)


@dataclass(frozen=True)
class Growth:
    """How the intervals of n pairs grow; step 0 is the most probable star.

    `low`, `high` [n, L] are places of stars and `mass` [n, L] is the interval's probability at each
    step. `before` [n, L] is the probability of the interval to which a star is added.
    """

    low: Rows
    high: Rows
    mass: Floats
    before: Floats

    @classmethod
    def of(cls, probabilities: Floats) -> Growth:
        """Add the more probable neighbour at each step."""
        n, levels = probabilities.shape
        rows, padded = np.arange(n), np.pad(probabilities, ((0, 0), (1, 1)), constant_values=-1.0)
        low = np.empty((n, levels), dtype=np.intp)
        high, mass, before = low.copy(), np.empty((n, levels)), np.zeros((n, levels))
        low[:, 0] = high[:, 0] = probabilities.argmax(axis=1)
        mass[:, 0] = probabilities.max(axis=1)
        for step in range(1, levels):
            last = step - 1
            below, above = padded[rows, low[:, last]], padded[rows, high[:, last] + 2]
            down = below >= above
            low[:, step], high[:, step] = low[:, last] - down, high[:, last] + ~down
            before[rows, np.where(down, low[:, step], high[:, step])] = mass[:, last]
            mass[:, step] = mass[:, last] + np.where(down, below, above)
        return cls(low, high, mass, before)

    def reaching(self, masses: Floats) -> tuple[Rows, Rows]:
        """The places of the first interval with at least the mass [n]; the whole scale at last."""
        enough = self.mass >= masses[:, None]
        enough[:, -1] = True
        rows, step = np.arange(len(masses)), enough.argmax(axis=1)
        return self.low[rows, step], self.high[rows, step]


@dataclass(frozen=True)
class RatingIntervals:
    """The intervals of one bundle. `masses` [classes of people, classes of titles]."""

    stars: StarModel
    masses: Floats
    title_stars: Singles
    user_ids: Ints
    movie_ids: Ints
    ratings: RatingsMatrix

    @classmethod
    def of(cls, bundle: RecommenderBundle) -> RatingIntervals | None:
        """Those of `intervals` in `bundle.json`; None in a bundle without them.

        Raises BundleError where a number is missing.
        """
        facts = bundle.facts.get("intervals")
        if facts is None or bundle.title_stars is None:
            return None
        stars, masses = read_facts(facts)
        if bundle.title_stars.shape[1] != len(stars.levels):
            raise BundleError("title_stars has other stars than `intervals`", "train again")
        kept = bundle.title_stars, bundle.user_ids, bundle.movie_ids, bundle.ratings
        return cls(stars, masses, *kept)

    def facts(self) -> dict[str, Any]:
        """`intervals` of `bundle.json`."""
        return {
            "levels": self.stars.levels.tolist(),
            "shares": self.stars.shares.tolist(),
            "weights": dict(zip(COLUMNS, self.stars.weights.tolist(), strict=True)),
            "masses": self.masses.tolist(),
        }

    def of_known(self, user_ids: Ints, movie_ids: Ints, values: Floats) -> Bounds:
        """Intervals around the predicted stars `values` [n] of pairs."""
        return self.bounds(self.cases(user_ids, movie_ids, values))

    def of_given(self, ratings: Mapping[int, float], movie_ids: Ints, values: Floats) -> Bounds:
        """Intervals for a person who is described by these ratings only."""
        return self.bounds(self.cases_given(ratings, movie_ids, values))

    def cases(self, user_ids: Ints, movie_ids: Ints, values: Floats) -> Cases:
        """What the intervals of known and unknown people depend on."""
        users, place = np.unique(np.asarray(user_ids, dtype=np.int64), return_inverse=True)
        given = np.zeros((len(users), len(self.stars.levels)))
        for row, user in enumerate(rows_of(self.user_ids, users).tolist()):
            if user >= 0:
                given[row] = self._counts(self.ratings.stars(user))
        return Cases(values, given[place], self._got(movie_ids))

    def cases_given(self, ratings: Mapping[int, float], movie_ids: Ints, values: Floats) -> Cases:
        """The same for somebody with these ratings; titles that the bundle lacks do not count."""
        known = rows_of(self.movie_ids, np.fromiter(ratings, dtype=np.int64)) >= 0
        stars = np.fromiter(ratings.values(), dtype=np.float64)[known]
        given = np.broadcast_to(self._counts(stars), (len(values), len(self.stars.levels)))
        return Cases(values, given, self._got(movie_ids))

    def bounds(self, cases: Cases) -> Bounds:
        """The intervals; each holds the star nearest to the predicted ones."""
        low, high = (np.empty(len(cases.values), dtype=np.intp) for _ in range(2))
        for start in range(0, len(low), ROWS_AT_ONCE):
            piece = slice(start, start + ROWS_AT_ONCE)
            some = cases.take(piece)
            growth = Growth.of(self.stars.probabilities(some))
            low[piece], high[piece] = growth.reaching(self.masses[some.classes()])
        near, levels = self.stars.counted(cases.values), self.stars.levels
        return Bounds(levels[np.minimum(low, near)], levels[np.maximum(high, near)])

    def _counts(self, stars: Floats | Singles) -> Floats:
        places = self.stars.counted(stars)
        return np.bincount(places, minlength=len(self.stars.levels)).astype(np.float64)

    def _got(self, movie_ids: Ints) -> Floats:
        rows = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        found: Floats = self.title_stars[rows].astype(np.float64)
        found[rows < 0] = 0.0
        return found


def count_stars(
    items: Rows | ShortInts, values: Floats | Singles, titles: int, levels: Floats
) -> Singles:
    """How often each title got each star, [titles, L]: `title_stars` of a bundle."""
    places = np.searchsorted((levels[1:] + levels[:-1]) / 2.0, values)
    cells = np.bincount(items * np.int64(len(levels)) + places, minlength=titles * len(levels))
    return cells.reshape(titles, len(levels)).astype(np.float32)


def read_facts(facts: Any) -> tuple[StarModel, Floats]:
    """The star model and the masses of `intervals`; BundleError where they are not complete."""
    try:
        weights = [float(facts["weights"][name]) for name in COLUMNS]
        numbers = facts["levels"], facts["shares"], weights, facts["masses"]
        levels, shares, found, masses = (np.array(one, dtype=np.float64) for one in numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"intervals in bundle.json is not complete: {error}", "train again"
        ) from None
    fits = masses.shape == (len(PEOPLE_FROM), len(TITLES_FROM)) and levels.shape == shares.shape
    finite = all(np.isfinite(one).all() for one in (levels, shares, found, masses))
    if not (fits and finite and levels.ndim == 1 and len(levels) > 1 and (shares > 0.0).all()):
        raise BundleError("intervals in bundle.json do not fit each other", "train again")
    if not (np.diff(levels) > 0.0).all():
        raise BundleError("the levels of intervals in bundle.json do not ascend", "train again")
    return StarModel(levels, shares, found), masses


def how_well_known(ratings: int, raters: int | None = None) -> str:
    """What widens an interval, in a sentence; empty where person and title are known well.

    `ratings` are those of the person, `raters` those of the title.
    """
    if ratings == 0:
        return "we do not know you: what people give this title" if raters else "we do not know you"
    if ratings < FEW_RATINGS:
        return f"we hardly know you: from {ratings} rating{'s' if ratings > 1 else ''}"
    if raters is not None and raters < FEW_RATERS:
        return f"we hardly know this title: from {raters} rating{'s' if raters != 1 else ''}"
    return ""
