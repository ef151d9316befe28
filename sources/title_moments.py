"""When a title's page was fetched, and how late a release it names.

A page knew what was known when it was fetched, whatever moment its run stood for. A record that
does not say when, says it unreadably, or names a moment ahead of the clock that loaded it, counts
from its load. Snapshots of 612d7b6 do not say when they were loaded: there a moment that can be
read is believed, lest today's votes count from the as-of of the run that filed them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marquee.clock import SKEW
from marquee.errors import SourceError
from marquee.names import iso, parse_moment
from marquee.normalise.dates import read_date

FETCHED = (
    r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])?"
)
"""A whole moment of the years 1900 to 2999, ISO 8601; without a zone it is UTC.

Python and Spark read it alike: Spark knows no zone beyond 18 hours, and a zone must not lead out of
the calendar. No page was fetched in another year."""


def fetch_moment(fetched_at: Any, loaded: datetime, latest: datetime | None) -> datetime:
    """When a record was fetched: what it says, where that is no later than `latest`, the clock
    of the load (None: not known), else `loaded`, the moment of its snapshot."""
    if not isinstance(fetched_at, str) or not re.fullmatch(FETCHED, fetched_at):
        return loaded
    try:
        moment = parse_moment(fetched_at)
    except (SourceError, OverflowError):
        return loaded
    return moment if latest is None or moment <= latest + SKEW else loaded


def release_of(record: Mapping[str, Any]) -> str:
    """The release in ISO form, as exact as it is: `2026-05-04`, `2026-05` or `2026`, or ''."""
    release = read_date(str(record.get("release_date") or ""))
    return release if isinstance(release, str) else str(record.get("year") or "")


@dataclass
class Span:
    """The first and last fetch and the last release of some records."""

    loaded: datetime
    """The moment of a record that says none."""
    latest: datetime | None
    """The clock of the load, where it is known: no fetch is later."""
    first_fetched: datetime | None = None
    last_fetched: datetime | None = None
    last_release: str = ""

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record."""
        moment = fetch_moment(record.get("fetched_at"), self.loaded, self.latest)
        self.first_fetched = min(self.first_fetched or moment, moment)
        self.last_fetched = max(self.last_fetched or moment, moment)
        self.last_release = max(self.last_release, release_of(record))

    def of(self, records: Iterable[Mapping[str, Any]]) -> Span:
        """This span with some records counted."""
        for record in records:
            self.add(record)
        return self

    @property
    def facts(self) -> dict[str, str]:
        """The span as a snapshot's manifest holds it."""
        moments = {"first_fetched": self.first_fetched, "last_fetched": self.last_fetched}
        said = {name: iso(moment) for name, moment in moments.items() if moment}
        return {**said, "last_release": self.last_release}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], loaded: datetime) -> Span:
        """The span a manifest holds; KeyError where it is older than these facts."""
        first, last = (parse_moment(facts[name]) for name in ("first_fetched", "last_fetched"))
        return cls(loaded, loaded, first, last, str(facts["last_release"]))
