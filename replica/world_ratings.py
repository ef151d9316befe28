"""Who rates what, when and how, in the synthetic world.

Ratings come in two steps. `draw_preferences` draws latent factors and biases: the mean rating that
no model can beat. `draw_ratings` lets people choose what they like and rate it in a few sittings.
`make_world` calls both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from replica.world_parameters import FIRST_RATING, GENRES, LAST_RATING, Shape
from replica.world_titles import WorldTitles

GROUPS = 12
"""People fall into loose groups of taste; a person's own taste scatters around the group's."""


@dataclass(frozen=True)
class Preferences:
    """[people, titles] arrays: the mean rating, and the part of it that is taste (in stars)."""

    mean: np.ndarray
    taste: np.ndarray


@dataclass(frozen=True)
class Ratings:
    """Columns of equal length, ordered by person, then time."""

    person: np.ndarray
    """Row of the person, from 0."""
    title: np.ndarray
    """Row of the title, from 0."""
    stars: np.ndarray
    """0.5 to 5 in halves."""
    time: np.ndarray
    """UTC seconds."""

    def only(self, keep: np.ndarray) -> Ratings:
        """The rows where `keep` is true."""
        return Ratings(self.person[keep], self.title[keep], self.stars[keep], self.time[keep])


def draw_preferences(shape: Shape, titles: WorldTitles) -> Preferences:
    """Everybody's mean rating of every title: biases plus the product of latent factors."""
    rng = shape.generator("tastes")
    user_factors = _user_factors(shape, rng)
    item_factors = _item_factors(shape, titles, rng)
    # einsum, not `@`: its sum has one order on every machine, so the files keep their bytes.
    taste = np.einsum("uk,ik->ui", user_factors, item_factors)
    taste -= taste.mean(axis=0)
    taste *= shape.taste_spread / taste.std()
    person = rng.normal(0.0, shape.person_spread, shape.people)
    title = shape.title_spread * titles.quality
    return Preferences(shape.mean + person[:, None] + title[None, :] + taste, taste)


def draw_ratings(shape: Shape, titles: WorldTitles, preferences: Preferences) -> Ratings:
    """Everybody's ratings: chosen by fame and taste, rated by taste."""
    rng = shape.generator("ratings")
    released = np.array([_seconds(t.release_date.isoformat()) for t in titles.rows])
    liking = shape.choosiness * preferences.taste / preferences.taste.std()
    wish = 0.9 * titles.fame[None, :] + liking
    drawn = [
        _one_person(row, wish[row], released, _sittings(rng, row / shape.people), rng, shape)
        for row in range(shape.people)
    ]
    person, title, time = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
    exact = preferences.mean[person, title] + rng.normal(0.0, shape.noise, len(person))
    return Ratings(person, title, to_stars(exact), time)


def to_stars(exact: np.ndarray) -> np.ndarray:
    """Any numbers, rounded to halves and clipped to 0.5 … 5."""
    return np.asarray(np.clip(np.round(exact * 2) / 2, 0.5, 5.0))


def _user_factors(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    groups = rng.normal(size=(GROUPS, shape.latent))
    own = rng.normal(size=(shape.people, shape.latent))
    return np.asarray(groups[rng.integers(0, GROUPS, shape.people)] + 0.5 * own)


def _item_factors(shape: Shape, titles: WorldTitles, rng: np.random.Generator) -> np.ndarray:
    """Half genre, a quarter director, a quarter a title's own: content predicts part of taste."""
    genre = dict(zip(GENRES, rng.normal(size=(len(GENRES), shape.latent)), strict=True))
    director = rng.normal(size=(shape.directors, shape.latent))
    own = rng.normal(size=(shape.titles, shape.latent))
    content = np.stack([np.mean([genre[g] for g in t.genres], axis=0) for t in titles.rows])
    return np.asarray(content + 0.5 * director[titles.director] + 0.5 * own)


def _sittings(rng: np.random.Generator, joined: float) -> np.ndarray:
    """Ascending start times of one to five sittings; people join in the order of their ids."""
    first, last = FIRST_RATING.timestamp(), LAST_RATING.timestamp()
    start = first + joined * (last - first - 86_400)
    later = rng.random(rng.integers(0, 5)) ** 2 * (last - start - 43_200)
    return np.sort(np.append(start, start + later))


def _one_person(
    row: int,
    wish: np.ndarray,
    released: np.ndarray,
    sittings: np.ndarray,
    rng: np.random.Generator,
    shape: Shape,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows (person, title, time) of one person.

    Titles are drawn without replacement with odds exp(wish): the largest of wish plus Gumbel
    noise (Efraimidis and Spirakis 2006, in its additive form).
    """
    out = np.flatnonzero(released < sittings[-1])
    count = int(shape.ratings_a_person * np.exp(rng.normal(0.0, 0.75)))
    count = min(max(3, count), max(1, int(0.6 * len(out))), len(out))
    keys = wish[out] + rng.gumbel(size=len(out))
    chosen = rng.permutation(out[np.argsort(-keys, kind="stable")[:count]])
    # Each title is rated in a sitting after its release.
    earliest = np.searchsorted(sittings, released[chosen], side="right")
    sitting = earliest + (rng.random(len(chosen)) * (len(sittings) - earliest)).astype(np.int64)
    time = (sittings[sitting] + rng.integers(0, 5_400, len(chosen))).astype(np.int64)
    order = np.lexsort((chosen, time))
    return np.full(len(chosen), row), chosen[order], time[order]


def _seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
