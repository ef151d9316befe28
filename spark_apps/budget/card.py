"""`card.json` of a budget model: what was tried and chosen, what must be known of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marquee.names import iso
from scoring.budget.features import WITH_RATING
from spark_apps.budget.choice import Tried
from spark_apps.budget.recipes import BudgetRecipe
from spark_apps.job import Job


def notes_of(facts: Mapping[str, Any], questions: Sequence[str]) -> list[str]:
    """What a reader of the card must know; `facts` are the prepared titles' own."""
    notes = []
    if WITH_RATING not in questions:
        notes.append(
            "no crawl precedes as-of, so no rating was known then: answers before release only"
        )
    if earlier := facts.get("budgets_at_an_earlier_rate"):
        notes.append(f"{earlier} budgets were converted at the last exchange rate known")
    if refused := facts.get("budgets_refused"):
        notes.append(f"{refused} stated budgets were put aside (quarantine says why)")
    return notes


def make_card(
    job: Job, tried: Sequence[Tried], chosen: BudgetRecipe, films: int, notes: Sequence[str]
) -> Mapping[str, Any]:
    """The card; `films` are those the shipped fit has seen."""
    return {
        "model": "budget",
        "recipe": chosen.model_dump(mode="json"),
        "recipes_tried": [
            {
                "name": t.recipe.name,
                "chosen": t.recipe == chosen,
                "inner_log_rmse": t.log_rmse,
                "inner_titles": len(t.errors),
            }
            for t in tried
        ],
        "rows": films,
        "people": None,
        "titles": films,
        "as_of": iso(job.inputs.as_of),
        "seconds": dict(job.work),
        "notes": list(notes),
    }
