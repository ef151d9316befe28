"""What a recommender is examined on: rows it has not learnt from, and what counts as relevant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marquee.errors import ContractError
from scoring.arrays import Floats, Ints, Mask, rows_of
from scoring.recommender.metrics import AT, Relevant, ranking_values, squared_errors_by_person
from scoring.recommender.model import Recommender
from scoring.recommender.ratings import Ratings
from scoring.recommender.splits import FEWEST

LIKED = 4.0  # stars from which a held-out title counts as relevant at the gate


@dataclass(frozen=True)
class Scored:
    """One model on the holdout: a prediction a row, and a list of ten a person of `people`.

    `personal` says which rows were answered from the person's own factors.
    """

    values: Floats
    lists: Ints
    personal: Mask


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

    def score(self, model: Recommender) -> Scored:
        """Ask `model` for every row and every person."""
        answers = model.predict(self.holdout.user_ids, self.holdout.movie_ids)
        personal: Mask = answers.strategies == "personal"
        return Scored(answers.values, model.top_unseen(self.people, AT), personal)

    def errors(self, values: Floats) -> tuple[Floats, Floats]:
        """Squared errors and rows of each person."""
        return squared_errors_by_person(self.holdout.user_ids, values, self.holdout.values)

    def ranking(self, lists: Ints) -> dict[str, Floats]:
        """Per-person metrics at ten of all people, any held-out title being relevant."""
        return ranking_values(self.relevant.hits(lists), self.relevant.counts)

    def ranking_liked(self, lists: Ints) -> dict[str, Floats]:
        """The same of the people who liked a held-out title, only those being relevant."""
        lists = lists[np.isin(self.people, self.liked.people)]
        return ranking_values(self.liked.hits(lists), self.liked.counts)

    def ratings_in_train(self, of: str) -> Ints:
        """How many train rows the person (`user_ids`) or title (`movie_ids`) of each holdout row
        has."""
        known, counts = np.unique(getattr(self.train, of), return_counts=True)
        rows = rows_of(known, getattr(self.holdout, of))
        return np.where(rows >= 0, counts[rows], 0)


def mean(values: Floats) -> float:
    """0 where nobody is left to average: the gate reads it as a ranking that found nothing."""
    return float(values.mean()) if len(values) else 0.0
