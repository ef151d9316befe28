"""Chooses the recipe to train, and its share of the blend.

`affordable_recipes` drops recipes whose estimated cost exceeds their limits. The card names them.

`choose` compares the others on an inner split of train; the holdout is not used. The first recipe
is the incumbent: the champion's if the run tries it, else the default. Another recipe replaces it
where one criterion (RMSE or nDCG) is clearly better, and the other is neither significantly worse
nor worse by more than the gate's margin. Where all recipes are equal, at most one search in twenty
replaces the incumbent, however many are compared (`scoring.model_comparison`). The bootstrap and
the definition of a relevant title are the gate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from spark_apps.recommender.fitted_order import FittedOrder
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.recipes import RecommenderRecipe
from spark_apps.recommender.trainer import Trainer

MARGIN_RMSE, MARGIN_NDCG = 0.01, 0.03
"""The gate's margins in `config/base.toml`; a run's form may tighten them at the gate alone."""


def affordable_recipes(
    recipes: Sequence[RecommenderRecipe], ratings: IndexedRatings
) -> tuple[list[RecommenderRecipe], list[str]]:
    """The recipes within their cost limits on all rows, and a note for each other recipe.

    RecipeError where no recipe is within its limits.
    """
    size = Size(len(ratings), *ratings.catalogue.shape)
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
    blend_share: float
    trials: tuple[Trial, ...]

    def tried(self) -> list[dict[str, Any]]:
        """The value of `recipes_tried` in `card.json`."""
        return [t.as_json(t.recipe == self.recipe) for t in self.trials]


def choose(
    trainer: Trainer,
    ratings: Ratings | IndexedRatings,
    recipes: Sequence[RecommenderRecipe],
    held: Mask | None = None,
) -> Choice:
    """Try every recipe on one inner split of `ratings`; `held` as in `InnerSplit.of`.

    The first recipe is chosen unless another is clearly better.
    """
    if len(recipes) == 1 and len(recipes[0].shares) == 1:
        return Choice(recipes[0], recipes[0].shares[0], ())  # nothing to choose
    rows = ratings.by_id() if isinstance(ratings, IndexedRatings) else ratings
    inner = InnerSplit.of(trainer, rows, held)
    if inner is None:
        # No row can be held out: the first recipe, with its smallest share beside the bias model.
        return Choice(recipes[0], min(recipes[0].shares), ())
    trials = [run_trial(trainer, inner, r, compared=len(recipes) > 1) for r in recipes]
    best = best_trial(trials, inner, trainer.seed)
    return Choice(best.recipe, best.blend_share, tuple(trials))


@dataclass(frozen=True)
class Trial:
    """A recipe's results on the inner split.

    `blend_share` has the least RMSE. `values` are its predicted stars [held-out rows]. `ndcg` is
    [people of `InnerSplit.liked`], and None where no recipes are compared.
    """

    recipe: RecommenderRecipe
    blend_share: float
    rmse_by_share: dict[float, float]
    values: Floats
    ndcg: Floats | None = None

    def as_json(self, chosen: bool) -> dict[str, Any]:
        """The entry of `recipes_tried` in `card.json`."""
        line: dict[str, Any] = {
            "name": self.recipe.name,
            "chosen": chosen,
            "weight": self.blend_share,
        }
        line["inner_rmse"] = self.rmse_by_share.get(self.blend_share)
        line["inner_ndcg@10"] = None if self.ndcg is None else mean_or_zero(self.ndcg)
        return line | {"inner_rmse_by_weight": {f"{w:g}": e for w, e in self.rmse_by_share.items()}}


def run_trial(
    trainer: Trainer, inner: InnerSplit, recipe: RecommenderRecipe, compared: bool
) -> Trial:
    """Fit on the inner train and score; the ranker only where recipes are `compared`."""
    predictor = trainer.fit_predictor(inner.train, inner.frame, recipe, blend_share=1.0)
    answers = predictor.by_share(inner.held_out, trainer.clip)
    errors = {w: rmse(values, inner.held_out.values) for w, values in answers.items()}
    best = min(errors, key=lambda w: errors[w])
    ndcg = inner_ndcg(trainer, inner, recipe) if compared else None
    return Trial(recipe, best, errors, answers[best], ndcg)


def inner_ndcg(trainer: Trainer, inner: InnerSplit, recipe: RecommenderRecipe) -> Floats:
    """nDCG@10 of each person who liked a held-out title.

    Each asks at the time of their first held-out rating. Lists omit the titles that the person
    rated in the inner train.
    """
    ranker = fit_ranker(inner.train, inner.frame, recipe.ranker, trainer.seed)
    order = FittedOrder(inner.train, ranker, trainer.clip, recipe.lately)
    liked, asked = inner.liked, inner.asked
    lists = np.full((len(liked.people), LIST_LENGTH), -1, dtype=np.int64)
    for place, user in enumerate(liked.people):
        history = order.history(int(user), int(asked[user]))
        scores = np.where(ranker.known, order.scores(int(user), history), -np.inf)
        scores[history.rows] = -np.inf
        best = top_rows(scores, LIST_LENGTH)
        lists[place, : len(best)] = best
    return ranking_metrics(liked.hits(lists), liked.counts)["ndcg"]


@dataclass(frozen=True)
class InnerSplit:
    """The inner split: `train` (`frame` holds the same rows) and `held_out`, of one catalogue.

    `rows` are the held-out ratings by id.
    """

    train: IndexedRatings
    frame: Frame
    held_out: IndexedRatings
    rows: Ratings

    @classmethod
    def of(cls, trainer: Trainer, ratings: Ratings, held: Mask | None = None) -> InnerSplit | None:
        """Hold out each person's last ratings, or the rows `held`.

        Held-out rows of titles outside the inner train are dropped. None where no row remains.
        """
        late = last_share(ratings) if held is None else held
        train = trainer.index(ratings.take(~late))
        rows = ratings.take(late & np.isin(ratings.movie_ids, train.catalogue.movie_ids))
        if not len(rows):
            return None
        held_out = IndexedRatings.of(rows, train.catalogue)
        return cls(train, train.frame(trainer.spark), held_out, rows)

    @property
    def asked(self) -> Ints:
        """The time of each person's first held-out rating, [U]."""
        first = np.full(len(self.train.catalogue.user_ids), np.iinfo(np.int64).max)
        np.minimum.at(first, self.held_out.users, self.held_out.times)
        return first

    @property
    def people(self) -> Ints:
        """The rows of people with held-out ratings, ascending."""
        return np.unique(self.held_out.users).astype(np.int64)

    @property
    def liked(self) -> Relevant:
        """The relevant held-out titles by person, for people who have any."""
        users, items = self.held_out.users, self.held_out.items
        is_liked = self.held_out.values >= LIKED
        return Relevant.of(users[is_liked].astype(np.int64), items[is_liked].astype(np.int64))


def best_trial(trials: Sequence[Trial], inner: InnerSplit, seed: int) -> Trial:
    """The first trial, unless another is clearly better."""
    if len(trials) == 1:
        return trials[0]
    criteria = [_prediction(trials, inner), _ranking(trials, inner)]
    return trials[model_comparison.choose_recipe(criteria, range(len(trials)), seed=seed)]


def _prediction(trials: Sequence[Trial], inner: InnerSplit) -> model_comparison.Criterion:
    users, actual = inner.held_out.users.astype(np.int64), inner.held_out.values
    errors = [squared_errors_by_person(users, t.values, actual) for t in trials]
    sums = np.stack([sums for sums, _ in errors])
    return model_comparison.Criterion(sums, errors[0][1], MARGIN_RMSE, root=True)


def _ranking(trials: Sequence[Trial], inner: InnerSplit) -> model_comparison.Criterion:
    """The loss is -nDCG of the people of `_prediction`.

    A person who liked no held-out title has the weight 0.
    """
    places = np.searchsorted(inner.people, inner.liked.people)
    sums, weights = np.zeros((len(trials), len(inner.people))), np.zeros(len(inner.people))
    weights[places] = 1.0
    for row, tried in enumerate(trials):
        sums[row, places] = 0.0 if tried.ndcg is None else -tried.ndcg
    return model_comparison.Criterion(sums, weights, MARGIN_NDCG)
