"""The budget model: estimates what a title cost to make, and explains the estimate.

`BudgetModel.load(folder).estimate(BudgetQuery(...))` needs NumPy only. The API, the command line
and the holdout evaluation call it. `features` describes the four questions a query may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, check_golden, read_bundle
from scoring.budget.features import (
    BEFORE_RELEASE,
    DIRECTOR,
    NO_TRACK_RECORD,
    BudgetQuery,
    FeatureEncoder,
    KnownTitle,
    TrackRecord,
    feature_vector,
    is_rated,
    person_key,
    titles_by_person,
    track_record,
)
from scoring.budget.predictor import CONSTANT_SPREAD, NO_TREND, Predictor, Trend
from scoring.budget.stage_chain import Fields, title_fields
from scoring.evaluation_blocks import GoldenReport

__all__ = ["BudgetEstimate", "BudgetModel", "BudgetQuery"]

TYPICAL, YEAR = "a typical film", "year"
EVIDENCE = 3
"""Known titles shown with an estimate."""
YEARS, POINTS = 30.0, 5.0
"""Distances in years and points of rating that equal one shared director in `nearest_titles`."""


@dataclass(frozen=True)
class BudgetEstimate:
    """An estimate in dollars of `price_year`; `contributions` add up to log10 of `median`."""

    median: float
    low: float  # of the 80 % interval
    high: float
    price_year: int
    question: str
    contributions: Mapping[str, float]
    evidence: tuple[KnownTitle, ...]
    notes: tuple[str, ...]


class BudgetModel:
    """Answers from one bundle."""

    def __init__(self, bundle: BudgetBundle) -> None:
        self.bundle = bundle

    @classmethod
    def load(cls, folder: Path) -> BudgetModel:
        """Load a bundle; raises BundleError where a file is missing or damaged."""
        return cls(read_bundle(folder))

    @property
    def price_year(self) -> int:
        return int(self.bundle.facts["price_year"])

    def question(self, query: BudgetQuery) -> str:
        """The query's own question, or a narrower one where the model lacks it."""
        candidates = (query.question, query.core_question, BEFORE_RELEASE)
        return next(question for question in candidates if question in self.bundle.predictors)

    def estimate(self, query: BudgetQuery) -> BudgetEstimate:
        """The estimate with its interval, contributions, evidence and notes."""
        question, features = self.question(query), self.features(query)
        predictor = self.bundle.predictors[question]
        row = predictor.imputed(features)
        trend, encoder = self.bundle.trend, self.bundle.encoder
        answer = float(predictor.predict(row[None, :])[0]) + trend.of(query.year)
        low, high = self.interval(query, answer)
        return BudgetEstimate(
            median=10**answer,
            low=10**low,
            high=10**high,
            price_year=self.price_year,
            question=question,
            contributions=contributions(encoder, question, predictor, row, trend.of(query.year)),
            evidence=nearest_titles(self.bundle.titles, query, self._keys(query)),
            notes=tuple(notes(query, question, encoder, features, self._knows, trend)),
        )

    def interval(self, query: BudgetQuery, answer: float) -> tuple[float, float]:
        """The 80 % interval of a query with the estimate `answer`, all in log10 dollars."""
        predictor = self.bundle.predictors[self.question(query)]
        low, high = predictor.residuals
        if predictor.spread == CONSTANT_SPREAD:
            return answer + low, answer + high
        beginner = float(not any(r.titles for r in self._records(DIRECTOR, query)))
        scale = float(predictor.spread.of(np.array([answer]), np.array([beginner]))[0])
        return answer + scale * low, answer + scale * high

    def log_estimates(self, queries: Sequence[BudgetQuery]) -> Floats:
        """Estimates [queries] in log10 dollars of the price year."""
        found = np.empty(len(queries))
        questions = [self.question(query) for query in queries]
        for question in dict.fromkeys(questions):
            predictor = self.bundle.predictors[question]
            places = [place for place, other in enumerate(questions) if other == question]
            rows = [predictor.imputed(self.features(queries[place])) for place in places]
            found[places] = predictor.predict(np.array(rows))
        return found + self.bundle.trend.at(np.array([query.year for query in queries]))

    def features(self, query: BudgetQuery) -> Floats:
        """The feature vector of a query; NaN where a value is missing."""
        encoder, question = self.bundle.encoder, self.question(query)
        if chain := encoder.chains.get(question):
            return chain.vector(self._fields(query))
        records = {role: self._records(role, query) for role in encoder.roles(question)}
        return feature_vector(encoder, question, query, records)

    def _fields(self, query: BudgetQuery) -> Fields:
        """What a chain of stages may read of a query."""
        people = {role: list(map(person_key, names)) for role, names in query.people.items()}
        year = self.bundle.encoder.clip_year(query.year)
        return title_fields(query, year, people | {DIRECTOR: self._keys(query)})

    def check_golden(self) -> GoldenReport:
        """Answer the golden queries and compare with the answers that Spark recorded."""
        return check_golden(self.bundle.golden, self.log_estimates, self.question)

    @cached_property
    def _titles(self) -> Mapping[str, Mapping[str, tuple[KnownTitle, ...]]]:
        """Known titles by role, then by person."""
        roles = (DIRECTOR, *self.bundle.encoder.people)
        return {role: titles_by_person(self.bundle.titles, role) for role in roles}

    @cached_property
    def _key_of_name(self) -> Mapping[str, str]:
        """The key of a director by name; of namesakes, the one with most titles."""
        keys: dict[str, str] = {}
        made = self._titles[DIRECTOR]
        for title in self.bundle.titles:
            for key, name in zip(map(person_key, title.directors), title.director_names):
                namesake = keys.setdefault(person_key(name), key)
                if len(made.get(key, ())) > len(made.get(namesake, ())):
                    keys[person_key(name)] = key
        return keys

    def _records(self, role: str, query: BudgetQuery) -> list[TrackRecord]:
        smoothing, titles = self.bundle.encoder.director_smoothing, self._titles[role]
        if role == DIRECTOR:
            keys = self._keys(query)
        else:
            keys = list(dict.fromkeys(map(person_key, query.people.get(role, ()))))
        return [
            track_record(titles[key], query.year, smoothing) if key in titles else NO_TRACK_RECORD
            for key in keys
        ]

    def _key(self, name: str) -> str:
        """A director's key: `name` is an id, a key of known titles, or a credited name."""
        key = person_key(name)
        return key if key in self._titles[DIRECTOR] else self._key_of_name.get(key, key)

    def _keys(self, query: BudgetQuery) -> list[str]:
        return list(dict.fromkeys(map(self._key, query.directors)))

    def _knows(self, name: str) -> bool:
        return self._key(name) in self._titles[DIRECTOR]


def contributions(
    encoder: FeatureEncoder, question: str, predictor: Predictor, row: Floats, trend: float
) -> dict[str, float]:
    """The parts of an answer by group of features, in log10 dollars; their sum is the answer.

    For example, all features of the director's track record are one part. `trend` is added to the
    year's part.
    """
    base, shares = predictor.contributions(row)
    found = {TYPICAL: base}
    for group, share in zip(_groups(encoder, question, row), shares, strict=True):
        found[group] = found.get(group, 0.0) + float(share)
    return found | {YEAR: found.get(YEAR, 0.0) + trend}


def _groups(encoder: FeatureEncoder, question: str, row: Floats) -> list[str]:
    """The group of each feature; with a chain of stages, the fields it comes from."""
    if chain := encoder.chains.get(question):
        return chain.groups
    roles, labels = encoder.roles(question), tuple(encoder.labels)
    pairs = zip(encoder.names(question), row, strict=True)
    return [_group(name, float(value), roles, labels) for name, value in pairs]


def _group(name: str, value: float, roles: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """A feature's group. Each genre of the title is a group; the other genres are one together."""
    for role in roles:
        if name.startswith(f"{role}_"):
            return role
    if (column := name.partition(" ")[0]) in labels:
        return column
    if name.startswith("genre ") and value > 0:
        return name
    return "other genres" if name.startswith("genre") else name


def notes(
    query: BudgetQuery,
    question: str,
    encoder: FeatureEncoder,
    features: Floats,
    knows: Callable[[str], bool],
    trend: Trend,
) -> list[str]:
    """Sentences about unseen directors and genres, clipped years, missing and unused values."""
    found = [
        f"director {name} has no film in training" for name in query.directors if not knows(name)
    ]
    found += [f"genre {g} not seen in training" for g in query.genres if g not in encoder.genres]
    if query.rating is not None and not is_rated(question):
        found.append("this model knows no ratings: answered as before release")
    if query.year != encoder.clip_year(query.year):
        found.append(_clipped_year(query.year, encoder, trend))
    if question != query.question and question == query.core_question:
        found.append("this model was trained on directors, genres, year and rating only")
    missing = _missing(encoder, question, features, query)
    return found + ([f"missing, taken as typical: {', '.join(missing)}"] if missing else [])


def _clipped_year(year: int, encoder: FeatureEncoder, trend: Trend) -> str:
    sentence = f"year {year} is answered as {encoder.clip_year(year)}"
    if trend == NO_TREND or year < encoder.first_year:
        return sentence
    return f"{sentence}, the trend of budgets followed to {min(year, trend.last)}"


def _missing(
    encoder: FeatureEncoder, question: str, features: Floats, query: BudgetQuery
) -> list[str]:
    if chain := encoder.chains.get(question):
        people = {**query.people, DIRECTOR: query.directors}
        return chain.missing(title_fields(query, query.year, people))
    names = np.array(encoder.names(question))[np.isnan(features)]
    roles, labels = encoder.roles(question), tuple(encoder.labels)
    return list(dict.fromkeys(_group(str(name), 0.0, roles, labels) for name in names))


def nearest_titles(
    titles: Sequence[KnownTitle], query: BudgetQuery, directors: Sequence[str]
) -> tuple[KnownTitle, ...]:
    """The EVIDENCE known titles nearest to a query, nearest first; of equal ones the newer first.

    distance = years apart / YEARS + points apart / POINTS - common genres / genres of either
    - (1 if a director is shared, else 0). `directors` are the query's keys.
    """
    genres = set(query.genres)

    def distance(title: KnownTitle) -> float:
        shares = bool(set(directors) & set(map(person_key, title.directors)))
        either = genres | set(title.genres)
        overlap = len(genres & set(title.genres)) / len(either) if either else 0.0
        both_rated = query.rating is not None and title.rating is not None
        points = abs((title.rating or 0.0) - (query.rating or 0.0)) / POINTS if both_rated else 0.0
        return abs(title.year - query.year) / YEARS + points - overlap - shares

    return tuple(sorted(titles, key=lambda t: (distance(t), -t.year, t.title_id))[:EVIDENCE])
