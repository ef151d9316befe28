"""The ranker family `ease`: a linear model that predicts each title's column of X from the others.

X [people, titles] is 1 where a person rated a title. Steck, Embarrassingly Shallow Autoencoders for
Sparse Data (WWW 2019): the weights are B = I - P diag(1 / P_jj) with P = (X'X + ridge)^-1. The
driver sums X'X where that is quick, else Spark does. The driver inverts it in time cubic in the
titles, so only the most rated titles take part. Only the largest weights of each title are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from pyspark.sql import DataFrame

from marquee.errors import RecipeError
from scoring.arrays import Floats, Mask, Rows, ShortInts
from scoring.recommender.item_weights import ItemWeights
from scoring.recommender.ratings_arrays import History
from spark_apps.recommender.als import blocks_for
from spark_apps.recommender.families import FittedRanker, RankerFamily
from spark_apps.recommender.recipes import Positive, RankerRecipe, Recipe, Share, StarsRecipe
from spark_apps.recommender.training_data import IndexedRatings

DENSE_ARRAYS = 3  # float64 [N, N] in memory at once: the Gramian, its inverse, LAPACK's copy
PEOPLE_AT_ONCE = 256
ROWS_AT_ONCE = 256  # rows of the Gramian in one record: 8 MB at 4,000 titles
MOST_PRODUCTS_ON_DRIVER = 10**11  # people x titles²: 2 to 20 s of one core
MOST_TASKS = 8  # each task holds a whole Gramian
Partial = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


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


def fit_ease_ranker(
    ratings: IndexedRatings, frame: DataFrame, recipe: EaseRecipe, seed: int
) -> Ease:
    """Fit EASE; `seed` has no effect."""
    return Ease(*ratings.catalogue.shape, recipe, fit_ease(ratings, frame, recipe))


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


def fit_ease(ratings: IndexedRatings, frame: DataFrame, recipe: EaseRecipe) -> ItemWeights:
    """Fit, and keep the largest weights; rows are the catalogue's."""
    titles = len(ratings.catalogue.movie_ids)
    kept = most_rated(ratings.items, titles, recipe.titles)
    column = np.full(titles, -1, dtype=np.int32)
    column[kept] = np.arange(len(kept), dtype=np.int32)
    users = ratings.users[column[ratings.items] >= 0]
    mean = len(users) / max(len(np.unique(users)), 1)
    if len(np.unique(users)) * len(kept) ** 2 <= MOST_PRODUCTS_ON_DRIVER:
        rows = ratings.users, ratings.items
        found = driver_gramian(*rows, column, recipe.people_power, mean)
    else:
        found = gramian(frame, column, len(ratings.values), recipe.people_power, mean)
    return pruned(solve_weights(found, recipe), kept, titles, recipe.keep)


def ease_cost(recipe: EaseRecipe, ratings: IndexedRatings) -> str:
    """Bytes and operations in a sentence; RecipeError above `most_gigabytes`."""
    titles = len(ratings.catalogue.movie_ids)
    return state_cost(len(most_rated(ratings.items, titles, recipe.titles)), recipe)


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


def most_rated(items: Rows, titles: int, most: int) -> Rows:
    """The rows of the `most` titles with the most ratings, ascending."""
    counts = np.bincount(items, minlength=titles)
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


def driver_gramian(
    users: Rows, items: Rows, column: ShortInts, power: float, mean: float
) -> Floats:
    """`gramian` by the driver alone, as one task of it.

    The driver holds the ratings anyway, and a job would wait until a Markov chain frees a core.
    """
    titles = int(column.max(initial=-1)) + 1
    batch = pa.RecordBatch.from_arrays([pa.array(users), pa.array(items)], names=["user", "item"])
    total: Floats = np.zeros((titles, titles))
    for pieces in _partial(column, titles, power, mean)(iter([batch])):
        for first, cells in zip(pieces["first"].to_pylist(), pieces["cells"]):
            rows = np.frombuffer(cells.as_buffer(), dtype=np.float64).reshape(-1, titles)
            total[first : first + len(rows)] += rows
    return total


def gramian(frame: DataFrame, column: ShortInts, rows: int, power: float, mean: float) -> Floats:
    """X' diag((n / mean)^-power) X [N, N] over the titles whose `column` is not -1.

    `column` [I] maps a title's row to 0 .. N-1. n is the number of those titles that a person
    rated. Each task multiplies dense blocks of 256 people, in milliseconds each. A self-join of
    100,000 ratings would instead make 47 million rows.
    """
    titles = int(column.max(initial=-1)) + 1
    tasks = min(MOST_TASKS, blocks_for(rows))
    pieces = (
        frame.select("user", "item")
        .repartition(tasks, "user")
        .mapInArrow(_partial(column, titles, power, mean), "first int, cells binary")
        # The shuffle cuts each task's Gramian (50 MB at 2,500 titles) into pieces; as one result it
        # could exceed the driver's memory.
        .repartition(-(-titles // ROWS_AT_ONCE) or 1, "first")
    )
    total: Floats = np.zeros((titles, titles))
    for piece in pieces.toLocalIterator():
        cells = np.frombuffer(piece["cells"], dtype=np.float64).reshape(-1, titles)
        total[piece["first"] : piece["first"] + len(cells)] += cells
    return total


def _partial(column: ShortInts, titles: int, power: float, mean: float) -> Partial:
    """The function of one task; Spark pickles it, so it calls no function of this module."""
    at_once, rows_at_once = PEOPLE_AT_ONCE, ROWS_AT_ONCE

    def multiply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rated = [(b["user"].to_numpy(), column[b["item"].to_numpy()]) for b in batches]
        if not rated:
            return
        users, items = (np.concatenate(arrays) for arrays in zip(*rated))
        users, items = users[items >= 0], items[items >= 0]
        _, person, counts = np.unique(users, return_inverse=True, return_counts=True)
        weights = (counts / mean) ** (-0.5 * power)
        total = np.zeros((titles, titles))
        for first in range(0, len(counts), at_once):
            here = (person >= first) & (person < first + at_once)
            block = np.zeros((min(at_once, len(counts) - first), titles))
            block[person[here] - first, items[here]] = weights[person[here]]
            total += block.T @ block
        for first in range(0, titles, rows_at_once):
            cells = total[first : first + rows_at_once].tobytes()
            yield pa.RecordBatch.from_arrays(
                [pa.array([first], pa.int32()), pa.array([cells], pa.binary())],
                names=["first", "cells"],
            )

    return multiply


FAMILY = RankerFamily(EaseRecipe, fit_ease_ranker, ease_cost)
