"""A recipe's chain of Spark stages in NumPy: from a title's fields to the features of a question.

A recipe with `stages` makes its features by Spark's transformers instead of track records. The
fields that a stage may read are FIELDS; a question knows some of them (`is_known`). A bundle holds
one StageChain for each question.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from scoring.arrays import Floats
from scoring.budget.spark_stages import (
    Binary,
    Buckets,
    Grams,
    Hashed,
    Indexer,
    OneHot,
    Scale,
    Stage,
    Vectors,
)

TEXT, NUMBER, WORDS = "text", "number", "words"
ROLES = {
    "writers": "writer",
    "cast": "cast",
    "companies": "company",
    "keywords": "keyword",
}
LABELS = ("certificate", "language", "country", "month")
NUMBERS = ("runtime", "vote_count")
FIELDS: Mapping[str, str] = {
    "director": TEXT,
    "genre": TEXT,
    **dict.fromkeys(LABELS, TEXT),
    "year": NUMBER,
    "rating": NUMBER,
    "genre_count": NUMBER,
    **dict.fromkeys(NUMBERS, NUMBER),
    "directors": WORDS,
    "genres": WORDS,
    **dict.fromkeys(ROLES, WORDS),
}
"""The kind of each field. `director` is the first director, `genre` the first by the alphabet.
People and keywords are folded names or ids, as in track records."""
CORE_FIELDS = ("director", "genre", "year", "rating", "genre_count", "directors", "genres")
AFTER_RELEASE = ("vote_count",)
KINDS: Mapping[str, type[Stage]] = {
    "StringIndexer": Indexer,
    "OneHotEncoder": OneHot,
    "Bucketizer": Buckets,
    "Binarizer": Binary,
    "Scaler": Scale,
    "NGram": Grams,
    "HashingTF": Hashed,
    "Word2Vec": Vectors,
}
"""The class of each stage by its name in a bundle."""
Value = str | float | list[str] | Floats | None
Fields = Mapping[str, Any]


def is_known(field: str, *, is_wide: bool, is_rated: bool, is_released: bool) -> bool:
    """Whether a question knows a field.

    `is_wide`: it reads more than CORE_FIELDS. `is_released`: it knows votes too.
    """
    if field == "rating":
        return is_rated
    if field in CORE_FIELDS:
        return True
    return is_wide and (is_released or field not in AFTER_RELEASE)


class StatedTitle(Protocol):
    """The parts of a BudgetQuery that `title_fields` reads."""

    @property
    def genres(self) -> Sequence[str]: ...
    @property
    def rating(self) -> float | None: ...
    @property
    def numbers(self) -> Mapping[str, float]: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


def title_fields(title: StatedTitle, year: int, people: Mapping[str, Sequence[str]]) -> Fields:
    """The FIELDS of a title; `people` holds folded keys by role, with the role `director`."""
    directors = list(people.get("director", ()))
    return {
        "director": directors[0] if directors else None,
        "genre": min(title.genres, default=None),
        **{name: title.labels.get(name) or None for name in LABELS},
        "year": float(year),
        "rating": title.rating,
        "genre_count": float(len(set(title.genres))),
        **{name: title.numbers.get(name) for name in NUMBERS},
        "directors": directors,
        "genres": list(title.genres),
        **{name: list(people.get(role, ())) for name, role in ROLES.items()},
    }


@dataclass(frozen=True)
class Step:
    """One stage: it reads `inputs`, side by side, and writes the column `output`."""

    inputs: tuple[str, ...]
    output: str
    stage: Stage


@dataclass(frozen=True)
class StageChain:
    """The fitted stages of one question."""

    fills: Mapping[str, float]
    """The mean in training of each number that is read; it replaces a missing value."""
    steps: tuple[Step, ...]
    features: tuple[str, ...]
    """The columns of the vector: outputs of steps, and numbers."""

    def vector(self, fields: Fields) -> Floats:
        """The features [F] of a title; a missing number counts as its mean."""
        values = self._run(fields)
        return np.concatenate([_flat(values[name]) for name in self.features])

    @cached_property
    def names(self) -> list[str]:
        """The name of each feature: its column, with a number where that has several."""
        values = self._run({})
        sizes = {name: len(_flat(values[name])) for name in self.features}
        return [
            name if size == 1 else f"{name} {place}"
            for name, size in sizes.items()
            for place in range(size)
        ]

    @cached_property
    def groups(self) -> list[str]:
        """The field, or fields joined by `and`, that each feature comes from."""
        values = self._run({})
        origins: dict[str, list[str]] = {}
        for step in self.steps:
            read = [origins.get(name, [name]) for name in step.inputs]
            flat = [origin for one in read for origin in one]
            whole = " and ".join(dict.fromkeys(flat))
            size = 1 if isinstance(step.stage, Grams) else len(_flat(values[step.output]))
            origins[step.output] = flat if isinstance(step.stage, Scale) else [whole] * size
        return [one for name in self.features for one in origins.get(name, [name])]

    @cached_property
    def fields(self) -> list[str]:
        """The FIELDS that the chain reads."""
        made = {step.output for step in self.steps}
        read = dict.fromkeys([*(n for step in self.steps for n in step.inputs), *self.features])
        return [name for name in read if name not in made]

    @cached_property
    def words(self) -> Mapping[str, Sequence[str]]:
        """The words in training of each of LABELS that a StringIndexer reads."""
        indexed = [(step.inputs[0], step.stage) for step in self.steps]
        return {n: s.labels for n, s in indexed if n in LABELS and isinstance(s, Indexer)}

    def missing(self, fields: Fields) -> list[str]:
        """The fields that the chain reads and the title does not state."""
        return [name for name in self.fields if fields.get(name) in (None, [])]

    def _run(self, fields: Fields) -> dict[str, Value]:
        values: dict[str, Value] = {**dict.fromkeys(FIELDS), **fields}
        for name, fill in self.fills.items():
            values[name] = fill if values.get(name) is None else values[name]
        for step in self.steps:
            values[step.output] = _applied(step.stage, [values[name] for name in step.inputs])
        return values


def _applied(stage: Stage, inputs: Sequence[Any]) -> Value:
    if isinstance(stage, Grams):
        return stage.words(inputs)[0]
    is_joined = isinstance(stage, Scale)
    read: Any = np.concatenate(list(map(_flat, inputs))) if is_joined else _scalar(inputs[0])
    found: Floats = stage.apply([read])[0]
    return found


def _scalar(value: Value) -> Any:
    """A column of one number as the number; other values unchanged."""
    return float(value[0]) if isinstance(value, np.ndarray) else value


def _flat(value: Value) -> Floats:
    return np.atleast_1d(np.asarray(value, dtype=np.float64))


# The chain in `bundle.json`


def chain_json(chain: StageChain) -> dict[str, Any]:
    """A chain as JSON; `read_chain` is the inverse."""
    kinds = {kind: name for name, kind in KINDS.items()}
    return {
        "fills": dict(chain.fills),
        "features": list(chain.features),
        "steps": [
            {
                "stage": kinds[type(step.stage)],
                "inputs": list(step.inputs),
                "output": step.output,
                "fitted": {name: _plain(value) for name, value in asdict(step.stage).items()},
            }
            for step in chain.steps
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def read_chain(table: Mapping[str, Any]) -> StageChain:
    """A chain from `bundle.json`; KeyError, TypeError or ValueError where it is damaged."""
    steps = tuple(_step(step) for step in table["steps"])
    fills = {name: float(value) for name, value in table["fills"].items()}
    chain = StageChain(fills, steps, tuple(table["features"]))
    _check(chain)
    return chain


def _step(table: Mapping[str, Any]) -> Step:
    fitted = table["fitted"]
    stage = KINDS[table["stage"]](**{name: _fitted(name, fitted[name]) for name in fitted})
    return Step(tuple(table["inputs"]), str(table["output"]), stage)


def _fitted(name: str, value: Any) -> Any:
    if name in ("shift", "factor", "offset"):
        return np.array(value, dtype=np.float64)
    if name == "splits":
        return tuple(map(float, value))
    if name == "words":
        return {word: np.array(vector, dtype=np.float64) for word, vector in value.items()}
    return tuple(value) if isinstance(value, list) else value


def _check(chain: StageChain) -> None:
    made = {*FIELDS}
    for step in chain.steps:
        _refuse_unmade(step.inputs, made)
        made.add(step.output)
    _refuse_unmade(chain.features, made)
    numbers = [*chain.fills.values(), *chain.vector({})]
    if not np.isfinite(numbers).all():
        raise ValueError("a stage holds a number that is not finite")


def _refuse_unmade(read: Iterable[str], made: set[str]) -> None:
    if unmade := set(read) - made:
        raise ValueError(f"no stage makes {', '.join(sorted(unmade))}")
