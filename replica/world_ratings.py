"""Draw the ratings of the synthetic world.

`make_world` calls two functions. `draw_preferences` draws biases and latent factors, and from them
the mean rating of every person for every title; no model can predict better than this mean.
`draw_ratings` draws the titles that each person chooses, their stars, and the times of a few
sittings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from replica.world_parameters import FIRST_RATING, GENRE_SHARES, LAST_RATING, WorldParameters
from replica.world_titles import WorldTitles

TASTE_GROUPS = 12
"""Number of groups of people with similar taste."""


@dataclass(frozen=True)
class Preferences:
    """Two arrays [people, titles] in stars: the mean rating, and the part of it that is taste."""

    mean: np.ndarray
    taste: np.ndarray


@dataclass(frozen=True)
class Ratings:
    """Columns of equal length, sorted by person, then time."""

    person: np.ndarray
    """Row of the person, from 0."""
    title: np.ndarray
    """Row of the title, from 0."""
    stars: np.ndarray
    """0.5 to 5 in steps of 0.5."""
    time: np.ndarray
    """Seconds since 1970 (UTC)."""

    def rows_where(self, keep: np.ndarray) -> Ratings:
        """The rows where `keep` is true."""
        return Ratings(self.person[keep], self.title[keep], self.stars[keep], self.time[keep])


def draw_preferences(parameters: WorldParameters, titles: WorldTitles) -> Preferences:
    """Mean rating of person u for title i: mean + b_u + b_i + the product of latent factors."""
    rng = parameters.generator("tastes")
    user_factors = _user_factors(parameters, rng)
    item_factors = _item_factors(parameters, titles, rng)
    # `@` adds in an order that depends on the machine; `einsum` gives the same bytes everywhere.
    taste = np.einsum("uk,ik->ui", user_factors, item_factors)
    taste -= taste.mean(axis=0)
    taste *= parameters.taste_spread / taste.std()
    person = rng.normal(0.0, parameters.person_spread, parameters.people)
    title = parameters.title_spread * titles.quality
    return Preferences(parameters.mean + person[:, None] + title[None, :] + taste, taste)


def draw_ratings(
    parameters: WorldParameters, titles: WorldTitles, preferences: Preferences
) -> Ratings:
    """The ratings of all people: fame and taste choose the titles, taste sets the stars."""
    rng = parameters.generator("ratings")
    released = np.array([_seconds(t.release_date.isoformat()) for t in titles.rows])
    liking = parameters.choosiness * preferences.taste / preferences.taste.std()
    utility = 0.9 * titles.fame[None, :] + liking
    drawn = [
        _one_person(
            row, utility[row], released, _sittings(rng, row / parameters.people), rng, parameters
        )
        for row in range(parameters.people)
    ]
    person, title, time = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
    exact = preferences.mean[person, title] + rng.normal(0.0, parameters.noise, len(person))
    return Ratings(person, title, to_stars(exact), time)


def to_stars(exact: np.ndarray) -> np.ndarray:
    """Numbers rounded to multiples of 0.5 and clipped to 0.5 … 5."""
    return np.asarray(np.clip(np.round(exact * 2) / 2, 0.5, 5.0))


def _user_factors(parameters: WorldParameters, rng: np.random.Generator) -> np.ndarray:
    groups = rng.normal(size=(TASTE_GROUPS, parameters.latent))
    own = rng.normal(size=(parameters.people, parameters.latent))
    return np.asarray(groups[rng.integers(0, TASTE_GROUPS, parameters.people)] + 0.5 * own)


def _item_factors(
    parameters: WorldParameters, titles: WorldTitles, rng: np.random.Generator
) -> np.ndarray:
    """The mean of the genres' factors, plus half the director's, plus half of the title's own.

    So the content of a title predicts part of the taste for it.
    """
    genre = dict(
        zip(GENRE_SHARES, rng.normal(size=(len(GENRE_SHARES), parameters.latent)), strict=True)
    )
    director = rng.normal(size=(parameters.directors, parameters.latent))
    own = rng.normal(size=(parameters.titles, parameters.latent))
    content = np.stack([np.mean([genre[g] for g in t.genres], axis=0) for t in titles.rows])
    return np.asarray(content + 0.5 * director[titles.director] + 0.5 * own)


def _sittings(rng: np.random.Generator, joined: float) -> np.ndarray:
    """Ascending start times (seconds) of one to five sittings.

    `joined` is the person's first sitting as a share of the world's time, from 0 to 1.
    """
    first, last = FIRST_RATING.timestamp(), LAST_RATING.timestamp()
    start = first + joined * (last - first - 86_400)
    later = rng.random(rng.integers(0, 5)) ** 2 * (last - start - 43_200)
    return np.sort(np.append(start, start + later))


def _one_person(
    row: int,
    utility: np.ndarray,
    released: np.ndarray,
    sittings: np.ndarray,
    rng: np.random.Generator,
    parameters: WorldParameters,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The columns (person, title, time) of one person.

    Titles are drawn without replacement, with odds proportional to exp(utility): those with the
    largest utility plus Gumbel noise (Efraimidis and Spirakis 2006, in additive form).
    """
    candidates = np.flatnonzero(released < sittings[-1])
    count = int(parameters.ratings_a_person * np.exp(rng.normal(0.0, 0.75)))
    count = min(max(3, count), max(1, int(0.6 * len(candidates))), len(candidates))
    keys = utility[candidates] + rng.gumbel(size=len(candidates))
    chosen = rng.permutation(candidates[np.argsort(-keys, kind="stable")[:count]])
    # Each title is rated in a sitting after its release.
    earliest = np.searchsorted(sittings, released[chosen], side="right")
    sitting = earliest + (rng.random(len(chosen)) * (len(sittings) - earliest)).astype(np.int64)
    time = (sittings[sitting] + rng.integers(0, 5_400, len(chosen))).astype(np.int64)
    order = np.lexsort((chosen, time))
    return np.full(len(chosen), row), chosen[order], time[order]


def _seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
