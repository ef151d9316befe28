"""The model card: what is recorded of a model and of the data it was trained on.

A training job writes `card.json`; the gate, the inputs of a run and the report read it.

A run's preparations record the figures of the data, `runs/R/data/ratings.json` and `titles.json`;
a promoted bundle keeps both beside its card as `data.json`. Condition 5 of the gate compares them
with the champion's, the report shows both, and `prepare_titles` compares them with those of the run
before. A champion of an early release has neither: its card then gives the numbers of rows, people
and titles, and what the card lacks is not compared.
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
    format_problem,
    read_document,
)
from marquee.errors import ContractError
from marquee.identifiers import canonical_json

D = TypeVar("D", bound=Document)

FORMAT = 1
"""Of `card.json`."""
FORMATS = {"ratings": 1, "titles": 2}
"""The newest format of each document of figures that this release knows."""
Distributions = Mapping[str, Mapping[str, Size]]
Counts = Mapping[str, float]
"""How many there are in each class, or the share of each class."""
LEAST_SHARE = 0.01
"""A rarer class counts as this share, so that an almost empty class moves no index."""


class Degraded(Document):
    """A task of a run that failed, and what the run used instead."""

    task: str
    instead: str

    def __str__(self) -> str:
        """The failure and its substitute in a sentence."""
        return f"{self.task} failed: {self.instead}"


class Card(Document):
    """The keys that decisions depend on; the report shows the rest of the file too."""

    format: int = FORMAT
    model: str
    recipe: Mapping[str, Any]
    rows: Size | None = None
    """Rows of the shipped fit: ratings, or films."""
    people: Size | None = None
    titles: Size | None = None
    as_of: str | None = None
    recipes_tried: tuple[Mapping[str, Any], ...] = ()
    seconds: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()
    degraded: tuple[Degraded, ...] = ()
    """What the training job did without."""


def read_card(data: bytes, where: str) -> Card:
    """A card from its file; ContractError where it is no card, or a later release wrote it."""
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


class RatingsFigures(Document):
    """The ratings after merging, before they are split."""

    rows: Size | None = None
    people: Size | None = None
    titles: Size | None = None
    mean: FiniteFloat | None = None
    counts: Distributions = Field(default_factory=dict)
    """By distribution (`stars`, `activity`): how many in each class."""


class TitlesFigures(Document):
    """The prepared titles; `films` are those with all that the budget model needs."""

    rows: Size | None = None
    films: Size | None = None
    missing: Mapping[str, Share] = Field(default_factory=dict)
    """By column: the share of titles without it."""
    counts: Distributions = Field(default_factory=dict)
    """By distribution (`decade`, `genre`, `budget_class`): how many films in each class."""


class DataFigures(Document):
    """Both documents of one run; None where one is missing or cannot be read."""

    ratings: RatingsFigures | None = None
    titles: TitlesFigures | None = None
    format_problems: Mapping[str, str] = Field(default_factory=dict)
    """By document: why its format cannot be read, and what to do."""


NO_FIGURES = DataFigures()


def read_figures(value: Any) -> DataFigures:
    """The figures in a mapping of both documents; one that cannot be read is None."""
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
    """The figures, with the sizes of a model card where the run recorded none.

    A document of a format this release does not know stays unread: its card is no substitute.
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
    """Population stability index: the sum of (p - q) ln(p / q) over the classes of either.

    Source: Siddiqi, Credit Risk Scorecards, 2006; below 0.1 a distribution is stable, above 0.2
    it has moved.
    """
    classes = {*now, *then}
    ours, theirs = _shares(now, classes), _shares(then, classes)
    return sum((ours[c] - theirs[c]) * math.log(ours[c] / theirs[c]) for c in classes)


def kept_psi(now: Counts, then: Counts) -> float:
    """The index over the rows of `then` that are still there.

    A crawl adds titles of other kinds than it began with and takes none away, so what it adds
    must not count as a change.
    """
    return psi({c: min(count, now.get(c, 0)) for c, count in then.items()}, then)


def expected_psi(now: Counts, then: Counts) -> float:
    """The index that two samples of one distribution show by chance.

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
