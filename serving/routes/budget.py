"""What a film costs to make."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from marquee.names import iso
from scoring.budget.model import BudgetModel, BudgetQuery
from serving.answers import BudgetAnswer, BudgetRequest, Contribution, KnownFilm
from serving.follower import Champion
from serving.routes.context import SourceHere
from serving.source import serving_now

router = APIRouter(tags=["budgets"])


async def budget_of(source: SourceHere) -> Champion[BudgetModel]:
    """One champion for the whole request."""
    return serving_now(source.budget)


@router.post("/v1/budget-estimates")
async def estimate_budget(
    champion: Annotated[Champion[BudgetModel], Depends(budget_of)], asked: BudgetRequest
) -> BudgetAnswer:
    """Median and interval in dollars, and what each feature adds.

    Without a rating the question answered is *before release*.
    """
    query = BudgetQuery(
        directors=tuple(asked.directors),
        genres=tuple(asked.genres),
        year=asked.year,
        rating=asked.rating,
    )
    found = champion.model.estimate(query)
    return BudgetAnswer(
        bundle=champion.entry.bundle,
        as_of=iso(champion.entry.as_of),
        strategy=found.question,
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
                title_id=film.title_id,
                title=film.title,
                year=film.year,
                directors=film.director_names,
                budget=10**film.log_budget,
            )
            for film in found.evidence
        ],
        notes=list(found.notes),
    )
