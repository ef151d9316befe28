"""The budget model: what a film by these directors, of these genres, costs to make.

`BudgetModel.load(folder).estimate(BudgetQuery(...))` needs NumPy only. Two questions are told
apart by what is asked: with IMDb's rating of the film, and before release (no rating yet).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError, SourceError
from marquee.scoring.arrays import Floats
from marquee.scoring.budget_bundle import BudgetBundle, Fit, read_bundle
from marquee.scoring.budget_evidence import nearest_films
from marquee.scoring.budget_features import (
    BEFORE_RELEASE,
    WITH_RATING,
    Film,
    director_key,
    films_by_director,
    record_of,
    vector,
)
from marquee.scoring.golden import GoldenReport, differences
from marquee.scoring.trees import REMEDY

TYPICAL = "a typical film"
MOST_GENRES = 12
FIRST_YEAR, LAST_YEAR = 1874, 2100


@dataclass(frozen=True)
class BudgetQuery:
    """A film: directors by name or IMDb id, genres in IMDb's English, year of release."""

    directors: tuple[str, ...]
    genres: tuple[str, ...]
    year: int
    rating: float | None = None

    def __post_init__(self) -> None:
        if not FIRST_YEAR <= self.year <= LAST_YEAR:
            raise SourceError(f"no film was released in {self.year}", "give the year of release")
        if len(self.genres) > MOST_GENRES:
            raise SourceError(f"{len(self.genres)} genres are too many", f"give {MOST_GENRES}")
        if self.rating is not None and not 1.0 <= self.rating <= 10.0:
            raise SourceError(f"{self.rating} is not a rating", "IMDb's go from 1 to 10")


@dataclass(frozen=True)
class BudgetEstimate:
    """Dollars of `price_year`. `contributions` add up to log10 of `median`."""

    median: float
    low: float  # of the 80 % interval
    high: float
    price_year: int
    question: str
    contributions: Mapping[str, float]
    evidence: tuple[Film, ...]
    notes: tuple[str, ...]


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
    def _films(self) -> Mapping[str, tuple[Film, ...]]:
        return films_by_director(self.bundle.films)

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        """From a director's name to the key of their films; of namesakes, who made most."""
        ids: dict[str, str] = {}
        for film in self.bundle.films:
            for key, name in zip(map(director_key, film.directors), film.director_names):
                rival = ids.setdefault(director_key(name), key)
                if len(self._films.get(key, ())) > len(self._films.get(rival, ())):
                    ids[director_key(name)] = key
        return ids

    def question(self, query: BudgetQuery) -> str:
        """Which question this model answers for a query."""
        asked = BEFORE_RELEASE if query.rating is None else WITH_RATING
        return asked if asked in self.bundle.fits else BEFORE_RELEASE

    def estimate(self, query: BudgetQuery) -> BudgetEstimate:
        """The answer with its interval, contributions, evidence and doubts."""
        question = self.question(query)
        fit, row = self.bundle.fits[question], self.features(query)
        log = float(_answers(fit, row[None, :])[0])
        low, high = fit.residuals
        return BudgetEstimate(
            median=10**log,
            low=10 ** (log + low),
            high=10 ** (log + high),
            price_year=self.price_year,
            question=question,
            contributions=self._contributions(question, fit, row),
            evidence=nearest_films(
                self.bundle.films, self._keys(query), query.genres, query.year, query.rating
            ),
            notes=tuple(self._notes(query, question)),
        )

    def log_estimates(self, queries: list[BudgetQuery]) -> Floats:
        """log10 dollars of the price year for many films, [len(queries)]."""
        return np.array([self._log_estimate(query) for query in queries])

    def _log_estimate(self, query: BudgetQuery) -> float:
        fit = self.bundle.fits[self.question(query)]
        return float(_answers(fit, self.features(query)[None, :])[0])

    def features(self, query: BudgetQuery) -> Floats:
        """The vector this model reads for a query."""
        smoothing = self.bundle.stages.director_smoothing
        records = [
            record_of(self._films.get(key, ()), query.year, smoothing) for key in self._keys(query)
        ]
        return vector(
            self.bundle.stages,
            self.question(query),
            query.year,
            query.genres,
            query.rating,
            records,
        )

    def check_golden(self) -> GoldenReport:
        """Answer what the training job recorded of Spark's own transform."""
        golden = self.bundle.golden
        try:
            queries = [(q, _golden_query(q)) for q in golden["queries"]]
            tolerance = float(golden["tolerance"])
            recorded = np.array([float(q["log10"]) for q, _ in queries])
        except (KeyError, TypeError, ValueError, SourceError) as error:
            raise BundleError(f"golden.json is not complete: {error!r}", REMEDY) from None
        apart = differences(self.log_estimates([query for _, query in queries]), recorded)
        wrong = [
            f"query {i}: {queries[i][1]}"
            for i, (raw, query) in enumerate(queries)
            if not apart[i] <= tolerance or raw.get("question") != self.question(query)
        ]
        return GoldenReport(len(queries), tuple(wrong), float(max(apart, default=0.0)))

    def _key(self, name: str) -> str:
        """A director's key: an id or name as films know it, else through the name credited."""
        key = director_key(name)
        return key if key in self._films else self._ids.get(key, key)

    def _keys(self, query: BudgetQuery) -> list[str]:
        return list(dict.fromkeys(map(self._key, query.directors)))

    def _contributions(self, question: str, fit: Fit, row: Floats) -> dict[str, float]:
        """By what a person would name; the vector's finer features are added up."""
        linear = fit.linear_share * fit.coefficients
        parts = linear * (row - fit.means)
        base = fit.linear_share * fit.intercept + float(linear @ fit.means)
        if fit.trees:
            share = 1.0 - fit.linear_share
            parts = parts + share * fit.trees.contributions(row[None, :])[0]
            base += share * fit.trees.base
        found = {TYPICAL: base}
        for name, value, part in zip(self.bundle.stages.names(question), row, parts):
            group = _group(name, float(value))
            found[group] = found.get(group, 0.0) + float(part)
        return found

    def _notes(self, query: BudgetQuery, question: str) -> list[str]:
        stages = self.bundle.stages
        notes = [
            f"director {name} has no film in training"
            for name in query.directors
            if self._key(name) not in self._films
        ]
        notes += [f"genre {g} not seen in training" for g in query.genres if g not in stages.genres]
        if query.rating is not None and question == BEFORE_RELEASE:
            notes.append("this model knows no ratings: answered as before release")
        if query.year != stages.clip_year(query.year):
            notes.append(f"year {query.year} is answered as {stages.clip_year(query.year)}")
        return notes


def _answers(fit: Fit, rows: Floats) -> Floats:
    linear = rows @ fit.coefficients + fit.intercept
    if fit.trees is None:
        return linear
    return fit.linear_share * linear + (1.0 - fit.linear_share) * fit.trees.predict(rows)


def _group(name: str, value: float) -> str:
    """A genre the film has counts by itself; those it has not, and their number, together."""
    if name.startswith("director_"):
        return "director"
    if name.startswith("genre ") and value > 0:
        return name
    return "other genres" if name.startswith("genre") else name


def _golden_query(raw: Mapping[str, Any]) -> BudgetQuery:
    return BudgetQuery(
        tuple(raw["directors"]), tuple(raw["genres"]), int(raw["year"]), raw["rating"]
    )
