"""What is known of people and titles beside their stars, as columns of numbers.

Two kinds. *Given*: demographics of people, genres and the decade of titles. *Sets*: which titles a
person rated and which people rated a title, whatever the stars, of the training rows alone (the
implicit side of SVD++, Koren, KDD 2008, and its mirror image); a thin SVD keeps the directions
that carry most, so a set costs a few columns instead of one a title.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from scoring.arrays import Floats, Ints, rows_of
from scoring.recommender.bundle import Title
from spark_apps.recommender.catalogue import Catalogue, IndexedRatings

DECADES = range(1920, 2030, 10)  # before the first and after the last count as these
BANDS, MOST_VALUES = 9, 50  # of a demographic number, of a demographic word


@dataclass(frozen=True)
class Facts:
    """Given columns by id: `values` [n, columns] belong to the ascending `ids` [n]."""

    ids: Ints
    values: Floats

    def of(self, wanted: Ints) -> Floats:
        """Columns of the wanted ids; zeros for an id nobody described."""
        rows = rows_of(self.ids, wanted)
        return np.where((rows >= 0)[:, None], self.values[rows], 0.0)


@dataclass(frozen=True)
class Sides:
    """Named tables of given columns of people and of titles; either may be empty."""

    people: Mapping[str, Facts] = field(default_factory=dict)
    titles: Mapping[str, Facts] = field(default_factory=dict)


@dataclass(frozen=True)
class Columns:
    """Side columns [n, F] of one side, in blocks that each learn their own weight."""

    values: Floats
    blocks: tuple[int, ...]

    @classmethod
    def of(cls, parts: list[Floats]) -> Columns:
        """Blocks side by side; empty ones are left out."""
        kept = [p for p in parts if p.shape[1]]
        return cls(np.hstack(kept), tuple(p.shape[1] for p in kept))


def sides_of_titles(titles: Mapping[int, Title]) -> Sides:
    """Genres (each title's add up to one in square) and the decade; nothing where none is known."""
    known = sorted(titles)
    genres = sorted({g for t in titles.values() for g in t.genres})
    if not genres:
        return Sides()
    table = np.array([[g in titles[m].genres for g in genres] for m in known], dtype=np.float64)
    table /= np.sqrt(np.maximum(table.sum(axis=1, keepdims=True), 1.0))
    decades = np.array([_decade(titles[m].year) for m in known])
    ids = np.array(known, dtype=np.int64)
    return Sides(titles={"genres": Facts(ids, table), "decade": Facts(ids, decades)})


def sides_of_people(people: Mapping[int, Mapping[str, str]]) -> dict[str, Facts]:
    """Demographics: numbers in bands of equal size, words as they are, each value a column; what
    almost everybody has for themselves (a post code) is left out."""
    ids = np.array(sorted(people), dtype=np.int64)
    names = sorted({name for facts in people.values() for name in facts})
    tables = {n: _values([people[i].get(n, "") for i in ids.tolist()]) for n in names}
    return {name: Facts(ids, table) for name, table in tables.items() if table.shape[1]}


def _values(words: list[str]) -> Floats:
    """One column a value or band; none where there are too many values."""
    if all(word.isdecimal() for word in words):
        numbers = np.array(words, dtype=np.float64)
        edges = np.unique(np.quantile(numbers, np.linspace(0.0, 1.0, BANDS + 1)[1:-1]))
        return np.eye(len(edges) + 1)[np.digitize(numbers, edges)]
    levels = sorted(set(words) - {""})
    if len(levels) > MOST_VALUES:
        return np.zeros((len(words), 0))
    return np.array([[float(word == level) for level in levels] for word in words])


def _decade(year: int | None) -> list[float]:
    if year is None:
        return [0.0] * len(DECADES)
    last = len(DECADES) - 1
    place = min(max((year - DECADES.start) // DECADES.step, 0), last)
    return [float(d == place) for d in range(len(DECADES))]


def side_columns(
    ratings: IndexedRatings, sides: Sides, count: int, seed: int
) -> tuple[Columns, Columns]:
    """Columns of people and of titles: sets (`count` columns at most), how many, and the given."""
    known = ratings.catalogue
    rated = rated_matrix(ratings)
    people = [_set(rated, count, seed), _how_many(rated)]
    titles = [_set(rated.T, count, seed), _how_many(rated.T)]
    people += [facts.of(known.user_ids) for facts in sides.people.values()]
    titles += [facts.of(known.movie_ids) for facts in sides.titles.values()]
    return Columns.of(people), Columns.of(titles)


def rated_matrix(ratings: IndexedRatings) -> Floats:
    """1 where a person rated a title, else 0; [people, titles]."""
    rated = np.zeros(shape(ratings.catalogue))
    rated[ratings.users, ratings.items] = 1.0
    return rated


def shape(catalogue: Catalogue) -> tuple[int, int]:
    """How many people and titles."""
    return len(catalogue.user_ids), len(catalogue.movie_ids)


def _set(rated: Floats, count: int, seed: int) -> Floats:
    """Each row's set over the root of its size, in its first `count` principal directions."""
    scaled = rated / np.sqrt(np.maximum(rated.sum(axis=1, keepdims=True), 1.0))
    return thin(scaled, min(count, *rated.shape), seed)


def _how_many(rated: Floats) -> Floats:
    counts = np.log1p(rated.sum(axis=1))
    column: Floats = (counts - counts.mean())[:, None]
    return column


def thin(matrix: Floats, rank: int, seed: int) -> Floats:
    """U S of the first `rank` singular directions; see `leading`."""
    left, values, _ = leading(matrix, rank, seed)
    return left * values


def leading(matrix: Floats, rank: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """The first `rank` singular triplets by random projection and subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness (SIAM Review 53(2), 2011),
    algorithms 4.4 and 5.1; exact where the projection is as wide as the matrix.
    """
    lots = np.random.default_rng(seed)
    width = min(rank + SPARE, *matrix.shape)
    base = np.linalg.qr(matrix @ lots.normal(size=(matrix.shape[1], width)))[0]
    for _ in range(PASSES):
        base = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ base)[0])[0]
    left, values, right = np.linalg.svd(base.T @ matrix, full_matrices=False)
    return base @ left[:, :rank], values[:rank], right[:rank].T


SPARE, PASSES = 16, 4  # extra directions and power iterations of the projection
