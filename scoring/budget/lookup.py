"""What a query finds in a bundle, from arrays and tables that are made once.

- `PeopleIndex`: the track record of a person before a year.
- `NearestTitles`: the known titles most like a query, as evidence.
- `VectorLayout`: where each value of a query stands in a question's feature vector.
- `ChainLayout`: the same where a recipe's chain of Spark stages makes the vector.

`BudgetModel` holds them, so that an estimate takes a fraction of a millisecond. The baselines use
`track_record` for the same numbers.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from scoring.arrays import Floats, Ints
from scoring.budget.features import (
    DIRECTOR,
    GENRE,
    LONGEST_GAP,
    NO_TRACK_RECORD,
    BudgetQuery,
    FeatureEncoder,
    KnownTitle,
    TitleFacts,
    TrackRecord,
    is_rated,
    number_feature,
    person_key,
    role_features,
    round_to_grid,
)
from scoring.budget.stage_chain import ROLES, StageChain, title_fields

EVIDENCE = 3
"""Known titles shown with an estimate."""
YEARS, POINTS = 30.0, 5.0
"""Distances in years and points of rating that equal one shared director in `NearestTitles`."""
OTHER_GENRES = "other genres"
FIELD_OF = {"directors": DIRECTOR, "genres": GENRE, "genre_count": GENRE, **ROLES}
"""The fields of a query by their names in a chain, where the two differ."""


class History(NamedTuple):
    """One person's known titles in order of release; entry k tells of the first k + 1 titles."""

    years: Sequence[int]
    above: Sequence[float]
    total: Sequence[float]  # of the deviations so far, log10 dollars
    most: Sequence[float]

    @classmethod
    def of(cls, made: Sequence[tuple[int, float]]) -> History:
        """From pairs of year and deviation, in order of release."""
        years, above = zip(*made, strict=True)
        return cls(years, above, list(accumulate(above)), list(accumulate(above, max)))

    def before(self, year: int, smoothing: float) -> TrackRecord:
        """The record at the start of `year`.

        The mean is shrunk towards 0, the usual budget: sum / (titles + smoothing).
        """
        years, above, total, most = self
        count = len(years) if years[-1] < year else bisect_left(years, year)
        if not count:
            return NO_TRACK_RECORD
        last = count - 1
        gap = min(float(year - years[last]), LONGEST_GAP)
        return TrackRecord(total[last] / (count + smoothing), above[last], most[last], count, gap)


@dataclass
class PeopleIndex:
    """The people of one role among the known titles, by key."""

    made: Mapping[str, Sequence[tuple[int, float]]]  # (year, deviation), in order of release
    _histories: dict[str, History] = field(default_factory=dict)

    @classmethod
    def of(cls, titles: Sequence[KnownTitle], role: str) -> PeopleIndex:
        """Titles without a deviation count for nobody."""
        made: dict[str, list[tuple[int, float]]] = {}
        for title in sorted(titles, key=lambda t: (t.year, t.title_id)):
            if title.above_time is not None:
                for key in title.keys(role):
                    made.setdefault(key, []).append((title.year, title.above_time))
        return cls(made)

    def titles(self, key: str) -> int:
        """How many known titles the person has."""
        return len(self.made.get(key, ()))

    def record(self, key: str, year: int, smoothing: float) -> TrackRecord:
        """The person's track record at the start of `year`."""
        return self.records((key,), year, smoothing)[0]

    def records(self, keys: Sequence[str], year: int, smoothing: float) -> list[TrackRecord]:
        """The track record of each person at the start of `year`."""
        made, histories, found = self.made, self._histories, []
        for key in keys:
            history = histories.get(key)
            if history is None and key in made:
                history = histories[key] = History.of(made[key])
            found.append(history.before(year, smoothing) if history else NO_TRACK_RECORD)
        return found


class NearestTitles:
    """Known titles as arrays, sorted so that of equally near titles the first is the newer one."""

    def __init__(self, titles: Sequence[KnownTitle]) -> None:
        self.titles = sorted(titles, key=lambda t: (-t.year, t.title_id))
        self.years = np.array([title.year / YEARS for title in self.titles])
        self.is_rated = np.array([float(t.rating is not None) for t in self.titles])
        self.ratings = np.array([(t.rating or 0.0) / POINTS for t in self.titles])
        sets = [set(title.genres) for title in self.titles]
        self.genre_counts = np.array([float(len(genres)) for genres in sets])
        names = sorted(set().union(*sets))
        self.has_genre = {g: np.array([float(g in genres) for genres in sets]) for g in names}
        self.of_director: dict[str, list[int]] = {}
        for place, title in enumerate(self.titles):
            for key in title.keys(DIRECTOR):
                self.of_director.setdefault(key, []).append(place)

    def of(self, query: BudgetQuery, directors: Sequence[str]) -> tuple[KnownTitle, ...]:
        """The EVIDENCE titles nearest to a query, nearest first; `directors` are its keys."""
        distance, found = self.distances(query, directors), []
        for _ in range(min(EVIDENCE, len(distance))):
            place = int(distance.argmin())  # the first of equals, which is the newer one
            distance[place] = math.inf
            found.append(self.titles[place])
        return tuple(found)

    def distances(self, query: BudgetQuery, directors: Sequence[str]) -> Floats:
        """The distance of each title, [titles].

        distance = years apart / YEARS + points apart / POINTS - common genres / genres of either
        - (1 if a director is shared, else 0). Points count where both have a rating.
        """
        distance: Floats = np.abs(self.years - query.year / YEARS)
        if query.rating is not None:
            distance += np.abs(self.ratings - query.rating / POINTS) * self.is_rated
        distance -= self._overlap(set(query.genres))
        shared = {place for key in directors for place in self.of_director.get(key, ())}
        if shared:
            distance[list(shared)] -= 1.0
        return distance

    def _overlap(self, genres: set[str]) -> Floats | float:
        columns = [self.has_genre[genre] for genre in genres if genre in self.has_genre]
        if not columns:
            return 0.0
        common = sum(columns[1:], start=columns[0])
        overlap: Floats = common / (self.genre_counts + (len(genres) - common))
        return overlap


class VectorLayout:
    """The order of a question's features, and the group that explains each.

    All features of a role's track record are one group, so are the words of a label. Each genre of
    the title is a group; the other genres are one together.
    """

    def __init__(self, encoder: FeatureEncoder, question: str) -> None:
        self.encoder, self.question = encoder, question
        self.names = encoder.names(question)
        self.roles, self.numbers = encoder.roles(question), encoder.numbers_of(question)
        self.is_rated = is_rated(question)
        self.words: dict[str, dict[str, int]] = {}
        for place, (column, word) in enumerate(encoder.labels_of(question)):
            self.words.setdefault(column, {})[word] = place
        self.genres = {genre: place for place, genre in enumerate(encoder.genres)}
        self.least, self.most = encoder.limits(question)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a title that the question reads, without year and rating."""
        return (*self.roles, GENRE, *self.numbers, *self.words)

    @cached_property
    def group_names(self) -> list[str]:
        """The groups in order of their first feature."""
        return list(dict.fromkeys(map(self._group, self.names)))

    @cached_property
    def _group_of(self) -> Ints:
        places = {name: place for place, name in enumerate(self.group_names)}
        return np.array([places[self._group(name)] for name in self.names], dtype=np.int64)

    def _group(self, name: str) -> str:
        for role in self.roles:
            if name.startswith(f"{role}_"):
                return role
        column = name.partition(" ")[0]
        if column in self.words:
            return column
        return OTHER_GENRES if name.startswith("genre") else name

    def grouped(self, shares: Floats, genres: Sequence[str]) -> dict[str, float]:
        """The sum of `shares` [features] by group, for a title of these genres."""
        first, own = len(self.names) - len(self.genres), dict[str, float]()
        shares = shares.copy()
        for genre in genres:
            if (place := self.genres.get(genre)) is not None and f"genre {genre}" not in own:
                own[f"genre {genre}"] = float(shares[first + place])
                shares[first + place] = 0.0
        sums = np.bincount(self._group_of, shares, minlength=len(self.group_names))
        return dict(zip(self.group_names, sums.tolist(), strict=True)) | own

    def missing(self, features: Floats) -> list[str]:
        """The groups with a feature that is NaN."""
        places = self._group_of[np.isnan(features)].tolist()
        return [self.group_names[place] for place in dict.fromkeys(places)]

    def vector(self, title: TitleFacts, records: Mapping[str, Sequence[TrackRecord]]) -> Floats:
        """The features of one title in the order of `names`; NaN where missing.

        `records` holds a track record for each person of a role.
        """
        encoder = self.encoder
        found: list[float] = [float(encoder.clip_year(title.year))]
        for role in self.roles:
            of_role = records.get(role, ())
            found += role_features(of_role, encoder.record, beginner_if_none=role == DIRECTOR)
        found.append(float(len(set(title.genres))))
        if self.is_rated:
            found.append(math.nan if title.rating is None else encoder.round_rating(title.rating))
        found += [number_feature(name, title.numbers.get(name)) for name in self.numbers]
        vector = np.array([*found, *self._labels(title), *self._genres(title)])
        return round_to_grid(np.minimum(np.maximum(vector, self.least), self.most))  # NaN stays

    def _labels(self, title: TitleFacts) -> list[float]:
        found: list[float] = []
        for column, words in self.words.items():
            label = title.labels.get(column)
            values = [math.nan if label is None else 0.0] * len(words)
            if label in words:
                values[words[label] - min(words.values())] = 1.0
            found += values
        return found

    def _genres(self, title: TitleFacts) -> list[float]:
        found = [0.0] * len(self.genres)
        for genre in title.genres:
            if genre in self.genres:
                found[self.genres[genre]] = 1.0
        return found


class ChainLayout:
    """What a question's chain of stages reads; a group is the field, or fields, of a feature."""

    def __init__(self, encoder: FeatureEncoder, chain: StageChain) -> None:
        self.encoder, self.chain = encoder, chain
        self.genres, self.words = encoder.genres, chain.words
        read = dict.fromkeys(FIELD_OF.get(name, name) for name in chain.fields)
        self.fields = tuple(name for name in read if name not in ("year", "rating"))
        """The fields of a title that the question reads, without year and rating."""
        # Every answer needs the directors: a beginner's interval is wider.
        self.roles = (DIRECTOR, *(role for role in ROLES.values() if role in read))
        self.group_names = list(dict.fromkeys(chain.groups))
        places = {name: place for place, name in enumerate(self.group_names)}
        self._group_of = np.array([places[name] for name in chain.groups], dtype=np.int64)

    def grouped(self, shares: Floats, genres: Sequence[str]) -> dict[str, float]:
        """The sum of `shares` [features] by group, whatever the title's genres."""
        sums = np.bincount(self._group_of, shares, minlength=len(self.group_names))
        return dict(zip(self.group_names, sums.tolist(), strict=True))

    def read(
        self, query: BudgetQuery, keys: Mapping[str, Sequence[str]]
    ) -> tuple[Floats, list[str]]:
        """The features of a query, and the fields that it does not state; `keys` by role."""
        fields = title_fields(query, self.encoder.clip_year(query.year), keys)
        missing = [FIELD_OF.get(name, name) for name in self.chain.missing(fields)]
        return self.chain.vector(fields), list(dict.fromkeys(missing))


def layout_of(encoder: FeatureEncoder, question: str) -> VectorLayout | ChainLayout:
    """How a question reads a query: by its chain where the recipe has stages."""
    chain = encoder.chains.get(question)
    return VectorLayout(encoder, question) if chain is None else ChainLayout(encoder, chain)


def keys_of(names: Sequence[str]) -> list[str]:
    """The keys of named people, companies or keywords, without repeats."""
    return list(dict.fromkeys(map(person_key, names)))
