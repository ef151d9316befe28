"""The budget model: what a film by these directors, of these genres, costs to make.

`BudgetModel.load(folder).estimate(BudgetQuery(...))` needs NumPy only. Questions are told apart by
what is told: with IMDb's rating of the film, or before release (no rating yet); and both again
with cast, companies, running time and more, where the model was taught those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, read_bundle
from scoring.budget.evidence import nearest_films
from scoring.budget.explain import contributions, notes
from scoring.budget.features import BEFORE_RELEASE, DIRECTOR, Told, vector, works_of
from scoring.budget.golden import check_golden
from scoring.budget.interval import STEADY
from scoring.budget.query import BudgetEstimate, BudgetQuery
from scoring.budget.records import NO_RECORD, Film, Record, person_key, record_of
from scoring.golden import GoldenReport

__all__ = ["BudgetEstimate", "BudgetModel", "BudgetQuery"]


class BudgetModel:
    """A loaded bundle."""

    def __init__(self, bundle: BudgetBundle) -> None:
        self.bundle = bundle

    @classmethod
    def load(cls, folder: Path) -> BudgetModel:
        """Raises BundleError where the bundle is torn."""
        return cls(read_bundle(folder))

    @property
    def price_year(self) -> int:
        return int(self.bundle.facts["price_year"])

    @cached_property
    def _works(self) -> Mapping[str, Mapping[str, tuple[Film, ...]]]:
        """By role, then by person."""
        roles = (DIRECTOR, *self.bundle.stages.people)
        return {role: works_of(self.bundle.films, role) for role in roles}

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        """From a director's name to the key of their films; of namesakes, who made most."""
        ids: dict[str, str] = {}
        made = self._works[DIRECTOR]
        for film in self.bundle.films:
            for key, name in zip(map(person_key, film.directors), film.director_names):
                rival = ids.setdefault(person_key(name), key)
                if len(made.get(key, ())) > len(made.get(rival, ())):
                    ids[person_key(name)] = key
        return ids

    def question(self, query: BudgetQuery) -> str:
        """Which question this model answers for a query."""
        asked = (query.question, query.narrow, BEFORE_RELEASE)
        return next(question for question in asked if question in self.bundle.fits)

    def estimate(self, query: BudgetQuery) -> BudgetEstimate:
        """The answer with its interval, contributions, evidence and doubts."""
        question, told = self.question(query), self.features(query)
        fit = self.bundle.fits[question]
        row = fit.filled(told)
        trend = self.bundle.trend
        answer = float(fit.answers(row[None, :])[0]) + trend.of(query.year)
        low, high = self.interval(query, answer)
        stages, keys = self.bundle.stages, self._keys(query)
        return BudgetEstimate(
            median=10**answer,
            low=10**low,
            high=10**high,
            price_year=self.price_year,
            question=question,
            contributions=contributions(stages, question, fit, row, trend.of(query.year)),
            evidence=nearest_films(self.bundle.films, keys, query.genres, query.year, query.rating),
            notes=tuple(notes(query, question, stages, told, self._knows, trend)),
        )

    def interval(self, query: BudgetQuery, answer: float) -> tuple[float, float]:
        """Log10 dollars between which four films in five lie that cost `answer` by this model."""
        fit = self.bundle.fits[self.question(query)]
        low, high = fit.residuals
        if fit.spread == STEADY:
            return answer + low, answer + high
        beginner = float(not any(r.films for r in self._records(DIRECTOR, query)))
        scale = float(fit.spread.of(np.array([answer]), np.array([beginner]))[0])
        return answer + scale * low, answer + scale * high

    def log_estimates(self, queries: Sequence[BudgetQuery]) -> Floats:
        """log10 dollars of the price year for many films, [len(queries)]."""
        found = np.empty(len(queries))
        asked = [self.question(query) for query in queries]
        for question in dict.fromkeys(asked):
            fit = self.bundle.fits[question]
            rows = [row for row, other in enumerate(asked) if other == question]
            told = np.array([fit.filled(self.features(queries[row])) for row in rows])
            found[rows] = fit.answers(told)
        return found + self.bundle.trend.at(np.array([query.year for query in queries]))

    def features(self, query: BudgetQuery) -> Floats:
        """The vector this model reads for a query; NaN where something is not told."""
        stages, question = self.bundle.stages, self.question(query)
        told = Told(query.year, query.genres, query.rating, query.numbers, query.labels)
        records = {role: self._records(role, query) for role in stages.roles(question)}
        return vector(stages, question, told, records)

    def check_golden(self) -> GoldenReport:
        """Answer what the training job recorded of Spark's own transform."""
        return check_golden(self.bundle.golden, self.log_estimates, self.question)

    def _records(self, role: str, query: BudgetQuery) -> list[Record]:
        smoothing, works = self.bundle.stages.director_smoothing, self._works[role]
        if role == DIRECTOR:
            keys = self._keys(query)
        else:
            keys = list(dict.fromkeys(map(person_key, query.people.get(role, ()))))
        return [
            record_of(works[key], query.year, smoothing) if key in works else NO_RECORD
            for key in keys
        ]

    def _key(self, name: str) -> str:
        """A director's key: an id or name as films know it, else through the name credited."""
        key = person_key(name)
        return key if key in self._works[DIRECTOR] else self._ids.get(key, key)

    def _keys(self, query: BudgetQuery) -> list[str]:
        return list(dict.fromkeys(map(self._key, query.directors)))

    def _knows(self, name: str) -> bool:
        return self._key(name) in self._works[DIRECTOR]
