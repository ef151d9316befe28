"""The ranker family `ease`: a linear model that predicts each title's column of X from the others.

X [people, titles] is 1 where a person rated a title. Steck, Embarrassingly Shallow Autoencoders for
Sparse Data (WWW 2019): the weights are B = I - P diag(1 / P_jj) with P = (X'X + ridge)^-1. The
driver holds the ratings for the bundle, so it sums X'X itself, in blocks of people, and inverts it
in time cubic in the titles: only the most rated titles take part, and only the largest weights of
each title are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from marquee.errors import RecipeError
from scoring.arrays import Floats, Ints, Mask, Rows, ShortInts
from scoring.recommender.item_weights import ItemWeights
from scoring.recommender.ratings_arrays import RATINGS_AT_ONCE, History, people_at_once
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.recipes import Positive, RankerRecipe, Recipe, Share, StarsRecipe

DENSE_ARRAYS = 3  # float64 [N, N] in memory at once: the Gramian, its inverse, LAPACK's copy
PEOPLE_AT_ONCE = 1_024  # in one dense block: 10 MB at 2,500 titles


class RecencyRecipe(Recipe):
    """The weight of a rating `age` ratings before the latest: floor + (1 - floor) e^(-age/span).

    After a long pause span and floor are `span_back` and `floor_back`, by default the same.
    """

    span: Positive
    floor: Share
    span_back: Positive | None = None
    floor_back: Share | None = None

    def curve(self, away: float) -> tuple[float, float]:
        """Span and floor after a pause of this `History.away`."""
        span = self.span if self.span_back is None else self.span_back
        floor = self.floor if self.floor_back is None else self.floor_back
        there = 1.0 - away
        return there * self.span + away * span, there * self.floor + away * floor


class EaseRecipe(RankerRecipe):
    """EASE over the `titles` most rated titles, with the `keep` largest weights of each.

    The ridge penalty of a title rated n times is `reg` (n / mean n)^`title_power`. A person of n
    ratings has the weight (n / mean n)^-`people_power`. The recipe is refused where the fit needs
    more than `most_gigabytes`.
    """

    family: Literal["ease"]
    titles: Annotated[int, Field(ge=1, le=20_000)]
    keep: Annotated[int, Field(ge=1, le=20_000)]
    reg: Positive
    title_power: Share = 0.0
    people_power: Share = 0.0
    recency: RecencyRecipe | None = None
    stars: StarsRecipe | None = None
    most_gigabytes: Positive = 1.0


def fit_ease_ranker(ratings: IndexedRatings, frame: Frame, recipe: EaseRecipe, seed: int) -> Ease:
    """Fit EASE; `frame` and `seed` have no effect."""
    return Ease(*ratings.catalogue.shape, recipe, fit_ease(ratings, recipe))


@dataclass(frozen=True)
class Ease(FittedRanker):
    """A score is the sum of the rated titles' weights, each times its recency and its stars'."""

    recipe: EaseRecipe
    weights: ItemWeights

    @property
    def known(self) -> Mask:
        """Titles [I] with a weight from or to another title."""
        known: Mask = np.diff(self.weights.indptr) > 0
        known[self.weights.indices] = True
        return known

    def scores(self, user: int, history: History) -> Floats:
        """The scores of any person with this history."""
        return self.folded(history)

    def folded(self, history: History) -> Floats:
        """Sum the weights of the rated titles, the latest first."""
        scores, weights, stars = np.zeros(self.titles), self.weights, self._star_weights(history)
        for age, (title, counts) in enumerate(zip(history.rows[::-1].tolist(), stars[::-1])):
            row = slice(weights.indptr[title], weights.indptr[title + 1])
            importance = counts * self._recency_weight(age, history.away)
            scores[weights.indices[row]] += importance * weights.values[row]
        return scores

    def liked(self, history: History) -> Mask:
        """The rated titles with a positive weight."""
        liked: Mask = self._star_weights(history) > 0.0
        return liked

    def _star_weights(self, history: History) -> Floats:
        stars = self.recipe.stars
        return stars.weights(history.liking) if stars else np.ones(len(history.rows))

    def _recency_weight(self, age: int, away: float) -> float:
        """The recency weight of the rating `age` ratings before the latest."""
        recency = self.recipe.recency
        if recency is None:
            return 1.0
        span, floor = recency.curve(away)
        return floor + (1.0 - floor) * float(np.exp(-age / span))

    def facts(self) -> dict[str, Any]:
        """The family, and the parameters of recency and stars."""
        return {"family": self.recipe.family} | self.importance()

    def importance(self) -> dict[str, dict[str, float] | None]:
        """The parameters of recency and stars as JSON."""
        recency, stars = self.recipe.recency, self.recipe.stars
        return {
            "recency": recency.model_dump(exclude_none=True) if recency else None,
            "stars": stars.model_dump() if stars else None,
        }

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights as compressed sparse rows."""
        return self.weights.arrays()


def fit_ease(ratings: IndexedRatings, recipe: EaseRecipe) -> ItemWeights:
    """Fit, and keep the largest weights; rows are the catalogue's."""
    titles = len(ratings.catalogue.movie_ids)
    kept = most_rated(ratings.title_counts, recipe.titles)
    column = np.full(titles, -1, dtype=np.int32)
    column[kept] = np.arange(len(kept), dtype=np.int32)
    found = gramian(ratings, column, recipe.people_power)
    return pruned(solve_weights(found, recipe), kept, titles, recipe.keep)


def ease_cost(recipe: EaseRecipe, ratings: IndexedRatings) -> str:
    """Bytes and operations in a sentence; RecipeError above `most_gigabytes`."""
    return state_cost(len(most_rated(ratings.title_counts, recipe.titles)), recipe)


def state_cost(titles: int, recipe: EaseRecipe) -> str:
    """The cost of a fit of so many titles, in a sentence; RecipeError above `most_gigabytes`."""
    size, operations = DENSE_ARRAYS * 8 * titles**2, 2.0 * titles**3
    text = f"EASE over {titles} titles takes {size / 1e9:.2f} GB and {operations:.1e} operations"
    if size > recipe.most_gigabytes * 1e9:
        raise RecipeError(
            f"{text}, more than its {recipe.most_gigabytes:g} GB",
            "lower `titles` or raise `most_gigabytes` in the recipe's ranker",
        )
    return text


def most_rated(counts: Ints, most: int) -> Rows:
    """The rows of the `most` titles with the highest `counts` [I] of ratings, ascending."""
    order = np.argsort(-counts, kind="stable")[:most]
    return np.sort(order[counts[order] > 0])


def solve_weights(found: Floats, recipe: EaseRecipe) -> Floats:
    """Weights [N, N] from a rated title (row) to a scored title (column); the diagonal is 0."""
    rated = np.diag(found)
    ridge = recipe.reg * (rated / rated.mean()) ** recipe.title_power
    inverse = np.linalg.inv(found + np.diag(ridge))
    weights: Floats = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def pruned(weights: Floats, kept: Rows, titles: int, keep: int) -> ItemWeights:
    """The `keep` largest absolute weights of each scored title; rows are the catalogue's."""
    large = np.abs(weights)
    if keep < len(weights):
        order = np.argsort(-large, axis=0, kind="stable")[:keep]
        chosen = np.zeros_like(large, dtype=np.bool_)
        np.put_along_axis(chosen, order, True, axis=0)
    else:
        chosen = np.ones_like(large, dtype=np.bool_)
    rows, columns = np.nonzero(chosen & (large > 0.0))
    counts = np.bincount(kept[rows], minlength=titles)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = weights[rows, columns].astype(np.float32)
    return ItemWeights(indptr, kept[columns].astype(np.int32), values)


def gramian(ratings: IndexedRatings, column: ShortInts, power: float) -> Floats:
    """X' diag((n / mean)^-power) X [N, N] over the titles whose `column` is not -1.

    `column` [I] maps a title's row to 0 .. N-1. n is the number of those titles that a person
    rated; the mean is of people with at least one. Dense blocks of people are multiplied: a product
    of sparse matrices makes a term for each pair of titles of each person. A block's sums are small
    whole numbers, so single precision loses nothing where all people weigh the same.
    """
    titles = int(column.max(initial=-1)) + 1
    total: Floats = np.zeros((titles, titles))
    mean = _mean_count(ratings, column, titles) if power else 1.0
    for seen in _seen(ratings, column, titles):
        for first in range(0, seen.shape[0], PEOPLE_AT_ONCE):
            block = seen[first : first + PEOPLE_AT_ONCE].toarray()
            if power:
                counts = np.maximum(block.sum(axis=1, keepdims=True), 1.0)
                block = block * (counts.astype(np.float64) / mean) ** (-0.5 * power)
            total += block.T @ block
    return total


def _seen(ratings: IndexedRatings, column: ShortInts, titles: int) -> Iterator[Any]:
    """X [people, N] in single precision, some people at a time."""
    for people in people_at_once(ratings.indptr, RATINGS_AT_ONCE):
        ends = ratings.indptr[people.start : people.stop + 1]
        columns = column[ratings.indices[ends[0] : ends[-1]]]
        kept = columns >= 0
        rows = np.concatenate([[0], np.cumsum(kept)])[ends - ends[0]]
        ones = np.ones(rows[-1], dtype=np.float32)
        yield csr_matrix((ones, columns[kept], rows), shape=(len(rows) - 1, titles))


def _mean_count(ratings: IndexedRatings, column: ShortInts, titles: int) -> float:
    """The mean number of the titles that a person rated, of people with at least one."""
    pieces = [np.diff(seen.indptr) for seen in _seen(ratings, column, titles)]
    counts = np.concatenate([*pieces, np.zeros(0, np.int64)])
    return float(counts.sum() / max(np.count_nonzero(counts), 1))


FAMILY = RankerFamily(EaseRecipe, fit_ease_ranker, ease_cost)
