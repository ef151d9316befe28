"""Who rated what, when, and how: people choose what they like and rate it in a few sittings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from replica.world.catalogue import Catalogue
from replica.world.shape import FIRST_RATING, LAST_RATING, Shape
from replica.world.tastes import Truth


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
        return Ratings(self.person[keep], self.title[keep], self.stars[keep], self.time[keep])


def make_ratings(shape: Shape, catalogue: Catalogue, truth: Truth) -> Ratings:
    """Everybody's ratings: chosen by fame and taste, rated by taste."""
    rng = shape.stream("ratings")
    released = np.array([_seconds(t.release_date.isoformat()) for t in catalogue.titles])
    liking = shape.choosiness * truth.taste / truth.taste.std()
    wish = 0.9 * catalogue.fame[None, :] + liking
    parts = [
        _one_person(row, wish[row], released, _sittings(rng, row / shape.people), rng, shape)
        for row in range(shape.people)
    ]
    person, title, time = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    exact = truth.mean[person, title] + rng.normal(0.0, shape.noise, len(person))
    return Ratings(person, title, to_stars(exact), time)


def to_stars(exact: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.round(exact * 2) / 2, 0.5, 5.0))


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
