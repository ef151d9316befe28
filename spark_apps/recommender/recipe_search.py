"""Which recipe is trained, and with which share of its blend.

The first choice is by arithmetic: a recipe that this machine cannot train on these rows is not
tried. The default may be too much for a large release; then the first affordable recipe replaces
it, and the card states that.

The second choice is on an inner split of train, never on the holdout. Of one recipe only the blend
is chosen. Of several, the first is the incumbent: the champion's where the run tries it, else the
default. Another recipe replaces it only where it is clearly better on prediction or on ranking, and
on the other criterion is neither shown to be worse nor beyond the gate's margin
(`scoring.model_comparison`: of equal recipes, however many are tried, any replaces the incumbent in
at most one search of twenty). People are resampled, and titles are relevant, as at the gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from marquee.errors import RecipeError
from scoring import model_comparison
from scoring.arrays import Floats, Ints, Mask, top_rows
from scoring.recommender.holdout import (
    LIKED,
    LIST_LENGTH,
    Relevant,
    last_share,
    mean_or_zero,
    ranking_metrics,
    rmse,
    squared_errors_by_person,
)
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.families import Size, fit_ranker, refuse_over_budget
from spark_apps.recommender.recipes import RankerRecipe, RecommenderRecipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_data import Catalogue, IndexedRatings

MARGIN_RMSE, MARGIN_NDCG = 0.01, 0.03
"""The gate's own of `config/base.toml`; where a run's form tightens them, the gate decides."""


def affordable_recipes(
    recipes: Sequence[RecommenderRecipe], trainer: Trainer, ratings: Ratings
) -> tuple[list[RecommenderRecipe], list[str]]:
    """The recipes within their budget on all rows, and a note for each that is not; RecipeError
    where none is."""
    size = Size(len(ratings), *Catalogue.of(ratings, trainer.titles).shape)
    kept, notes = [], []
    for recipe in recipes:
        try:
            refuse_over_budget(recipe, size)
            kept.append(recipe)
        except RecipeError as error:
            notes.append(f"not tried: {error.message}")
            refused = error
    if not kept:
        raise refused
    return kept, notes


@dataclass(frozen=True)
class Choice:
    """The challenger's recipe and blend, and all recipes that were tried."""

    recipe: RecommenderRecipe
    weight: float
    tries: tuple[Try, ...]

    def tried(self) -> list[dict[str, Any]]:
        """`card.json`'s `recipes_tried`."""
        return [t.as_json(t.recipe == self.recipe) for t in self.tries]


def choose(
    trainer: Trainer,
    ratings: Ratings,
    recipes: Sequence[RecommenderRecipe],
    held: Mask | None = None,
) -> Choice:
    """Try every recipe on one inner split of `ratings` (see `InnerSplit.of`); the first stands
    unless another is clearly better."""
    if len(recipes) == 1 and len(recipes[0].shares) == 1:
        return Choice(recipes[0], recipes[0].shares[0], ())  # nothing to choose
    inner = InnerSplit.of(trainer, ratings, held)
    if inner is None:
        # No row can be held out: take the first recipe, as near to the bias model as it allows.
        return Choice(recipes[0], min(recipes[0].shares), ())
    tries = [try_recipe(trainer, inner, r, compared=len(recipes) > 1) for r in recipes]
    best = best_try(tries, inner, trainer.seed)
    return Choice(best.recipe, best.weight, tuple(tries))


@dataclass(frozen=True)
class Try:
    """A recipe on the inner split: its best share of the blend, the RMSE of every share, the stars
    of the held-out rows and, where recipes are compared, nDCG of the people of
    `InnerSplit.liked`."""

    recipe: RecommenderRecipe
    weight: float
    shares: dict[float, float]
    values: Floats
    ndcg: Floats | None = None

    def as_json(self, chosen: bool) -> dict[str, Any]:
        """The line of `card.json`'s `recipes_tried`."""
        line: dict[str, Any] = {"name": self.recipe.name, "chosen": chosen, "weight": self.weight}
        line["inner_rmse"] = self.shares.get(self.weight)
        line["inner_ndcg@10"] = None if self.ndcg is None else mean_or_zero(self.ndcg)
        return line | {"inner_rmse_by_weight": {f"{w:g}": e for w, e in self.shares.items()}}


def try_recipe(
    trainer: Trainer, inner: InnerSplit, recipe: RecommenderRecipe, compared: bool
) -> Try:
    """Fit on the inner train; the ranker too where recipes are `compared`."""
    predictor = trainer.fit_predictor(inner.train, inner.frame, recipe, weight=1.0)
    answers = predictor.by_share(inner.held_out, trainer.clip)
    errors = {w: rmse(values, inner.held_out.values) for w, values in answers.items()}
    best = min(errors, key=lambda w: errors[w])
    ndcg = inner_ndcg(trainer, inner, recipe.ranker) if compared else None
    return Try(recipe, best, errors, answers[best], ndcg)


def inner_ndcg(trainer: Trainer, inner: InnerSplit, recipe: RankerRecipe) -> Floats:
    """nDCG at ten of each person who liked a held-out title; titles they rated in the inner train
    are not listed."""
    ranker = fit_ranker(inner.train, inner.frame, recipe, trainer.seed)
    liked = inner.liked
    lists = np.full((len(liked.people), LIST_LENGTH), -1, dtype=np.int64)
    for place, user in enumerate(liked.people):
        rated = inner.train.rated(int(user))
        scores = np.where(ranker.known, ranker.scores(int(user), rated), -np.inf)
        scores[rated] = -np.inf
        best = top_rows(scores, LIST_LENGTH)
        lists[place, : len(best)] = best
    return ranking_metrics(liked.hits(lists), liked.counts)["ndcg"]


@dataclass(frozen=True)
class InnerSplit:
    """The inner split: rows to fit on (`frame` holds the same), and held-out rows of the same
    catalogue to judge by."""

    train: IndexedRatings
    frame: DataFrame
    held_out: IndexedRatings
    rows: Ratings

    @classmethod
    def of(cls, trainer: Trainer, ratings: Ratings, held: Mask | None = None) -> InnerSplit | None:
        """Hold out each person's last ratings, or the rows `held`, of titles that the other rows
        hold too; None where no such row exists."""
        late = last_share(ratings) if held is None else held
        train = trainer.index(ratings.take(~late))
        rows = ratings.take(late & np.isin(ratings.movie_ids, train.catalogue.movie_ids))
        if not len(rows):
            return None
        held_out = IndexedRatings.of(rows, train.catalogue)
        return cls(train, train.frame(trainer.spark), held_out, rows)

    @property
    def people(self) -> Ints:
        """Rows of those who have something held out, ascending."""
        return np.unique(self.held_out.users).astype(np.int64)

    @property
    def liked(self) -> Relevant:
        """Held-out titles that count as relevant, as at the gate; only people who liked some."""
        users, items = self.held_out.users, self.held_out.items
        is_liked = self.held_out.values >= LIKED
        return Relevant.of(users[is_liked].astype(np.int64), items[is_liked].astype(np.int64))


def best_try(tries: Sequence[Try], inner: InnerSplit, seed: int) -> Try:
    """The first try unless another is clearly better; of equals the one that is listed first."""
    if len(tries) == 1:
        return tries[0]
    criteria = [_prediction(tries, inner), _ranking(tries, inner)]
    return tries[model_comparison.choose_recipe(criteria, range(len(tries)), seed=seed)]


def _prediction(tries: Sequence[Try], inner: InnerSplit) -> model_comparison.Criterion:
    users, actual = inner.held_out.users.astype(np.int64), inner.held_out.values
    errors = [squared_errors_by_person(users, t.values, actual) for t in tries]
    sums = np.stack([sums for sums, _ in errors])
    return model_comparison.Criterion(sums, errors[0][1], MARGIN_RMSE, root=True)


def _ranking(tries: Sequence[Try], inner: InnerSplit) -> model_comparison.Criterion:
    """The loss is nDCG with its sign changed. The people are those of `_prediction`; who liked no
    held-out title has no weight."""
    places = np.searchsorted(inner.people, inner.liked.people)
    sums, weights = np.zeros((len(tries), len(inner.people))), np.zeros(len(inner.people))
    weights[places] = 1.0
    for row, tried in enumerate(tries):
        sums[row, places] = 0.0 if tried.ndcg is None else -tried.ndcg
    return model_comparison.Criterion(sums, weights, MARGIN_NDCG)
