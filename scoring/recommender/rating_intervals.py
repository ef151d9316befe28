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
from scoring.arrays import Floats, Ints, Rows, Singles, pieces, rows_of
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
FEW_RATINGS = 20  # with fewer, an answer says that we hardly know the person
ROWS_AT_ONCE = 8_192  # pairs whose columns are made at a time: 9 MB where there are ten stars


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

    def take(self, rows: slice) -> Cases:
        """Some of the pairs."""
        return Cases(self.values[rows], self.given[rows], self.got[rows])


@dataclass(frozen=True)
class StarModel:
    """The probabilities of the L stars `levels`; `shares` [L] are those of all ratings.

    `priors` are the numbers of such ratings that are added to a person's, and to a title's.
    """

    levels: Floats
    shares: Floats
    weights: Floats
    priors: tuple[float, float]

    def probabilities(self, cases: Cases) -> Floats:
        """[n, L]."""
        scores = self.columns(cases) @ self.weights
        found: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
        found /= found.sum(axis=1, keepdims=True)
        return found

    def columns(self, cases: Cases) -> Floats:
        """COLUMNS of each pair and star, [n, L, columns]."""
        half = (self.levels[-1] - self.levels[0]) / 2.0
        d = (self.levels - cases.values[:, None]) / half
        middle = ((cases.values - self.levels.mean()) / half)[:, None]
        ratings = cases.given.sum(axis=1)
        new, rare = (1.0 / np.sqrt(1.0 + n)[:, None] for n in (ratings, cases.got.sum(axis=1)))
        person, title = map(self._shrunken, (cases.given, cases.got), self.priors)
        above = (cases.values - person @ self.levels)[:, None]
        everybody = np.broadcast_to(np.log(self.shares), d.shape)
        own, title = np.log(person), np.log(title)
        unknown = everybody * (ratings == 0.0)[:, None]
        square = -d * d
        first = [square, square * new, square * rare, -np.abs(d), everybody, unknown]
        tilts = [d, d * new, d * middle, d * above]
        return np.stack([*first, *tilts, own, own * new, title], axis=2)

    def _shrunken(self, counts: Floats, prior: float) -> Floats:
        total = counts.sum(axis=1, keepdims=True) + prior
        return np.asarray((counts + prior * self.shares) / total)

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
        rows, padded = np.arange(n), np.full((n, levels + 2), -1.0)
        padded[:, 1:-1] = probabilities
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
class Masses:
    """The probability that an interval holds, `table` [classes of people, classes of titles].

    `people_from` and `titles_from` are the least ratings of each class, 0 first.
    """

    people_from: Floats
    titles_from: Floats
    table: Floats

    def classes(self, cases: Cases) -> tuple[Rows, Rows]:
        """The class of each person and of each title."""
        counts = cases.given.sum(axis=1), cases.got.sum(axis=1)
        edges = self.people_from, self.titles_from
        people, titles = (np.searchsorted(e, n, "right") - 1 for e, n in zip(edges, counts))
        return people, titles


@dataclass(frozen=True)
class RatingIntervals:
    """The intervals of one bundle; `title_stars` [I, L] counts each title's ratings by star."""

    stars: StarModel
    masses: Masses
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
        stars, counts = read_facts(facts), bundle.title_stars
        if counts.shape[1] != len(stars[0].levels) or counts.min(initial=0.0) < 0.0:
            raise BundleError("title_stars does not count the stars of `intervals`", "train again")
        return cls(*stars, counts, bundle.user_ids, bundle.movie_ids, bundle.ratings)

    def facts(self) -> dict[str, Any]:
        """`intervals` of `bundle.json`."""
        return {
            "levels": self.stars.levels.tolist(),
            "shares": self.stars.shares.tolist(),
            "priors": list(self.stars.priors),
            "weights": dict(zip(COLUMNS, self.stars.weights.tolist(), strict=True)),
            "people_from": self.masses.people_from.tolist(),
            "titles_from": self.masses.titles_from.tolist(),
            "masses": self.masses.table.tolist(),
        }

    def of_known(self, user_ids: Ints, movie_ids: Ints, values: Floats) -> Bounds:
        """Intervals around the predicted stars `values` [n] of pairs."""
        low, high = np.empty(len(values)), np.empty(len(values))
        for p in pieces(len(values), ROWS_AT_ONCE):
            found = self.bounds(self.cases(user_ids[p], movie_ids[p], values[p]))
            low[p], high[p] = found.low, found.high
        return Bounds(low, high)

    def of_given(self, ratings: Mapping[int, float], movie_ids: Ints, values: Floats) -> Bounds:
        """Intervals for a person who is described by these ratings only."""
        return self.bounds(self.cases_given(ratings, movie_ids, values))

    def cases(self, user_ids: Ints, movie_ids: Ints, values: Floats) -> Cases:
        """What the intervals of known and unknown people depend on."""
        users, place = np.unique(user_ids, return_inverse=True)
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
        growth = Growth.of(self.stars.probabilities(cases))
        low, high = growth.reaching(self.masses.table[self.masses.classes(cases)])
        near, levels = self.stars.counted(cases.values), self.stars.levels
        return Bounds(levels[np.minimum(low, near)], levels[np.maximum(high, near)])

    def _counts(self, stars: Floats | Singles) -> Floats:
        found = np.bincount(self.stars.counted(stars), minlength=len(self.stars.levels))
        return found.astype(np.float64)

    def _got(self, movie_ids: Ints) -> Floats:
        rows = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        found: Floats = self.title_stars[rows].astype(np.float64)
        found[rows < 0] = 0.0
        return found


def read_facts(facts: Any) -> tuple[StarModel, Masses]:
    """The star model and the masses of `intervals`; BundleError where they are not complete."""
    try:
        weights = np.array([facts["weights"][name] for name in COLUMNS], dtype=np.float64)
        names = "levels", "shares", "people_from", "titles_from", "masses"
        levels, shares, *masses = (np.array(facts[name], dtype=np.float64) for name in names)
        person, title = (float(prior) for prior in facts["priors"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        why = f"intervals in bundle.json is not complete: {error}"
        raise BundleError(why, "train again") from None
    found, stars = Masses(*masses), StarModel(levels, shares, weights, (person, title))
    if not _are_sound(stars, found):
        raise BundleError("the numbers of intervals in bundle.json do not fit", "train again")
    return stars, found


def _are_sound(stars: StarModel, masses: Masses) -> bool:
    """Whether shapes fit, levels and edges ascend, and shares and masses lie in (0, 1]."""
    levels, edges = stars.levels, (masses.people_from, masses.titles_from)
    fits = all(one.ndim == 1 and len(one) for one in (levels, *edges)) and len(levels) > 1
    fits = fits and stars.shares.shape == levels.shape
    fits = fits and masses.table.shape == tuple(map(len, edges))
    ascend = fits and all(bool((np.diff(one) > 0.0).all()) for one in (levels, *edges))
    finite = all(np.isfinite(one).all() for one in (levels, stars.weights, stars.priors))
    within = all(((v > 0.0) & (v <= 1.0 + 1e-6)).all() for v in (stars.shares, masses.table))
    return ascend and finite and within and edges[0][0] == edges[1][0] == 0.0 < min(stars.priors)


def how_well_known(ratings: int) -> str:
    """What widens the intervals of a person with so many ratings; empty from FEW_RATINGS on."""
    if ratings == 0:
        return "we do not know you: this is how people rate"
    if ratings < FEW_RATINGS:
        return f"we hardly know you: from {ratings} rating{'s' if ratings > 1 else ''}"
    return ""
