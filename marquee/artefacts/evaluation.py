"""`evaluation.json`: the metrics of one model on its holdout.

`evaluation_json` checks the complete document before the evaluate step writes it.
`read_evaluation` is lenient and never raises, because the gate must decide on any file: a damaged
part becomes None, and the gate's conditions about that part fail. A figure that is NaN or infinite
is null in the file and None in the value.
"""

from __future__ import annotations

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

from marquee.artefacts.document import Document, finite, first_problems, format_problem, number
from marquee.errors import ContractError

FORMAT = 2
"""Format 2 adds `versus.record` and, in `questions`, the intervals of bias and coverage."""
REQUIRED = ("model", "holdout", "metrics", "versus", "shipped")
T = TypeVar("T")


def _lenient(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """None for a damaged part in `read_evaluation`; elsewhere the error."""
    try:
        return handler(value)
    except ValidationError:
        if info.context == "lenient":
            return None
        raise


Figure = Annotated[float | None, BeforeValidator(number)]
"""A finite number, or None."""
OrNone = Annotated[T | None, WrapValidator(_lenient)]
"""A part of the document that `read_evaluation` replaces by None where it is damaged."""


class Comparison(Document):
    """A paired comparison of two models on one metric; `difference` is challenger minus other."""

    challenger: Figure
    other: Figure
    difference: Figure
    upper95: Figure
    """Upper one-sided 95 % bound of the difference."""
    lower95: Figure
    matched: Figure = None
    """Only in `record`: the number of matched units with this metric, where not all have it."""


ComparisonTable = Mapping[str, OrNone[Comparison]]
"""Comparisons by the key of their metric."""


def _compared(value: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The comparisons by metric, without nulls, which stand for metrics without a comparison."""
    return {k: v for k, v in value.items() if k not in sizes and v is not None}


class Record(Document):
    """The comparison with the champion's holdout record."""

    matched: Figure
    """The number of people or titles with the same holdout rows as in the champion's record."""
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
    """Comparisons with other models on the same holdout; None for a model that does not exist."""

    bias: OrNone[ComparisonTable] = None
    popularity: OrNone[ComparisonTable] = None
    popularity_lately: OrNone[ComparisonTable] = None
    """Popularity of the four weeks before each person asks."""
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
    """The numbers of rows, people, titles and directors in the holdout."""

    rows: Figure = None
    people: Figure = None
    titles: Figure = None
    directors: Figure = None

    def count(self, units: str) -> float | None:
        """The number of `units`, such as `people`."""
        found: float | None = getattr(self, units)
        return found


class Golden(Document):
    """The shipped bundle's answers to its golden queries, against the recorded answers."""

    count: Figure = None
    failures: Figure = None
    worst: Figure = None


class Shipped(Document):
    """The result of loading the shipped bundle in a serving process."""

    loads: OrNone[bool] = None
    why: Any = ""
    golden: OrNone[Golden] = None
    error_on_holdout: Figure = None
    error_evaluated: Figure = None


IntervalBounds = Annotated[tuple[Figure, Figure], Strict(False)]
"""The two ends of an interval, a list in the file."""


class QuestionFigures(Document):
    """The figures of one kind of budget query: with or without a known rating.

    Intervals are 95 % bootstrap intervals over directors.
    """

    bias: Figure = None
    """Mean error in log10 dollars: positive where films cost more than estimated."""
    bias_interval: OrNone[IntervalBounds] = None
    coverage: Figure = None
    coverage_interval: OrNone[IntervalBounds] = None


class TurnedStars(Document):
    """What turning all stars upside down does to the lists of some people of the holdout."""

    people: Figure = None
    changed: Figure = None
    """The share of people whose ten titles are others."""
    overlap: Figure = None
    disliked_reasons: Figure = None
    """Recommendations of which a reason is a title that the person disliked."""


class Evaluation(Document):
    """The parts of `evaluation.json` that the gate needs; only the report reads the other parts."""

    format: Any = 1
    """With an unknown format, every other field is empty."""
    model: Any = None
    why: Any = ""
    """The reason where the bundle cannot be scored."""
    holdout: OrNone[Holdout] = None
    metrics: OrNone[Mapping[str, Any]] = None
    intervals: OrNone[Mapping[str, OrNone[IntervalBounds]]] = None
    """95 % intervals of the model's own metrics."""
    versus: OrNone[Versus] = None
    shipped: OrNone[Shipped] = None
    turned_stars: OrNone[TurnedStars] = None
    questions: OrNone[Mapping[str, OrNone[QuestionFigures]]] = None

    @property
    def format_problem(self) -> str:
        """The reason why this release cannot read the format; empty where it can."""
        return format_problem({"format": self.format}, FORMAT)

    def metric(self, key: str) -> float | None:
        """The metric `key`; None where it is not a finite number."""
        return number(self.metrics, key)

    def units(self, units: str) -> float | None:
        """The number of `units` in the holdout."""
        return self.holdout.count(units) if self.holdout else None

    def comparison(self, other: str, metric: str) -> Comparison | None:
        """The comparison with another model on one metric."""
        return self.versus.table(other).get(metric) if self.versus else None

    @property
    def record(self) -> Record | None:
        """The comparison with the champion's holdout record."""
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
    """The content of `evaluation.json`, with its format number and null for NaN and infinities.

    Raises ContractError with every missing key and the first values of a wrong type.
    """
    found = {"format": FORMAT, **finite(value)}
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
