"""The budget model: estimates what a title cost to make, and explains the estimate.

`BudgetModel.load(folder).estimate(BudgetQuery(...))` needs NumPy only. The API, the command line
and the holdout evaluation call it. `features` describes the four questions a query may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, check_golden, read_bundle
from scoring.budget.features import (
    BEFORE_RELEASE,
    DIRECTOR,
    GENRE,
    BudgetQuery,
    FeatureEncoder,
    KnownTitle,
    TrackRecord,
    is_rated,
    person_key,
)
from scoring.budget.lookup import (
    ChainLayout,
    NearestTitles,
    PeopleIndex,
    VectorLayout,
    layout_of,
)
from scoring.budget.predictor import NO_TREND, Trend
from scoring.evaluation_blocks import GoldenReport

__all__ = ["BudgetEstimate", "BudgetModel", "BudgetQuery"]

TYPICAL, YEAR = "a typical film", "year"


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
    missing: Mapping[str, float]
    """The error without a field over the error with it, for each missing field (`FieldCosts`)."""


@dataclass(frozen=True)
class Reading:
    """What the model reads in a query."""

    question: str
    layout: VectorLayout | ChainLayout
    records: Mapping[str, Sequence[TrackRecord]]  # by role
    keys: Mapping[str, Sequence[str]]  # of the people, by role
    features: Floats
    typical: Sequence[str]  # missing fields for which typical values stand in
    missing: Sequence[str]  # all fields that the question reads and the query does not state

    @property
    def is_beginner(self) -> bool:
        """Whether no director has an earlier title."""
        return not any(record.titles for record in self.records.get(DIRECTOR, ()))


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
        """The estimate with its interval, contributions, evidence, missing fields and notes."""
        read, trend = self.read(query), self.bundle.trend.of(query.year)
        predictor = self.bundle.predictors[read.question]
        base, shares = predictor.contributions(predictor.imputed(read.features))
        answer = base + float(shares.sum()) + trend
        low, high = self._interval(read, answer)
        parts = {TYPICAL: base} | read.layout.grouped(shares, query.genres)
        return BudgetEstimate(
            median=10**answer,
            low=10**low,
            high=10**high,
            price_year=self.price_year,
            question=read.question,
            contributions=parts | {YEAR: parts.get(YEAR, 0.0) + trend},
            evidence=self._nearest.of(query, read.keys[DIRECTOR]),
            notes=tuple(self._notes(query, read)),
            missing=predictor.costs.of(read.missing, query.rating is not None),
        )

    def interval(self, query: BudgetQuery, answer: float) -> tuple[float, float]:
        """The 80 % interval of a query with the estimate `answer`, all in log10 dollars."""
        return self._interval(self.read(query), answer)

    def _interval(self, read: Reading, answer: float) -> tuple[float, float]:
        predictor = self.bundle.predictors[read.question]
        low, high = predictor.residuals
        scale = predictor.spread.of_one(answer, read.is_beginner)
        scale *= predictor.costs.widening(read.missing)
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
        return self.read(query).features

    def read(self, query: BudgetQuery) -> Reading:
        """What the model reads in a query: its question, people, track records and features."""
        question, smoothing = self.question(query), self.bundle.encoder.director_smoothing
        layout, keys = self._layouts[question], {}
        for role in (DIRECTOR, *layout.roles):
            names = query.directors if role == DIRECTOR else query.people.get(role, ())
            keys[role] = list(dict.fromkeys(self._key(role, name) for name in names))
        records = {
            role: self._people[role].records(keys[role], query.year, smoothing)
            for role in layout.roles
        }
        if isinstance(layout, ChainLayout):
            features, typical = layout.read(query, keys)
        else:
            features = layout.vector(query, records)
            typical = layout.missing(features)
        core = ((DIRECTOR, query.directors), (GENRE, query.genres))
        unstated = [name for name, value in core if not value and name in layout.fields]
        missing = list(dict.fromkeys([*typical, *unstated]))
        return Reading(question, layout, records, keys, features, typical, missing)

    def check_golden(self) -> GoldenReport:
        """Answer the golden queries and compare with the answers that Spark recorded."""
        return check_golden(self.bundle.golden, self.log_estimates, self.question)

    @cached_property
    def _layouts(self) -> Mapping[str, VectorLayout | ChainLayout]:
        return {q: layout_of(self.bundle.encoder, q) for q in self.bundle.predictors}

    @cached_property
    def _nearest(self) -> NearestTitles:
        return NearestTitles(self.bundle.titles)

    @cached_property
    def _people(self) -> Mapping[str, PeopleIndex]:
        roles = [role for layout in self._layouts.values() for role in layout.roles]
        return {role: PeopleIndex.of(self.bundle.titles, role) for role in dict.fromkeys(roles)}

    @cached_property
    def _key_of_name(self) -> Mapping[str, Mapping[str, str]]:
        """The key of a person by role and name; of namesakes, the one with most titles."""
        return {role: self._keys_by_name(role) for role in self._people}

    def _keys_by_name(self, role: str) -> dict[str, str]:
        keys: dict[str, str] = {}
        index = self._people[role]
        for title in self.bundle.titles:
            for key, name in _credits(title, role):
                namesake = keys.setdefault(person_key(name), key)
                if index.titles(key) > index.titles(namesake):
                    keys[person_key(name)] = key
        return keys

    def _key(self, role: str, name: str) -> str:
        """A person's key: `name` is an id, a key of known titles, or a credited name."""
        made = self._people[role].made
        if name in made:  # a key is its own key
            return name
        key = person_key(name)
        return key if key in made else self._key_of_name[role].get(key, key)

    def _notes(self, query: BudgetQuery, read: Reading) -> list[str]:
        """Sentences about unseen people, genres and words, clipped years, unused values."""
        encoder, question = self.bundle.encoder, read.question
        found = [
            f"director {name} has no film in training"
            for name in query.directors
            if self._key(DIRECTOR, name) not in self._people[DIRECTOR].made
        ]
        found += _unseen(query, read, self._people)
        known = read.layout.genres
        found += [f"genre {g} not seen in training" for g in query.genres if g not in known]
        if query.rating is not None and not is_rated(question):
            found.append("this model knows no ratings: answered as before release")
        if query.year != encoder.clip_year(query.year):
            found.append(_clipped_year(query.year, encoder, self.bundle.trend))
        if question != query.question and question == query.core_question:
            found.append("this model was trained on directors, genres, year and rating only")
        typical = ", ".join(read.typical)
        return found + ([f"missing, taken as typical: {typical}"] if typical else [])


def _credits(title: KnownTitle, role: str) -> list[tuple[str, str]]:
    """(key, name as credited) of the people of a role; a name that is a key needs no entry."""
    if role == DIRECTOR:
        return list(zip(map(person_key, title.directors), title.director_names))
    return [(key, title.names[key]) for key in title.keys(role) if key in title.names]


def _unseen(query: BudgetQuery, read: Reading, people: Mapping[str, PeopleIndex]) -> list[str]:
    """A sentence for each role with people, and each label with a word, that training lacks."""
    found = []
    for role in read.layout.roles:
        made = people[role].made
        unknown = [key for key in read.keys[role] if key not in made]
        if unknown and role != DIRECTOR:
            found.append(f"{role} without a film in training: {', '.join(unknown)}")
    for column, words in read.layout.words.items():
        if (word := query.labels.get(column)) is not None and word not in words:
            found.append(f"{column} {word} is rare or not seen in training")
    return found


def _clipped_year(year: int, encoder: FeatureEncoder, trend: Trend) -> str:
    sentence = f"year {year} is answered as {encoder.clip_year(year)}"
    if trend == NO_TREND or year < encoder.first_year:
        return sentence
    return f"{sentence}, the trend of budgets followed to {min(year, trend.last)}"
