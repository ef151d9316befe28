"""Spark's feature stages without Spark: what each saved stage does to a row, in NumPy.

One small value a stage, made by `spark_apps.budget.saved_stages` from what Spark saved; each maps
a column of values to a matrix [rows, width]. Unseen words and nulls do what Spark's
`handleInvalid="keep"` does; a null in a numeric column is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.arrays import Floats
from scoring.budget.murmur import term_hash

Words = Sequence[str] | None


@dataclass(frozen=True)
class Indexer:
    """StringIndexer: a label's place; `keep` gives unseen and null the place after the last."""

    labels: tuple[str, ...]

    def apply(self, values: Sequence[Any]) -> Floats:
        places = {label: float(i) for i, label in enumerate(self.labels)}
        return _column(places.get(value, float(len(places))) for value in values)


@dataclass(frozen=True)
class OneHot:
    """OneHotEncoder: 0/1 columns; `keep` has one more for invalid places, `drop_last` one less."""

    size: int
    drop_last: bool
    keeps_invalid: bool

    def apply(self, values: Sequence[Any]) -> Floats:
        every = self.size + self.keeps_invalid
        width = every - self.drop_last
        found = np.zeros((len(values), width))
        for row, value in enumerate(values):
            is_valid = value is not None and 0 <= value < self.size
            place = int(value) if is_valid else self.size
            if place < width:
                found[row, place] = 1.0
        return found


@dataclass(frozen=True)
class Buckets:
    """Bucketizer: the number of [split, next); the last bucket holds its end; NaN is
    one more (`keep`), null stays null (NaN here)."""

    splits: tuple[float, ...]

    def apply(self, values: Sequence[Any]) -> Floats:
        last = len(self.splits) - 2
        return _column(self._of(value, last) for value in values)

    def _of(self, value: float | None, last: int) -> float:
        if value is None:
            return float("nan")
        if np.isnan(value):
            return float(last + 1)
        return float(min(int(np.searchsorted(self.splits, value, side="right")) - 1, last))


@dataclass(frozen=True)
class Binary:
    """Binarizer: 1 above the threshold."""

    threshold: float

    def apply(self, values: Sequence[Any]) -> Floats:
        return _column(float(value is not None and value > self.threshold) for value in values)


@dataclass(frozen=True)
class Scale:
    """StandardScaler and MinMaxScaler: (x - shift) * factor + offset, on vectors."""

    shift: Floats
    factor: Floats
    offset: Floats

    def apply(self, values: Sequence[Any]) -> Floats:
        rows: Floats = np.array([list(value) for value in values], dtype=np.float64)
        return (rows - self.shift) * self.factor + self.offset


@dataclass(frozen=True)
class Grams:
    """NGram: words in runs of `n`, joined by a space; gives words, not numbers."""

    n: int

    def words(self, values: Sequence[Words]) -> list[list[str]]:
        return [self._of(list(words or ())) for words in values]

    def _of(self, words: list[str]) -> list[str]:
        return [" ".join(words[i : i + self.n]) for i in range(len(words) - self.n + 1)]


@dataclass(frozen=True)
class Hashed:
    """HashingTF: counts of words by MurmurHash3 (x86, 32 bit, seed 42) modulo `width`."""

    width: int
    is_binary: bool

    def apply(self, values: Sequence[Words]) -> Floats:
        found = np.zeros((len(values), self.width))
        for row, words in enumerate(values):
            for word in words or ():
                found[row, term_hash(word) % self.width] += 1.0
        return np.minimum(found, 1.0) if self.is_binary else found


@dataclass(frozen=True)
class Vectors:
    """Word2Vec: the mean of a text's word vectors; words without one count as zeros."""

    words: dict[str, Floats]
    width: int

    def apply(self, values: Sequence[Words]) -> Floats:
        return np.array([self._of(list(words or ())) for words in values])

    def _of(self, words: list[str]) -> Floats:
        known = [self.words[word] for word in words if word in self.words]
        total: Floats = np.sum(known, axis=0) if known else np.zeros(self.width)
        return total / len(words) if words else total


Stage = Indexer | OneHot | Buckets | Binary | Scale | Grams | Hashed | Vectors
Apply = Callable[[Sequence[Any]], Floats]


def _column(values: Any) -> Floats:
    return np.array(list(values), dtype=np.float64)[:, None]
