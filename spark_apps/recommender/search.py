"""Which recipe, and which blend of it: decided on an inner split of train, never on the holdout.

One recipe is not compared with anything: only its blend is chosen. Of several, the first stands
(the champion's, where the run tries it) unless another is better by more than one clustered
standard error on prediction or on ranking, and not worse by one on the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from marquee.scoring.arrays import Floats, Mask, top_rows
from marquee.scoring.bootstrap import paired
from marquee.scoring.recommender.metrics import (
    AT,
    Relevant,
    ranking_values,
    rmse,
    squared_errors_by_person,
)
from marquee.scoring.recommender.ratings import Ratings
from marquee.scoring.recommender.splits import last_share
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.fitting import Trainer
from spark_apps.recommender.predicting import predict_by_share, shares_of
from spark_apps.recommender.ranking.fit import fit_ranker
from spark_apps.recommender.ranking.recipes import RankerRecipe
from spark_apps.recommender.recipes import RecommenderRecipe

RESAMPLES = 500  # enough for a standard error
TWO_SIDED_90 = 3.29  # standard errors between the 5th and the 95th percentile of a normal


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


@dataclass(frozen=True)
class Try:
    """A recipe on the inner split: the share of ALS it takes, the RMSE of every share, and, where
    recipes are compared, each held-out person's errors and nDCG (any held-out title relevant)."""

    recipe: RecommenderRecipe
    weight: float
    shares: dict[float, float]
    values: Floats
    ndcg: Floats | None = None

    def as_json(self, chosen: bool) -> dict[str, Any]:
        """The line of `card.json`'s `recipes_tried`."""
        line: dict[str, Any] = {"name": self.recipe.name, "chosen": chosen, "weight": self.weight}
        line["inner_rmse"] = self.shares.get(self.weight)
        line["inner_ndcg@10_any"] = None if self.ndcg is None else float(self.ndcg.mean())
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
    best = tries[0]
    for other in tries[1:]:
        best = other if is_better(other, best, inner, trainer.seed) else best
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
    """nDCG at ten of each held-out person, titles seen in the inner train left out."""
    ranker = fit_ranker(inner.train, inner.frame, recipe, trainer.seed)
    relevant = Relevant.of(inner.held_out.users.astype(np.int64), inner.held_out.items)
    lists = np.full((len(relevant.people), AT), -1, dtype=np.int64)
    for place, user in enumerate(relevant.people):
        rated = inner.train.rated(int(user))
        scores = np.where(ranker.known, ranker.scores(int(user), rated), -np.inf)
        scores[rated] = -np.inf
        best = top_rows(scores, AT)
        lists[place, : len(best)] = best
    return ranking_values(relevant.hits(lists), relevant.counts)["ndcg"]


def is_better(challenger: Try, other: Try, inner: Inner, seed: int) -> bool:
    """More than one clustered standard error better on one side, not worse by one on the other."""
    if challenger.ndcg is None or other.ndcg is None:
        return False
    users, actual = inner.rows.user_ids, inner.held_out.values
    errors, rows = squared_errors_by_person(users, challenger.values, actual)
    others, _ = squared_errors_by_person(users, other.values, actual)
    error = paired(errors, others, weights=rows, root=True, seed=seed, resamples=RESAMPLES)
    rank = paired(challenger.ndcg, other.ndcg, seed=seed, resamples=RESAMPLES)
    gains = [-_in_standard_errors(error), _in_standard_errors(rank)]
    return max(gains) > 1.0 and min(gains) > -1.0


def _in_standard_errors(comparison: dict[str, Any]) -> float:
    standard_error = (comparison["upper95"] - comparison["lower95"]) / TWO_SIDED_90
    return float(comparison["difference"] / max(standard_error, 1e-12))
