"""Which recipes a machine can train on these rows: by arithmetic, before anything is started.

The default may be too much for a large release; then the first recipe that is not stands in for
it, and the card says so. Where none is affordable the run is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from marquee.errors import RecipeError
from scoring.recommender.ratings import Ratings
from spark_apps.recommender.bayes.arithmetic import Size, refuse_over_budget
from spark_apps.recommender.bayes.sides import shape
from spark_apps.recommender.catalogue import Catalogue
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.recipes import BayesRecipe, RecommenderRecipe


def affordable_recipes(
    recipes: Sequence[RecommenderRecipe], trainer: Trainer, ratings: Ratings
) -> tuple[list[RecommenderRecipe], list[str]]:
    """Those within their budget on all rows, and a note for each that is not; RecipeError where
    that leaves none."""
    size = Size(len(ratings), *shape(Catalogue.of(ratings, trainer.titles)))
    kept, notes = [], []
    for recipe in recipes:
        try:
            if isinstance(recipe, BayesRecipe):
                refuse_over_budget(recipe, size)
            kept.append(recipe)
        except RecipeError as error:
            notes.append(f"not tried: {error.message}")
            refused = error
    if not kept:
        raise refused
    return kept, notes
