"""Side information: what is known of people and titles beside their ratings.

The family `bayes` learns its priors from it. It has two kinds of columns:

- *Given* columns: demographics of people; genres and decade of titles.
- *Set* columns: the titles that a person rated, and the people who rated a title, in the training
  rows (the implicit feedback of SVD++, Koren, KDD 2008). A truncated SVD of the sparse matrix
  reduces each set to a few columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from scoring.arrays import Floats, Ints, rows_of
from scoring.recommender.bundle import Title

if TYPE_CHECKING:  # executors import this module, and read no Parquet
    from spark_apps.recommender.indexed_ratings import IndexedRatings

DECADES = range(1920, 2030, 10)  # earlier and later years count as the first and last decade
BANDS, MOST_VALUES = 9, 50  # bands of a demographic number; most values of a demographic word
EXTRA_DIRECTIONS, PASSES = 16, 4  # of the random projection: oversampling, power iterations
Sparse = Any
"""A `scipy.sparse.csr_matrix`; SciPy has no types."""


@dataclass(frozen=True)
class FeatureTable:
    """Given columns by id: `values` [n, columns] belong to the ascending `ids` [n]."""

    ids: Ints
    values: Floats

    def of(self, wanted: Ints) -> Floats:
        """The rows of the wanted ids; zeros for an id without a row."""
        rows = rows_of(self.ids, wanted)
        return np.where((rows >= 0)[:, None], self.values[rows], 0.0)


@dataclass(frozen=True)
class SideInformation:
    """Tables of given columns by name, of people and of titles; either may be empty."""

    people: Mapping[str, FeatureTable] = field(default_factory=dict)
    titles: Mapping[str, FeatureTable] = field(default_factory=dict)


@dataclass(frozen=True)
class FeatureBlocks:
    """All columns [n, F] of people or titles; `blocks` are widths, each block has one weight."""

    values: Floats
    blocks: tuple[int, ...]

    @classmethod
    def of(cls, tables: list[Floats]) -> FeatureBlocks:
        """Tables side by side, one block each; empty tables are omitted."""
        filled = [t for t in tables if t.shape[1]]
        return cls(np.hstack(filled), tuple(t.shape[1] for t in filled))

    @cached_property
    def gram(self) -> Floats:
        """Products of columns [F, F]."""
        gram: Floats = self.values.T @ self.values
        return gram

    @cached_property
    def sums(self) -> Floats:
        """Sums of columns [F]."""
        sums: Floats = self.values.sum(axis=0)
        return sums


def title_features(titles: Mapping[int, Title]) -> SideInformation:
    """Genres (a row of unit length) and decade; empty where no title has a genre."""
    known = sorted(titles)
    genres = sorted({g for t in titles.values() for g in t.genres})
    if not genres:
        return SideInformation()
    table = np.array([[g in titles[m].genres for g in genres] for m in known], dtype=np.float64)
    table /= np.sqrt(np.maximum(table.sum(axis=1, keepdims=True), 1.0))
    decades = np.array([_decade(titles[m].year) for m in known])
    ids = np.array(known, dtype=np.int64)
    tables = {"genres": FeatureTable(ids, table), "decade": FeatureTable(ids, decades)}
    return SideInformation(titles=tables)


def user_features(people: Mapping[int, Mapping[str, str]]) -> dict[str, FeatureTable]:
    """Demographics as 0/1 columns: one a word, one a quantile band of a number.

    A word with more than MOST_VALUES values, for example a post code, is omitted.
    """
    ids = np.array(sorted(people), dtype=np.int64)
    names = sorted({name for facts in people.values() for name in facts})
    tables = {n: _values([people[i].get(n, "") for i in ids.tolist()]) for n in names}
    return {name: FeatureTable(ids, table) for name, table in tables.items() if table.shape[1]}


def _values(words: list[str]) -> Floats:
    """One column a value or band; none above MOST_VALUES values."""
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


def feature_blocks(
    ratings: IndexedRatings, given: SideInformation, count: int, seed: int
) -> tuple[FeatureBlocks, FeatureBlocks]:
    """Columns of people and of titles: set (at most `count`), log number of ratings, given."""
    catalogue = ratings.catalogue
    rated = rated_matrix(ratings)
    people = [_set_columns(rated, count, seed), _log_counts(rated)]
    rated = rated.T.tocsr()
    titles = [_set_columns(rated, count, seed), _log_counts(rated)]
    people += [table.of(catalogue.user_ids) for table in given.people.values()]
    titles += [table.of(catalogue.movie_ids) for table in given.titles.values()]
    return FeatureBlocks.of(people), FeatureBlocks.of(titles)


def rated_matrix(ratings: IndexedRatings) -> Sparse:
    """[people, titles], compressed rows: 1 where the person rated the title."""
    ones = np.ones(len(ratings), dtype=np.float32)
    return csr_matrix((ones, ratings.indices, ratings.indptr), shape=ratings.catalogue.shape)


def _set_columns(rated: Sparse, count: int, seed: int) -> Floats:
    """Rows scaled to unit length, reduced to `count` columns: U S of the truncated SVD."""
    counts = np.diff(rated.indptr)
    weights = np.repeat(1.0 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    scaled = csr_matrix((weights, rated.indices, rated.indptr), shape=rated.shape)
    left, values, _ = truncated_svd(scaled, min(count, *rated.shape), seed)
    return (left * values).astype(np.float64)


def _log_counts(rated: Sparse) -> Floats:
    counts = np.log1p(np.diff(rated.indptr))
    column: Floats = (counts - counts.mean())[:, None]
    return column


def truncated_svd(matrix: Floats | Sparse, rank: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """The first `rank` singular triplets by random projection and subspace iteration.

    Halko, Martinsson and Tropp, Finding Structure with Randomness (SIAM Review 53(2), 2011),
    algorithms 4.4 and 5.1. The result is exact where the projection is as wide as the matrix. A
    sparse matrix is only multiplied: memory is that of (rows + columns) * (rank + 16) numbers of
    the matrix's own precision.
    """
    rng = np.random.default_rng(seed)
    width = min(rank + EXTRA_DIRECTIONS, *matrix.shape)
    start = rng.normal(size=(matrix.shape[1], width)).astype(matrix.dtype)
    base = np.linalg.qr(matrix @ start)[0]
    for _ in range(PASSES):
        base = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ base)[0])[0]
    right, values, left = np.linalg.svd(matrix.T @ base, full_matrices=False)
    return base @ left[:rank].T, values[:rank], right[:, :rank]
