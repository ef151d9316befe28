"""The model card, the forecast, and the data figures: counts and distributions of training data.

A training job writes `card.json`; the gate, the inputs of a run and the report read it.
`forecast_recommender` writes `forecast.json`; the report and the next run read it.

`prepare_ratings` and `prepare_titles` write the data figures of a run, `runs/R/data/ratings.json`
and `runs/R/data/titles.json`. A promoted bundle holds both in `data.json`, beside its card.
Condition 5 of the gate compares the challenger's data figures with the champion's. The report shows
both. A champion of an early release has no data figures; its card then gives the numbers of rows,
people and titles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, FiniteFloat, ValidationError

from marquee.artefacts.document import (
    Document,
    NewerFormatError,
    Share,
    Size,
    finite,
    format_problem,
    read_document,
)
from marquee.errors import ContractError
from marquee.identifiers import canonical_json

D = TypeVar("D", bound=Document)

FORMAT = 1
"""The newest format of `card.json`."""
FORECAST_FORMAT = 1
"""The newest format of `forecast.json`."""
FORMATS = {"ratings": 1, "titles": 2}
"""The newest format of each document of data figures."""
Distributions = Mapping[str, Mapping[str, Size]]
Counts = Mapping[str, float]
"""The count, or the share, of each class of a distribution."""
LEAST_SHARE = 0.01
"""The least share of a class in a PSI; without it, an almost empty class dominates the PSI."""


class Degraded(Document):
    """A failed task of a run, and its substitute."""

    task: str
    instead: str

    def __str__(self) -> str:
        """The failure and the substitute in a sentence."""
        return f"{self.task} failed: {self.instead}"


class Card(Document):
    """The keys of `card.json` that decisions need; the report also shows the other keys."""

    format: int = FORMAT
    model: str
    recipe: Mapping[str, Any]
    rows: Size | None = None
    """Number of training rows of the shipped model: ratings, or titles with a budget."""
    people: Size | None = None
    titles: Size | None = None
    as_of: str | None = None
    recipes_tried: tuple[Mapping[str, Any], ...] = ()
    seconds: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    """The failed inputs that the training job replaced."""


def read_card(data: bytes, where: str) -> Card:
    """A card from the content of its file.

    Raises ContractError where the content is damaged or a later release wrote it.
    """
    try:
        return read_document(Card, data, FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{where}: {error}", "update this release") from None
    except ValueError as error:
        raise ContractError(f"{where} is not a card: {error}", "train again") from None


def card_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `card.json`; ContractError where a key is missing or of another type."""
    found = {"format": FORMAT, **value}
    read_card(canonical_json(found), "what the training job says of its model")
    return found


class Forecast(Document):
    """`forecast.json`: a recipe fitted to early ratings, and measured on all later ones."""

    format: int = FORECAST_FORMAT
    run: str
    """The run that fitted it; a later run of the same recipe and code holds a copy."""
    as_of: str
    """The as-of of that run."""
    code: str
    """The digest of the code that fitted it."""
    recipe: Mapping[str, Any]
    """The recipe as the model's card states it; the fit itself may use shorter chains."""
    figures: Mapping[str, Any] | None = None
    """`rows`, `people`, `since`, `metrics`, `versus` and `rating_intervals`; None where all ratings
    have one time."""
    notes: tuple[str, ...] = ()

    def is_of(self, recipe: Mapping[str, Any], code: str) -> bool:
        """Whether this recipe under this code was measured."""
        return self.code == code and canonical_json(self.recipe) == canonical_json(recipe)


def read_forecast_document(data: bytes) -> Forecast | None:
    """A forecast from the content of its file; None where it is damaged or of a later release."""
    try:
        return read_document(Forecast, data, FORECAST_FORMAT)
    except ValueError:
        return None


def forecast_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `forecast.json`, with null for NaN; ValueError where a key is missing."""
    found: dict[str, Any] = finite({"format": FORECAST_FORMAT, **value})
    read_document(Forecast, canonical_json(found), FORECAST_FORMAT)
    return found


class RatingsFigures(Document):
    """Figures of the merged ratings, before the split."""

    rows: Size | None = None
    people: Size | None = None
    titles: Size | None = None
    mean: FiniteFloat | None = None
    counts: Distributions = Field(default_factory=dict)
    """Counts by distribution (`stars`, `activity`) and class."""


class TitlesFigures(Document):
    """Figures of the prepared titles; `films` counts the titles that the budget model can use."""

    rows: Size | None = None
    films: Size | None = None
    missing: Mapping[str, Share] = Field(default_factory=dict)
    """The share of titles without a value, by column."""
    counts: Distributions = Field(default_factory=dict)
    """Counts by distribution (`decade`, `genre`, `budget_class`) and class."""


class DataFigures(Document):
    """Both documents of one run; None for a document that is missing or damaged."""

    ratings: RatingsFigures | None = None
    titles: TitlesFigures | None = None
    format_problems: Mapping[str, str] = Field(default_factory=dict)
    """The reason why this release cannot read a document's format, by document."""


NO_FIGURES = DataFigures()


def read_figures(value: Any) -> DataFigures:
    """The data figures from `{"ratings": …, "titles": …}`; None for a damaged document."""
    table = value if isinstance(value, Mapping) else {}
    given = {name: table[name] for name in FORMATS if isinstance(table.get(name), Mapping)}
    problems = {name: format_problem(one, FORMATS[name]) for name, one in given.items()}
    known = {name: one for name, one in given.items() if not problems[name]}
    return DataFigures(
        ratings=_parsed(RatingsFigures, known.get("ratings")),
        titles=_parsed(TitlesFigures, known.get("titles")),
        format_problems={name: problem for name, problem in problems.items() if problem},
    )


def completed_from_card(figures: DataFigures, model: str, card: Any) -> DataFigures:
    """The data figures; a missing document is replaced by the sizes in the model card.

    A document with an unknown format is not replaced.
    """
    name = "titles" if model == "budget" else "ratings"
    if getattr(figures, name) or name in figures.format_problems or not isinstance(card, Mapping):
        return figures
    if name == "titles":
        titles = _parsed(TitlesFigures, {"films": card.get("titles")})
        return figures.model_copy(update={"titles": titles})
    sizes = {key: card.get(key) for key in ("rows", "people", "titles")}
    return figures.model_copy(update={"ratings": _parsed(RatingsFigures, sizes)})


def psi(now: Counts, then: Counts) -> float:
    """Population stability index (PSI): the sum of (p - q) ln(p / q) over all classes.

    Source: Siddiqi, Credit Risk Scorecards, 2006. A PSI below 0.1 means a stable distribution, a
    PSI above 0.2 a changed one.
    """
    classes = {*now, *then}
    ours, theirs = _shares(now, classes), _shares(then, classes)
    return sum((ours[c] - theirs[c]) * math.log(ours[c] / theirs[c]) for c in classes)


def kept_psi(now: Counts, then: Counts) -> float:
    """The PSI of counts that shrank; a class that grew counts as unchanged.

    A growing crawl adds titles of other kinds than the first titles, which is no change of the
    world.
    """
    return psi({c: min(count, now.get(c, 0)) for c, count in then.items()}, then)


def expected_psi(now: Counts, then: Counts) -> float:
    """The expected PSI of two random samples of one distribution.

    About (k - 1)(1 / n + 1 / m) for k classes and samples of n and m rows.
    """
    sizes = sum(now.values()), sum(then.values())
    classes = {c for counts in (now, then) for c, count in counts.items() if count}
    return math.inf if 0 in sizes else (len(classes) - 1) * sum(1 / size for size in sizes)


def _shares(counts: Counts, classes: set[str]) -> dict[str, float]:
    total = sum(counts.values()) or 1
    return {c: max(counts.get(c, 0) / total, LEAST_SHARE) for c in classes}


def _parsed(kind: type[D], value: Any) -> D | None:
    try:
        return kind.model_validate(value) if isinstance(value, Mapping) else None
    except (ValidationError, RecursionError):
        return None
