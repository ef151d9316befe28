"""`evaluation.json` as a typed value: checked whole before it is written, read in parts.

Who writes one must write all of it (`evaluation_json`). Who judges one must answer whatever lies
in the lake: `read_evaluation` never raises, and a part that is none is None, so that damage in
one place is a reason to refuse there and hides nothing elsewhere. A figure that is not a finite
number is None in both.
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

from marquee.artefacts.document import Document, told
from marquee.artefacts.formats import unread
from marquee.artefacts.reading import number
from marquee.errors import ContractError

FORMAT = 2
"""Format 2 adds `versus.record`, and intervals of bias and coverage to `questions`."""
REQUIRED = ("model", "holdout", "metrics", "versus", "shipped")
T = TypeVar("T")


def _forgive(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """None for a part that is none, where the reader asked for leniency."""
    try:
        return handler(value)
    except ValidationError:
        if info.context == "lenient":
            return None
        raise


Figure = Annotated[float | None, BeforeValidator(number)]
"""A finite number, or None."""
Part = Annotated[T | None, WrapValidator(_forgive)]


class Comparison(Document):
    """Two models on one metric, paired: `difference` is challenger minus other."""

    challenger: Figure
    other: Figure
    difference: Figure
    upper95: Figure
    """One-sided bounds of the difference."""
    lower95: Figure
    matched: Figure = None
    """Beside the record: how many this metric is of, where they are fewer than all matched."""


Table = Mapping[str, Part[Comparison]]
"""By the metric's key."""


def _compared(value: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The comparisons made: null is one that nobody could be compared on."""
    return {k: v for k, v in value.items() if k not in sizes and v is not None}


class Record(Document):
    """The comparison with what the champion recorded of its own holdout."""

    matched: Figure
    """People or titles whose holdout rows are the same as then."""
    units: Figure
    metrics: Table

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        """The file holds the comparisons beside the counts."""
        if not isinstance(value, Mapping):
            return value
        sizes = {key: value.get(key) for key in ("matched", "units")}
        return sizes | {"metrics": _compared(value, sizes)}


class Versus(Document):
    """The challenger beside other models on the same holdout; None: no such model."""

    bias: Part[Table] = None
    popularity: Part[Table] = None
    median_by_genre: Part[Table] = None
    ridge: Part[Table] = None
    champion: Part[Table] = None
    """The champion's recipe, retrained on the same rows."""
    record: Part[Record] = None

    def table(self, model: str) -> Table:
        """The comparisons with one model; empty where there are none."""
        found: Table | None = getattr(self, model)
        return found or {}


class Holdout(Document):
    """How many rows, and how many of what they are of."""

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
    """What a serving process says of the bundle that would serve."""

    loads: Part[bool] = None
    why: Any = ""
    golden: Part[Golden] = None
    error_on_holdout: Figure = None
    error_evaluated: Figure = None


Ends = Annotated[tuple[Figure, Figure], Strict(False)]
"""The two ends of an interval, a list in the file."""


class Question(Document):
    """One way to ask the budget model; 95 % intervals, directors resampled."""

    bias: Figure = None
    """Mean error, log10 dollars: positive where films cost more than was said."""
    bias_interval: Part[Ends] = None
    coverage: Figure = None
    coverage_interval: Part[Ends] = None


class Evaluation(Document):
    """One model on its holdout. What only the report shows is not read here."""

    format: Any = 1
    """Nothing else is read of an evaluation whose format is none, or a later release's."""
    model: Any = None
    why: Any = ""
    """Why there are no figures, where the bundle cannot be scored."""
    holdout: Part[Holdout] = None
    metrics: Part[Mapping[str, Any]] = None
    intervals: Part[Mapping[str, Part[Ends]]] = None
    """95 % intervals of the model's own metrics."""
    versus: Part[Versus] = None
    shipped: Part[Shipped] = None
    questions: Part[Mapping[str, Part[Question]]] = None

    @property
    def unread(self) -> str:
        """Why its format lets nothing be read, and what to do; empty where it is a known one."""
        return unread({"format": self.format}, FORMAT)

    def metric(self, key: str) -> float | None:
        """One metric where it is a finite number."""
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
    """Whatever of `value` is an evaluation; never raises."""
    if not isinstance(value, Mapping):
        return Evaluation()
    if unread(value, FORMAT):
        return Evaluation(format=value["format"])
    known = {key: value[key] for key in Evaluation.model_fields if key in value}
    try:
        return Evaluation.model_validate(known, context="lenient")
    except (ValidationError, RecursionError):
        return Evaluation()


def evaluation_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """What `evaluation.json` shall hold: complete, versioned, every figure finite or null.

    Raises ContractError with everything that is missing or of another kind.
    """
    found = {"format": FORMAT, **_finite(value)}
    missing = [key for key in REQUIRED if found.get(key) is None]
    missing += [said] if (said := unread(found, FORMAT)) else []
    try:
        Evaluation.model_validate(found)
    except ValidationError as error:
        missing.append(told(error))
    if missing:
        raise ContractError(
            f"the evaluation is not whole: {'; '.join(missing)}",
            "this is a fault of the evaluate step, not of the model",
        )
    return found


def _finite(value: Any) -> Any:
    """The same with null for each number that is none."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
