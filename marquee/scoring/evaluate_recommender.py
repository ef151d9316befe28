"""`evaluation.json` of the recommender: what the bundle does on rows its fit has not seen.

Every number is scored from the bundle through `Recommender`: what is measured is what serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError, ContractError, MarqueeError
from marquee.scoring.arrays import Floats, Ints, rows_of, top_rows
from marquee.scoring.baselines import BiasModel, fit_bias, popularity
from marquee.scoring.bootstrap import paired
from marquee.scoring.metrics import (
    AT,
    Relevant,
    catalogue_coverage,
    gini,
    mae,
    novelty,
    ranking_values,
    rmse,
    squared_errors_by_person,
)
from marquee.scoring.ratings import Ratings, read_ratings
from marquee.scoring.recommender import Recommender
from marquee.scoring.splits import FEWEST

LIKED = 4.0  # stars from which a held-out title counts as relevant at the gate
BASELINE_REG = (5.0, 3.0)  # ratings at the mean that the bias baseline adds to a person, a title
WARM_PERSON, POPULAR_TITLE = 50, 20  # ratings in train from which segments call them so


@dataclass(frozen=True)
class Scored:
    """One model on the holdout: a prediction a row, and a list of ten a person of `people`."""

    values: Floats
    lists: Ints


@dataclass(frozen=True)
class Exam:
    """The rows, the people in the holdout, and the two notions of relevance."""

    train: Ratings
    holdout: Ratings
    people: Ints
    relevant: Relevant
    liked: Relevant

    @classmethod
    def of(cls, train: Ratings, holdout: Ratings) -> Exam:
        """Raises ContractError where there is nothing to measure on."""
        if not len(train) or not len(holdout):
            raise ContractError(
                f"{len(train)} rows of train and {len(holdout)} of holdout measure nothing",
                f"people need {FEWEST} ratings each before any of theirs is held out",
            )
        liked = holdout.take(holdout.values >= LIKED)
        relevant = Relevant.of(holdout.user_ids, holdout.movie_ids)
        return cls(
            train, holdout, relevant.people, relevant, Relevant.of(liked.user_ids, liked.movie_ids)
        )

    def ndcg_liked(self, lists: Ints) -> Floats:
        """nDCG at ten of each person who liked a held-out title."""
        return _at_ten(self.liked, lists[np.isin(self.people, self.liked.people)])["ndcg"]

    def errors(self, values: Floats) -> tuple[Floats, Floats]:
        """Squared errors and rows of each person."""
        return squared_errors_by_person(self.holdout.user_ids, values, self.holdout.values)


def evaluate_recommender(
    evaluated: Path, shipped: Path, incumbent: Path | None, train: Path, holdout: Path, seed: int
) -> dict[str, Any]:
    """Measure the bundle `evaluated` on `holdout`, beside baselines and the champion's recipe.

    `train` and `holdout` are folders of Parquet in the `ratings` contract. Raises BundleError
    where `evaluated` or `incumbent` cannot be loaded; a broken `shipped` bundle is an answer.
    """
    exam = Exam.of(read_ratings(train), read_ratings(holdout))
    model = Recommender.load(evaluated)
    ours = _score(model, exam)
    bias, popular = _baselines(exam, model)
    other = _score(Recommender.load(incumbent), exam) if incumbent else None
    return {
        "model": "recommender",
        "holdout": _sizes(exam),
        "metrics": _metrics(model, exam, ours),
        "baselines": {
            "bias": {"rmse": rmse(bias, exam.holdout.values)},
            "popularity": {"ndcg@10": _mean(exam.ndcg_liked(popular))},
        },
        "versus": {
            "bias": {"rmse": _compare_rmse(exam, ours.values, bias, seed)},
            "popularity": {"ndcg@10": _compare_ndcg(exam, ours.lists, popular, seed)},
            "champion": other
            and {
                "rmse": _compare_rmse(exam, ours.values, other.values, seed),
                "ndcg@10": _compare_ndcg(exam, ours.lists, other.lists, seed),
            },
        },
        "shipped": _shipped(shipped, exam, ours),
    }


def _score(model: Recommender, exam: Exam) -> Scored:
    values = model.predict(exam.holdout.user_ids, exam.holdout.movie_ids).values
    return Scored(values, model.top_unseen(exam.people, AT))


def _sizes(exam: Exam) -> dict[str, int]:
    titles = len(np.unique(exam.holdout.movie_ids))
    return {"rows": len(exam.holdout), "people": len(exam.people), "titles": titles}


def _metrics(model: Recommender, exam: Exam, ours: Scored) -> dict[str, Any]:
    answers = model.predict(exam.holdout.user_ids, exam.holdout.movie_ids)
    personal = answers.strategies == "personal"
    actual = exam.holdout.values
    seen = ours.values[personal], actual[personal]
    return {
        "rmse": rmse(ours.values, actual),
        "mae": mae(ours.values, actual),
        "rmse_personal": rmse(*seen) if personal.any() else None,
        "mae_personal": mae(*seen) if personal.any() else None,
        "answered": float(np.isfinite(ours.values).mean()),
        "coverage": float(personal.mean()),
        **_ranking_metrics(exam, ours.lists),
        **_variety(model, exam, ours.lists),
        "segments": _segments(exam, ours.values),
    }


def _ranking_metrics(exam: Exam, lists: Ints) -> dict[str, float]:
    liked = _at_ten(exam.liked, lists[np.isin(exam.people, exam.liked.people)])
    anything = _at_ten(exam.relevant, lists)
    found = {f"{name}@{AT}": _mean(values) for name, values in liked.items()}
    return found | {f"{name}@{AT}_any": _mean(values) for name, values in anything.items()}


def _variety(model: Recommender, exam: Exam, lists: Ints) -> dict[str, float]:
    catalogue = model.movie_ids
    rows = rows_of(catalogue, exam.train.movie_ids)
    raters = np.bincount(rows[rows >= 0], minlength=len(catalogue))
    people = len(np.unique(exam.train.user_ids))
    return {
        "catalogue_coverage": catalogue_coverage(lists, len(catalogue)),
        "novelty": novelty(lists, catalogue, raters, people),
        "gini": gini(lists, len(catalogue)),
    }


def _segments(exam: Exam, values: Floats) -> dict[str, dict[str, float | int]]:
    """RMSE and rows for cold and warm people, rare and popular titles, by their rows in train."""
    warm = _train_counts(exam.train.user_ids, exam.holdout.user_ids) >= WARM_PERSON
    popular = _train_counts(exam.train.movie_ids, exam.holdout.movie_ids) >= POPULAR_TITLE
    cut = {
        "cold people": ~warm,
        "warm people": warm,
        "rare titles": ~popular,
        "popular titles": popular,
    }
    actual = exam.holdout.values
    return {
        name: {"rmse": rmse(values[rows], actual[rows]), "rows": int(rows.sum())}
        for name, rows in cut.items()
        if rows.any()
    }


def _train_counts(train_ids: Ints, ids: Ints) -> Ints:
    known, counts = np.unique(train_ids, return_counts=True)
    rows = rows_of(known, ids)
    return np.where(rows >= 0, counts[rows], 0)


def _baselines(exam: Exam, model: Recommender) -> tuple[Floats, Ints]:
    """The bias model's predictions and popularity's lists, both fitted on train in NumPy."""
    users, movies = np.unique(exam.train.user_ids), model.movie_ids
    known = rows_of(movies, exam.train.movie_ids)
    if known.min() < 0:
        raise BundleError("the evaluated bundle lacks titles of its train rows", "train again")
    rows = rows_of(users, exam.train.user_ids)
    stars = exam.train.values
    bias = fit_bias(rows, known, stars, len(users), len(movies), *BASELINE_REG)
    values = _bias_predictions(bias, users, movies, exam).clip(stars.min(), stars.max())
    ranks = popularity(known, stars, len(movies))
    return values, _popular_lists(ranks, movies, exam)


def _bias_predictions(bias: BiasModel, users: Ints, movies: Ints, exam: Exam) -> Floats:
    return bias.predict(
        rows_of(users, exam.holdout.user_ids), rows_of(movies, exam.holdout.movie_ids)
    )


def _popular_lists(ranks: Floats, movies: Ints, exam: Exam) -> Ints:
    """The most popular titles each person has not rated; [people, 10]."""
    order = np.argsort(exam.train.user_ids, kind="stable")
    users, items = exam.train.user_ids[order], rows_of(movies, exam.train.movie_ids[order])
    starts = np.searchsorted(users, exam.people)
    ends = np.searchsorted(users, exam.people, side="right")
    lists = np.full((len(exam.people), AT), -1, dtype=np.int64)
    for place, (start, end) in enumerate(zip(starts, ends)):
        scores = ranks.copy()
        scores[items[start:end]] = -np.inf
        best = top_rows(scores, AT)
        lists[place, : len(best)] = movies[best]
    return lists


def _at_ten(relevant: Relevant, lists: Ints) -> dict[str, Floats]:
    return ranking_values(relevant.hits(lists), relevant.counts)


def _mean(values: Floats) -> float:
    """0 where nobody is left to average: the gate reads it as a ranking that found nothing."""
    return float(values.mean()) if len(values) else 0.0


def _compare_rmse(exam: Exam, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    (errors, rows), (others, _) = exam.errors(ours), exam.errors(other)
    return paired(errors, others, weights=rows, root=True, seed=seed)


def _compare_ndcg(exam: Exam, ours: Ints, other: Ints, seed: int) -> dict[str, Any] | None:
    """None where nobody liked a held-out title: there is nothing to tell apart."""
    if not len(exam.liked.people):
        return None
    return paired(exam.ndcg_liked(ours), exam.ndcg_liked(other), seed=seed)


def _shipped(folder: Path, exam: Exam, evaluated: Scored) -> dict[str, Any]:
    """Whether the bundle that would serve loads, repeats Spark's answers, and has not got worse."""
    error = rmse(evaluated.values, exam.holdout.values)
    try:
        model = Recommender.load(folder)
        golden = model.check_golden().as_json()
        values = model.predict(exam.holdout.user_ids, exam.holdout.movie_ids).values
    except MarqueeError as why:
        nothing = {"count": 0, "failures": 0, "worst": None}
        return {
            "loads": False,
            "why": str(why),
            "golden": nothing,
            "error_on_holdout": None,
            "error_evaluated": error,
        }
    return {
        "loads": True,
        "why": "",
        "golden": golden,
        "error_on_holdout": rmse(values, exam.holdout.values),
        "error_evaluated": error,
    }
