"""What a bundle must know to rank: the recipe's parameters in the words of the scorer."""

from __future__ import annotations

from typing import Any

from spark_apps.recommender.ranking.recipes import (
    EaseRecipe,
    ImplicitAlsRecipe,
    RankerRecipe,
)


def fold_in_facts(recipe: RankerRecipe) -> dict[str, Any]:
    """`fold_in.ranker` of `bundle.json`; see `scoring/recommender/rankers/reading.py`."""
    if isinstance(recipe, ImplicitAlsRecipe):
        return {"family": recipe.family} | _equations(recipe)
    if isinstance(recipe, EaseRecipe):
        return {"family": recipe.family, "recency": _recency(recipe)}
    return {
        "family": recipe.family,
        "factors": _equations(recipe.als),
        "recency": _recency(recipe.ease),
        "share": recipe.share,
    }


def _equations(recipe: ImplicitAlsRecipe) -> dict[str, Any]:
    own = recipe.person
    if own is None:
        return {"alpha": recipe.alpha, "reg": recipe.reg}
    return {"alpha": recipe.alpha, "reg": own.reg, "power": own.power}


def _recency(recipe: EaseRecipe) -> dict[str, float] | None:
    return recipe.recency.model_dump() if recipe.recency else None
