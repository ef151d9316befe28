"""`evaluation.json`: one model on its holdout, checked whole when written, read leniently.

The evaluate step writes a complete document (`evaluation_json`). The gate must decide on whatever
lies in the lake, so `read_evaluation` never raises: a damaged part becomes None, which fails the
conditions about that part and hides nothing elsewhere. A figure that is not a finite number is
None in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    BeforeValidator,
    Strict,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)

from marquee.artefacts.document import Document, first_problems, format_problem, number
from marquee.errors import ContractError

FORMAT = 2
"""Format 2 adds `versus.record` and, in `questions`, the intervals of bias and coverage."""
REQUIRED = ("model", "holdout", "metrics", "versus", "shipped")
T = TypeVar("T")


def _lenient(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """None for a part that cannot be read, where the reader is lenient."""
    try:
        return handler(value)
    except ValidationError:
        if info.context == "lenient":
            return None
        raise


Figure = Annotated[float | None, BeforeValidator(number)]
"""A finite number, or None."""
OrNone = Annotated[T | None, WrapValidator(_lenient)]
"""A part of the document that a lenient reader replaces by None where it is damaged."""


class Comparison(Document):
    """Two models on one metric, paired: `difference` is challenger minus other."""

    challenger: Figure
    other: Figure
    difference: Figure
    upper95: Figure
    """Upper one-sided 95 % bound of the difference."""
    lower95: Figure
    matched: Figure = None
    """In `record`: how many units this metric covers, where that is fewer than all matched."""


ComparisonTable = Mapping[str, OrNone[Comparison]]
"""By the metric's key."""


def _compared(value: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The comparisons by metric; null stands for a metric that could not be compared."""
    return {k: v for k, v in value.items() if k not in sizes and v is not None}


class Record(Document):
    """The comparison with what the champion recorded of its own holdout."""

    matched: Figure
    """People or titles whose holdout rows are the champion's."""
    units: Figure
    metrics: ComparisonTable

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        """Separate the comparisons from the counts that the file holds beside them."""
        if not isinstance(value, Mapping):
            return value
        sizes = {key: value.get(key) for key in ("matched", "units")}
        return sizes | {"metrics": _compared(value, sizes)}


class Versus(Document):
    """The challenger beside other models on the same holdout; None where there is no such model."""

    bias: OrNone[ComparisonTable] = None
    popularity: OrNone[ComparisonTable] = None
    median_by_genre: OrNone[ComparisonTable] = None
    ridge: OrNone[ComparisonTable] = None
    champion: OrNone[ComparisonTable] = None
    """The champion's recipe, retrained on the same rows."""
    record: OrNone[Record] = None

    def table(self, model: str) -> ComparisonTable:
        """The comparisons with one model; empty where there are none."""
        found: ComparisonTable | None = getattr(self, model)
        return found or {}


class Holdout(Document):
    """How many rows, people, titles and directors the holdout has."""

    rows: Figure = None
    people: Figure = None
    titles: Figure = None
    directors: Figure = None

    def count(self, units: str) -> float | None:
        """How many of `units` there are."""
        found: float | None = getattr(self, units)
        return found


class Golden(Document):
    """The shipped bundle's answers beside those the training job recorded."""

    count: Figure = None
    failures: Figure = None
    worst: Figure = None


class Shipped(Document):
    """What a serving process reports of the bundle that would serve."""

    loads: OrNone[bool] = None
    why: Any = ""
    golden: OrNone[Golden] = None
    error_on_holdout: Figure = None
    error_evaluated: Figure = None


Ends = Annotated[tuple[Figure, Figure], Strict(False)]
"""The two ends of an interval, a list in the file."""


class Question(Document):
    """One question to the budget model (with or without a rating).

    Intervals are 95 % bootstrap intervals over directors.
    """

    bias: Figure = None
    """Mean error in log10 dollars: positive where films cost more than estimated."""
    bias_interval: OrNone[Ends] = None
    coverage: Figure = None
    coverage_interval: OrNone[Ends] = None


class Evaluation(Document):
    """One model on its holdout, without the parts that only the report shows."""

    format: Any = 1
    """An unknown format, or one of a later release, leaves every other field empty."""
    model: Any = None
    why: Any = ""
    """Why there are no figures, where the bundle cannot be scored."""
    holdout: OrNone[Holdout] = None
    metrics: OrNone[Mapping[str, Any]] = None
    intervals: OrNone[Mapping[str, OrNone[Ends]]] = None
    """95 % intervals of the model's own metrics."""
    versus: OrNone[Versus] = None
    shipped: OrNone[Shipped] = None
    questions: OrNone[Mapping[str, OrNone[Question]]] = None

    @property
    def format_problem(self) -> str:
        """Why the format cannot be read, and what to do; empty where it can."""
        return format_problem({"format": self.format}, FORMAT)

    def metric(self, key: str) -> float | None:
        """The metric `key`; None where it is not a finite number."""
        return number(self.metrics, key)

    def units(self, units: str) -> float | None:
        """How many of `units` the holdout has."""
        return self.holdout.count(units) if self.holdout else None

    def comparison(self, other: str, metric: str) -> Comparison | None:
        """The comparison with another model on one metric."""
        return self.versus.table(other).get(metric) if self.versus else None

    @property
    def record(self) -> Record | None:
        """The comparison with the champion's recorded holdout."""
        return self.versus.record if self.versus else None


def read_evaluation(value: Any) -> Evaluation:
    """The readable parts of `value`; never raises."""
    if not isinstance(value, Mapping):
        return Evaluation()
    if format_problem(value, FORMAT):
        return Evaluation(format=value["format"])
    known = {key: value[key] for key in Evaluation.model_fields if key in value}
    try:
        return Evaluation.model_validate(known, context="lenient")
    except (ValidationError, RecursionError):
        return Evaluation()


def evaluation_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `evaluation.json`: complete, versioned, every figure finite or null.

    Raises ContractError naming everything that is missing or of another type.
    """
    found = {"format": FORMAT, **_finite(value)}
    missing = [key for key in REQUIRED if found.get(key) is None]
    missing += [problem] if (problem := format_problem(found, FORMAT)) else []
    try:
        Evaluation.model_validate(found)
    except ValidationError as error:
        missing.append(first_problems(error))
    if missing:
        raise ContractError(
            f"the evaluation is not whole: {'; '.join(missing)}",
            "this is a fault of the evaluate step, not of the model",
        )
    return found


def _finite(value: Any) -> Any:
    """The same value with null for each number that is not finite."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
