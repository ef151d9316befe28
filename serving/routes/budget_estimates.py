"""Estimates of the budget of a title."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from scoring.budget.model import BudgetQuery
from serving.backend import current_champion
from serving.engines import BudgetEngine
from serving.follower import LoadedChampion
from serving.routes.request_context import BackendDep, ModelAnswer, answer_origin

router = APIRouter(tags=["budgets"])


class BudgetRequest(BaseModel):
    """The known facts of a film."""

    model_config = ConfigDict(extra="forbid")

    directors: list[str] = Field(default=[], max_length=20, description="IMDb name ids, or names")
    genres: list[str] = Field(default=[], max_length=20)
    year: int = Field(ge=1874, le=2100)
    rating: float | None = Field(
        default=None, ge=1, le=10, description="IMDb's rating; leave it out before release"
    )


class Contribution(BaseModel):
    """The contribution of one feature; log10 dollars add up, factors multiply."""

    feature: str
    log10: float
    factor: float


class KnownFilm(BaseModel):
    """A film of the training data; its budget is in dollars of the answer's `price_year`."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    budget: float


class BudgetAnswer(ModelAnswer):
    """An estimate in dollars of `price_year`; `strategy` names the set of known inputs.

    The interval from `low` to `high` contained the budget of four in five films outside the
    training data. The first contribution is a typical budget; all factors multiply to the median.
    """

    median: float
    low: float
    high: float
    price_year: int
    contributions: list[Contribution]
    evidence: list[KnownFilm] = Field(description="the most similar films of the training data")
    notes: list[str]


async def budget_of(backend: BackendDep) -> LoadedChampion[BudgetEngine]:
    """The champion of the whole request, even if another is promoted meanwhile."""
    return current_champion(backend.budget)


@router.post("/v1/budget-estimates")
async def estimate_budget(
    champion: Annotated[LoadedChampion[BudgetEngine], Depends(budget_of)], request: BudgetRequest
) -> BudgetAnswer:
    """The median and interval of the budget in dollars, and the contribution of each feature.

    Without a rating, the model for films before their release answers.
    """
    query = BudgetQuery(
        directors=tuple(request.directors),
        genres=tuple(request.genres),
        year=request.year,
        rating=request.rating,
    )
    found = champion.model.estimate(query)
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
