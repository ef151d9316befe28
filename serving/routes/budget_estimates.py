"""What a title costs to make."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from scoring.budget.model import BudgetQuery
from serving.backend import current_champion
from serving.engines import BudgetEngine
from serving.follower import Champion
from serving.routes.request_context import Answer, BackendDep, stamp

router = APIRouter(tags=["budgets"])


class BudgetRequest(BaseModel):
    """A film, as far as it is known."""

    model_config = ConfigDict(extra="forbid")

    directors: list[str] = Field(default=[], max_length=20, description="IMDb name ids, or names")
    genres: list[str] = Field(default=[], max_length=20)
    year: int = Field(ge=1874, le=2100)
    rating: float | None = Field(
        default=None, ge=1, le=10, description="IMDb's; leave out before release"
    )


class Contribution(BaseModel):
    """What one feature adds: log10 dollars add up, factors multiply."""

    feature: str
    log10: float
    factor: float


class KnownFilm(BaseModel):
    """A film the model has seen; its budget in dollars of the answer's `price_year`."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    budget: float


class BudgetAnswer(Answer):
    """Dollars of `price_year`; `strategy` is the question answered.

    The interval held the truth for four films in five that the recipe had not seen. The first
    contribution is a typical film's cost; the factors multiply up to the median.
    """

    median: float
    low: float
    high: float
    price_year: int
    contributions: list[Contribution]
    evidence: list[KnownFilm] = Field(description="the nearest films the model has seen")
    notes: list[str]


async def budget_of(backend: BackendDep) -> Champion[BudgetEngine]:
    """One champion for the whole request."""
    return current_champion(backend.budget)


@router.post("/v1/budget-estimates")
async def estimate_budget(
    champion: Annotated[Champion[BudgetEngine], Depends(budget_of)], request: BudgetRequest
) -> BudgetAnswer:
    """Median and interval in dollars, and what each feature adds.

    Without a rating the question answered is *before release*.
    """
    query = BudgetQuery(
        directors=tuple(request.directors),
        genres=tuple(request.genres),
        year=request.year,
        rating=request.rating,
    )
    found = champion.model.estimate(query)
    return BudgetAnswer(
        **stamp(champion, found.question),
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
