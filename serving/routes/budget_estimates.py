"""Estimates of the budget of a title.

A request states what is known of a film; the budget model's recipe decides what it reads. The
answer names the question that was answered, and what each field that was not stated costs.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from marquee.normalise.canonical_names import country_code, language_code
from scoring.budget.model import BudgetEstimate, BudgetQuery
from serving.backend import Backend, current_champion
from serving.callers import Caller, CallerDep
from serving.other_engines import EngineDep
from serving.routes.request_context import (
    BackendDep,
    ModelAnswer,
    answer_origin,
    refuse_boolean,
)

router = APIRouter(tags=["budgets"])
Name = Annotated[str, Field(min_length=1, max_length=200)]
FIELD_NAMES = {
    "director": "directors",
    "genre": "genres",
    "writer": "writers",
    "company": "companies",
    "keyword": "keywords",
    "language": "languages",
    "country": "countries",
    "month": "release_date",
}
"""The fields of a request by their names in the model, where the two differ."""


class BudgetRequest(BaseModel):
    """The known facts of a film. Only the year, or a release date, is necessary."""

    model_config = ConfigDict(extra="forbid")

    directors: list[Name] = Field(default=[], max_length=20, description="IMDb name ids, or names")
    genres: list[Name] = Field(default=[], max_length=20)
    year: int | None = Field(default=None, ge=1874, le=2100, description="the year of release")
    rating: float | None = Field(
        default=None, ge=1, le=10, description="IMDb's rating; leave it out before release"
    )
    cast: list[Name] = Field(default=[], max_length=50, description="IMDb name ids, or names")
    writers: list[Name] = Field(default=[], max_length=20, description="IMDb name ids, or names")
    companies: list[Name] = Field(default=[], max_length=20, description="production companies")
    countries: list[Name] = Field(
        default=[], max_length=20, description="names or ISO codes; the first one counts"
    )
    languages: list[Name] = Field(
        default=[], max_length=20, description="names or ISO codes; the first one counts"
    )
    keywords: list[Name] = Field(default=[], max_length=50)
    runtime: int | None = Field(default=None, ge=1, le=1500, description="minutes")
    certificate: Name | None = Field(default=None, description="such as PG-13")
    release_date: str | None = Field(
        default=None,
        pattern=r"^(18|19|20)\d\d-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$",
        description="the planned date, or its month: 2027-05-14 or 2027-05",
    )
    vote_count: int | None = Field(
        default=None, ge=0, le=10**9, description="IMDb's number of votes; none before release"
    )

    _numbers = field_validator("year", "rating", "runtime", "vote_count", mode="before")(
        refuse_boolean
    )

    @model_validator(mode="after")
    def _one_year(self) -> BudgetRequest:
        planned = int(self.release_date[:4]) if self.release_date else None
        if self.release_date and len(self.release_date) == len("2027-05-14"):
            date.fromisoformat(self.release_date)  # the 31st of February is a ValueError
        if self.year is None and planned is None:
            raise ValueError("give the year or the release date")
        if None not in (self.year, planned) and self.year != planned:
            raise ValueError(f"the year {self.year} is not that of {self.release_date}")
        return self

    def query(self) -> BudgetQuery:
        """The request as the model reads it; what is not stated is left out."""
        people = {
            "writer": self.writers,
            "cast": self.cast,
            "company": self.companies,
            "keyword": self.keywords,
        }
        numbers = {"runtime": self.runtime, "vote_count": self.vote_count}
        return BudgetQuery(
            directors=tuple(self.directors),
            genres=tuple(self.genres),
            year=self.year or int((self.release_date or "")[:4]),
            rating=self.rating,
            people={role: tuple(names) for role, names in people.items() if names},
            numbers={name: float(value) for name, value in numbers.items() if value is not None},
            labels={name: word for name, word in self._labels().items() if word},
        )

    def _labels(self) -> dict[str, str | None]:
        """A word that has no code stays as it is; the answer notes it as not seen."""
        language, country = (
            words[0] if words else "" for words in (self.languages, self.countries)
        )
        return {
            "certificate": self.certificate and self.certificate.strip(),
            "language": language_code(language) or language,
            "country": country_code(country) or country,
            "month": self.release_date and self.release_date[5:7],
        }


class Contribution(BaseModel):
    """The contribution of one feature; log10 dollars add up, factors multiply."""

    feature: str
    log10: float
    factor: float


class MissingField(BaseModel):
    """A field that the request does not state, and what that costs."""

    field: str = Field(description="a field of the request, or `all further fields` together")
    error_ratio: float = Field(
        description="the error without the field over the error with it, on later films in "
        "training: at 1.1 errors are a tenth larger"
    )


class KnownFilm(BaseModel):
    """A film of the training data; its budget is in dollars of the answer's `price_year`."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    budget: float


class BudgetAnswer(ModelAnswer):
    """An estimate in dollars of `price_year`; `strategy` names the question that was answered.

    The questions are `with rating`, `before release`, `before release, all that is planned` and
    `all that is known`. The interval from `low` to `high` contained the budget of four in five
    films outside the training data; it is wider where fields are missing. The first contribution is
    a typical budget; all factors multiply to the median.
    """

    median: float
    low: float
    high: float
    price_year: int
    contributions: list[Contribution]
    missing: list[MissingField] = Field(
        description="fields that were not stated, as far as their cost was measured"
    )
    evidence: list[KnownFilm] = Field(description="the most similar films of the training data")
    notes: list[str]


@router.post("/v1/budget-estimates")
async def estimate_budget(
    backend: BackendDep, caller: CallerDep, request: BudgetRequest, engine: EngineDep = None
) -> BudgetAnswer:
    """The median and interval of the budget in dollars, and the contribution of each feature.

    Every field but the year is optional. Without a rating, the model for films before their release
    answers. Unknown names and words are noted, and are no error.
    """
    if engine is not None:
        return await engine.answer(BudgetAnswer)
    return budget_estimate(backend, caller, request)


def budget_estimate(backend: Backend, _caller: Caller, request: BudgetRequest) -> BudgetAnswer:
    """The answer to `budget-estimate`; raises a 503 problem where no model serves."""
    champion = current_champion(backend.budget)
    found = champion.model.estimate(request.query())
    return BudgetAnswer(
        **answer_origin(champion, found.question),
        median=found.median,
        low=found.low,
        high=found.high,
        price_year=found.price_year,
        contributions=[
            Contribution(feature=feature, log10=share, factor=10**share)
            for feature, share in found.contributions.items()
        ],
        missing=_missing(found),
        evidence=[
            KnownFilm(
                title_id=known.title_id,
                title=known.title,
                year=known.year,
                directors=known.director_names,
                budget=10**known.log_budget,
            )
            for known in found.evidence
        ],
        notes=list(found.notes),
    )


def _missing(found: BudgetEstimate) -> list[MissingField]:
    """The most costly field first."""
    costs = sorted(found.missing.items(), key=lambda cost: -cost[1])
    return [MissingField(field=FIELD_NAMES.get(n, n), error_ratio=ratio) for n, ratio in costs]
