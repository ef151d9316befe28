"""What a budget model is examined on: films newer than its fit, asked about as a user would."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marquee.errors import ContractError
from scoring.arrays import Floats, Mask
from scoring.budget.clusters import Clusters
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from scoring.budget.query import MOST_GENRES
from scoring.budget.records import Film


@dataclass(frozen=True)
class BudgetExam:
    """Films of `train` and of the holdout, and the holdout's budgets in log10 dollars."""

    train: Sequence[Film]
    films: Sequence[Film]
    actual: Floats

    @classmethod
    def of(cls, train: Sequence[Film], films: Sequence[Film]) -> BudgetExam:
        """Raises ContractError where there is nothing to measure on."""
        if not train or not films:
            raise ContractError(
                f"{len(train)} films in train and {len(films)} in the holdout measure nothing",
                "crawl more titles",
            )
        return cls(train, films, np.array([film.log_budget for film in films]))

    @cached_property
    def clusters(self) -> Clusters:
        """The holdout's films by director: what is resampled."""
        return Clusters.of(self.films)

    def errors(self, model: BudgetModel, with_rating: bool = True) -> Floats:
        """log10 of actual over estimate: above zero where the film cost more than was said."""
        return self.actual - log_answers(model, self.films, with_rating)

    def inside(self, estimates: Sequence[BudgetEstimate]) -> Mask:
        """Whether each film's budget lies in its interval."""
        low = np.array([math.log10(e.low) for e in estimates])
        high = np.array([math.log10(e.high) for e in estimates])
        found: Mask = (low <= self.actual) & (self.actual <= high)
        return found


def query_of(film: Film, with_rating: bool = True) -> BudgetQuery:
    """The film as a user would ask about it."""
    rating = film.rating if with_rating else None
    return BudgetQuery(film.directors, film.genres[:MOST_GENRES], film.year, rating)


def log_answers(model: BudgetModel, films: Sequence[Film], with_rating: bool = True) -> Floats:
    """log10 dollars of the model's price year."""
    return model.log_estimates([query_of(film, with_rating) for film in films])


def estimates_of(
    model: BudgetModel, films: Sequence[Film], with_rating: bool = True
) -> list[BudgetEstimate]:
    """Whole answers, with interval and reasons."""
    return [model.estimate(query_of(film, with_rating)) for film in films]


def rms(errors: Floats) -> float:
    """Root of the mean square."""
    return math.sqrt(float(np.mean(errors**2)))
