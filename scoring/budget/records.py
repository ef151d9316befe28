"""Films with known budgets, and what the people of a film had made before it.

A film's budget counts as its difference from the budgets usual in its time, so that a director of
1985 and one of 2015 can be told apart from inflation of another kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marquee.normalise.text import fold

FOUR = ("mean", "last", "most", "films")
RECORD = (*FOUR, "gap")
"""What is taken from a record: shrunken mean, the last and the greatest deviation, log(1 + films),
and years since the last film."""
LONGEST_GAP = 30.0
"""Years; also the gap of one who has made nothing."""


@dataclass(frozen=True)
class Film:
    """A film whose budget is known to the model."""

    title_id: str
    title: str
    year: int
    directors: tuple[str, ...]
    director_names: tuple[str, ...]
    genres: tuple[str, ...]
    rating: float | None
    log_budget: float  # log10 of dollars of the price year
    above_time: float | None  # log_budget less what was usual in its time
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by role; no directors
    numbers: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def keys(self, role: str) -> list[str]:
        """How the people of a role are looked up, each once."""
        names = self.directors if role == "director" else self.people.get(role, ())
        return list(dict.fromkeys(map(person_key, names)))


@dataclass(frozen=True)
class Record:
    """What one person had made before: deviations in log10, and years since the last."""

    mean: float
    last: float
    most: float
    films: int
    gap: float = LONGEST_GAP


NO_RECORD = Record(0.0, 0.0, 0.0, 0)


def person_key(name: str) -> str:
    """How a person, company or keyword is looked up: an id as it is, a name in one spelling."""
    return fold(name)


def record_of(films: Sequence[Film], year: int, smoothing: float) -> Record:
    """One person's record at the start of `year`, from their films in order of release."""
    earlier = [(f.year, f.above_time) for f in films if f.year < year and f.above_time is not None]
    if not earlier:
        return NO_RECORD
    above = [deviation for _, deviation in earlier]
    mean = math.fsum(above) / (len(above) + smoothing)
    gap = min(float(year - earlier[-1][0]), LONGEST_GAP)
    return Record(mean, above[-1], max(above), len(above), gap)


def stats(records: Sequence[Record], wanted: Sequence[str], is_told: bool) -> list[float]:
    """A role's features: the mean of means and lasts, the greatest of the rest, the least gap.

    Without any record: NaN, or a beginner's where `is_told`.
    """
    if not records and not is_told:
        return [math.nan] * len(wanted)
    told = records or (NO_RECORD,)
    found = {
        "mean": math.fsum(r.mean for r in told) / len(told),
        "last": math.fsum(r.last for r in told) / len(told),
        "most": max(r.most for r in told),
        "films": math.log1p(max(r.films for r in told)),
        "gap": min(r.gap for r in told),
    }
    return [found[name] for name in wanted]
