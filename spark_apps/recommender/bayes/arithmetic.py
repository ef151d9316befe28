"""What a Bayesian recipe will take, by arithmetic, before anything is started.

The mean over draws is kept for every pair, so memory grows with people times titles; a sweep costs
a product of K x K a rating and a Cholesky factor a row. Counts are of the largest terms alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from marquee.errors import RecipeError
from spark_apps.recommender.recipes import BayesRecipe

SINGLE, DOUBLE = 4, 8  # bytes
DENSE_COPIES = 4  # the sum, the scores, the stars and the table's places of one draw
RATED_COPIES = 3  # the rated matrix, its scaled copy and what the thin SVD makes of it
LOOKUP = 20  # operations a pair to turn a score into stars


@dataclass(frozen=True)
class Size:
    """Rows of a problem."""

    ratings: int
    people: int
    titles: int


def bytes_needed(recipe: BayesRecipe, size: Size) -> int:
    """The most held at once: in one process that runs a chain, or in the driver before."""
    pairs = size.people * size.titles
    ratings = 2 * DOUBLE * size.ratings * (recipe.rank + 6)
    return ratings + max(DENSE_COPIES * SINGLE, RATED_COPIES * DOUBLE) * pairs


def operations_needed(recipe: BayesRecipe, size: Size) -> int:
    """Multiplications and additions of all chains."""
    width, rows = recipe.rank + 1, size.people + size.titles
    columns = recipe.side_columns + 60
    sweep = 4 * size.ratings * width**2 + rows * (2 * width**3 + 6 * columns * width)
    draw = size.people * size.titles * (2 * recipe.rank + LOOKUP)
    return recipe.chains * (recipe.sweeps * sweep + recipe.kept * draw)


def refuse_over_budget(recipe: BayesRecipe, size: Size) -> None:
    """RecipeError where memory or work is more than the recipe allows itself."""
    needs = (bytes_needed(recipe, size) / 1e9, operations_needed(recipe, size) / 1e12)
    if needs[0] <= recipe.most_gigabytes and needs[1] <= recipe.most_teraoperations:
        return
    raise RecipeError(
        f"recipe {recipe.name} on {size.ratings} ratings of {size.people} people and "
        f"{size.titles} titles needs {needs[0]:.3g} GB a chain and {needs[1]:.3g} million million "
        f"operations, more than its {recipe.most_gigabytes:g} and {recipe.most_teraoperations:g}",
        "give an als_bias recipe beside it, or raise most_gigabytes and most_teraoperations",
    )
