"""Spark's feature stages and curves in NumPy.

`spark_apps.budget.saved_models` makes one value of these classes for each stage that Spark saved.
A stage maps a column of values to [rows, width]; a curve maps features to an answer. Unseen words
and nulls are treated as with Spark's `handleInvalid="keep"`; a null in a numeric column is NaN.
Words are hashed as in Spark: MurmurHash3, 32 bit for x86 (Austin Appleby, 2011, public domain).

Curves are the regressors that are neither linear models nor trees:

- `Linked`: a generalised linear model, link^-1(coefficients . x + intercept). Spark's AFT survival
  regression becomes one too, because the logarithm of its median is linear.
- `Isotonic`: a monotone function of one feature, interpolated between boundaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from scoring.arrays import Floats

Words = Sequence[str] | None
HASH_SEED = 42
_32_BITS = 0xFFFFFFFF


@dataclass(frozen=True)
class Indexer:
    """StringIndexer: a label's index; unseen labels and null get the index after the last."""

    labels: tuple[str, ...]

    def apply(self, values: Sequence[Any]) -> Floats:
        unseen = float(len(self._places))
        return _column(self._places.get(value, unseen) for value in values)

    @cached_property
    def _places(self) -> Mapping[Any, float]:
        return {label: float(place) for place, label in enumerate(self.labels)}


@dataclass(frozen=True)
class OneHot:
    """OneHotEncoder: 0/1 columns; `keeps_invalid` adds one for invalid, `drop_last` drops one."""

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
    """Bucketizer: the index of the bucket [split, next split).

    The last bucket includes its end. NaN gets a further bucket; null stays null (NaN here).
    """

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
    """NGram: every `n` consecutive words joined by a space; the result is words."""

    n: int

    def words(self, values: Sequence[Words]) -> list[list[str]]:
        return [self._of(list(words or ())) for words in values]

    def _of(self, words: list[str]) -> list[str]:
        return [" ".join(words[i : i + self.n]) for i in range(len(words) - self.n + 1)]


@dataclass(frozen=True)
class Hashed:
    """HashingTF: counts of words by `term_hash` modulo `width`."""

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


INVERSE_LINKS: Mapping[str, Callable[[Floats], Floats]] = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "inverse": lambda eta: 1.0 / eta,
    "sqrt": np.square,
}
"""The mean by the linear predictor, for each of Spark's links of a positive target."""


@dataclass(frozen=True)
class Linked:
    """A generalised linear model (McCullagh and Nelder, Generalized Linear Models, 1989)."""

    coefficients: Floats  # [features]
    intercept: float
    link: str  # a key of INVERSE_LINKS

    def predict(self, rows: Floats) -> Floats:
        """Answers [R] for rows [R, features]."""
        return INVERSE_LINKS[self.link](rows @ self.coefficients + self.intercept)

    def contributions(self, row: Floats, means: Floats) -> tuple[float, Floats]:
        """The answer for `means`, and what each feature adds to it [features].

        A feature adds its part of the linear predictor times the slope of the secant between the
        two answers, so that the parts add up to the answer.
        """
        base, answer = self.predict(np.stack([means, row]))
        parts: Floats = self.coefficients * (row - means)
        whole = float(parts.sum())
        return float(base), parts * ((answer - base) / whole if whole else 0.0)


@dataclass(frozen=True)
class Isotonic:
    """A piecewise linear function of one feature, constant outside its boundaries.

    Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """

    feature: int
    boundaries: Floats  # [B], ascending
    values: Floats  # [B]

    def predict(self, rows: Floats) -> Floats:
        """Answers [R] for rows [R, features]."""
        found: Floats = np.interp(rows[:, self.feature], self.boundaries, self.values)
        return found

    def contributions(self, row: Floats, means: Floats) -> tuple[float, Floats]:
        """The answer for `means`, and what each feature adds to it; all is the one feature's."""
        base, answer = self.predict(np.stack([means, row]))
        parts = np.zeros(len(row))
        parts[self.feature] = answer - base
        return float(base), parts


Curve = Linked | Isotonic


def curve_json(curve: Curve) -> dict[str, Any]:
    """A curve as JSON; `read_curve` is the inverse."""
    values = {f.name: getattr(curve, f.name) for f in fields(curve)}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def read_curve(table: Mapping[str, Any], width: int) -> Curve:
    """A curve of `width` features; ValueError where its numbers do not fit or are not finite."""
    arrays = {k: np.asarray(v, dtype=np.float64) for k, v in table.items() if isinstance(v, list)}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a curve holds a number that is not finite")
    if "link" in table:
        linked = Linked(arrays["coefficients"], float(table["intercept"]), str(table["link"]))
        if linked.link not in INVERSE_LINKS or len(linked.coefficients) != width:
            raise ValueError(f"a curve with the link {linked.link} is not of {width} features")
        return linked
    curve = Isotonic(int(table["feature"]), arrays["boundaries"], arrays["values"])
    if not 0 <= curve.feature < width or not 0 < len(curve.boundaries) == len(curve.values):
        raise ValueError("a curve without a feature or a value for each boundary")
    return curve


def term_hash(word: str, seed: int = HASH_SEED) -> int:
    """The signed 32-bit MurmurHash3 of a word's UTF-8 bytes."""
    data = word.encode("utf-8")
    whole = len(data) // 4 * 4
    state = seed
    for start in range(0, whole, 4):
        state ^= _mix(int.from_bytes(data[start : start + 4], "little"))
        state = (_rotate(state, 13) * 5 + 0xE6546B64) & _32_BITS
    if data[whole:]:
        state ^= _mix(int.from_bytes(data[whole:], "little"))
    return _signed(_finalise(state ^ len(data)))


def _mix(block: int) -> int:
    return (_rotate(block * 0xCC9E2D51 & _32_BITS, 15) * 0x1B873593) & _32_BITS


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _32_BITS


def _finalise(state: int) -> int:
    state ^= state >> 16
    state = (state * 0x85EBCA6B) & _32_BITS
    state ^= state >> 13
    state = (state * 0xC2B2AE35) & _32_BITS
    return state ^ (state >> 16)


def _signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value


def _column(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)[:, None]
