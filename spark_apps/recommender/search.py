"""Which recipe, and which blend of it: decided on an inner split of train, never on the holdout.

One recipe is not compared with anything: only its blend is chosen. Of several, the first stands:
the champion's where the run tries it, else the default. Another takes its place only where it is
clearly better on prediction or on ranking (`scoring.choice`: of equal recipes, however many
are tried, any is in at most one search of twenty), and neither shown worse on the other nor beyond
the gate's margin there. People are resampled and titles relevant as the gate has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from scoring import choice
from scoring.arrays import Floats, Ints, Mask, top_rows
from scoring.recommender.exam import LIKED, mean
from scoring.recommender.metrics import AT, Relevant, ranking_values, rmse, squared_errors_by_person
from scoring.recommender.ratings import Ratings
from scoring.recommender.splits import last_share
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.predicting import predict_by_share, shares_of
from spark_apps.recommender.ranking.fit import fit_ranker
from spark_apps.recommender.ranking.recipes import RankerRecipe
from spark_apps.recommender.recipes import RecommenderRecipe

MARGIN_RMSE, MARGIN_NDCG = 0.01, 0.03
"""The gate's own of `config/base.toml`; where a run's form tightens them, the gate decides."""


@dataclass(frozen=True)
class Inner:
    """The inner split: rows to fit on, and rows of the same catalogue to judge by."""

    train: IndexedRatings
    frame: DataFrame
    held_out: IndexedRatings
    rows: Ratings

    @classmethod
    def of(cls, trainer: Trainer, ratings: Ratings, held: Mask | None = None) -> Inner | None:
        """Hold out each person's last, or the rows `held`, of titles somebody else rated too;
        None where nothing is left to judge by."""
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
        """Held-out titles that count as relevant, as at the gate; who liked none is not in it."""
        users, items = self.held_out.users, self.held_out.items
        is_liked = self.held_out.values >= LIKED
        return Relevant.of(users[is_liked].astype(np.int64), items[is_liked].astype(np.int64))


@dataclass(frozen=True)
class Try:
    """A recipe on the inner split: the share of ALS it takes, the RMSE of every share, the answers
    to the held-out rows and, where recipes are compared, nDCG of the people of `Inner.liked`."""

    recipe: RecommenderRecipe
    weight: float
    shares: dict[float, float]
    values: Floats
    ndcg: Floats | None = None

    def as_json(self, chosen: bool) -> dict[str, Any]:
        """The line of `card.json`'s `recipes_tried`."""
        line: dict[str, Any] = {"name": self.recipe.name, "chosen": chosen, "weight": self.weight}
        line["inner_rmse"] = self.shares.get(self.weight)
        line["inner_ndcg@10"] = None if self.ndcg is None else mean(self.ndcg)
        return line | {"inner_rmse_by_weight": {f"{w:g}": e for w, e in self.shares.items()}}


@dataclass(frozen=True)
class Choice:
    """The challenger's recipe and blend, and everything that was tried."""

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
    """Try every recipe on one inner split of `ratings` (see `Inner.of`); the first is the one to
    beat."""
    if len(recipes) == 1 and len(shares_of(recipes[0])) == 1:
        return Choice(recipes[0], shares_of(recipes[0])[0], ())  # nothing to choose
    inner = Inner.of(trainer, ratings, held)
    if inner is None:
        # Nothing to choose by: the first recipe, as near to the bias model as it allows.
        return Choice(recipes[0], min(shares_of(recipes[0])), ())
    tries = [try_recipe(trainer, inner, r, compared=len(recipes) > 1) for r in recipes]
    best = best_try(tries, inner, trainer.seed)
    return Choice(best.recipe, best.weight, tuple(tries))


def try_recipe(trainer: Trainer, inner: Inner, recipe: RecommenderRecipe, compared: bool) -> Try:
    """Fit on the inner train; the ranker too where recipes are `compared`."""
    predictor = trainer.fit_predictor(inner.train, inner.frame, recipe, weight=1.0)
    answers = predict_by_share(predictor, recipe, inner.held_out, trainer.clip)
    errors = {w: rmse(values, inner.held_out.values) for w, values in answers.items()}
    best = min(errors, key=lambda w: errors[w])
    ndcg = inner_ndcg(trainer, inner, recipe.ranker) if compared else None
    return Try(recipe, best, errors, answers[best], ndcg)


def inner_ndcg(trainer: Trainer, inner: Inner, recipe: RankerRecipe) -> Floats:
    """nDCG at ten of the people who liked a held-out title, those of the inner train left out."""
    ranker = fit_ranker(inner.train, inner.frame, recipe, trainer.seed)
    liked = inner.liked
    lists = np.full((len(liked.people), AT), -1, dtype=np.int64)
    for place, user in enumerate(liked.people):
        rated = inner.train.rated(int(user))
        scores = np.where(ranker.known, ranker.scores(int(user), rated), -np.inf)
        scores[rated] = -np.inf
        best = top_rows(scores, AT)
        lists[place, : len(best)] = best
    return ranking_values(liked.hits(lists), liked.counts)["ndcg"]


def best_try(tries: Sequence[Try], inner: Inner, seed: int) -> Try:
    """The first, unless others are clearly better; of equals the one that is listed first."""
    if len(tries) == 1:
        return tries[0]
    criteria = [_prediction(tries, inner), _ranking(tries, inner)]
    return tries[choice.choose(criteria, range(len(tries)), seed=seed)]


def _prediction(tries: Sequence[Try], inner: Inner) -> choice.Criterion:
    users, actual = inner.held_out.users.astype(np.int64), inner.held_out.values
    errors = [squared_errors_by_person(users, t.values, actual) for t in tries]
    sums = np.stack([sums for sums, _ in errors])
    return choice.Criterion(sums, errors[0][1], MARGIN_RMSE, root=True)


def _ranking(tries: Sequence[Try], inner: Inner) -> choice.Criterion:
    """Less nDCG is a loss; of the same people, those who liked nothing without weight."""
    places = np.searchsorted(inner.people, inner.liked.people)
    sums, weights = np.zeros((len(tries), len(inner.people))), np.zeros(len(inner.people))
    weights[places] = 1.0
    for row, tried in enumerate(tries):
        sums[row, places] = 0.0 if tried.ndcg is None else -tried.ndcg
    return choice.Criterion(sums, weights, MARGIN_NDCG)
