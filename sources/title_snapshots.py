"""Snapshots of titles in the lake: their paths, their records, and when these were fetched.

A snapshot is one load of a run: `raw/titles/as_of=T/run=R`. T is the moment of the run's first load
(in commit 612d7b6 the run's as-of). A published snapshot never changes. So a crawl that was loaded
and then continued in the same run adds a further snapshot, `run=R-part2`.

A record counts from the moment of its fetch, whatever the as-of of its run. It counts from the load
where its moment is missing, unreadable, or ahead of the clock of the load. Snapshots of 612d7b6
state no moment of the load, so there any readable moment is taken: the as-of of the run may be far
older than the votes.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.artefacts.document import NewerFormatError, check_format
from marquee.clock import SKEW, compact, iso, parse_moment
from marquee.errors import ContractError, SourceError
from marquee.identifiers import canonical_json, checked_path, digest_bytes
from marquee.lake import Lake, Manifest
from marquee.normalise.dates import read_date
from sources.title_record import (
    Record,
    line_of,
    read_lines,
)

TITLES = "raw/titles"
FORMAT = 1
"""The format of a run's `titles.json`."""
FETCHED_AT_PATTERN = (
    r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]"
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])?"
)
"""A moment of the years 1900 to 2999 in ISO 8601; without a zone it is UTC.

Python and Spark read this form alike. Zones end at 17:59, because Spark refuses zones beyond 18
hours."""


def snapshots(lake: Lake, before: str = "") -> list[str]:
    """The paths of the snapshots, oldest first; with `before`, only paths that sort before it."""
    found = (
        f"{TITLES}/{moment}/{run}"
        for moment in lake.names(TITLES)
        for run in lake.names(f"{TITLES}/{moment}")
    )
    return sorted(path for path in found if not before or path < before)


def load_moment(path: str, manifest: Manifest) -> datetime:
    """The moment of a snapshot's load, from its manifest, else from the name of its folder."""
    stated = manifest.facts.get("loaded_at") or path.split("/")[2].removeprefix("as_of=")
    return parse_moment(str(stated))


def run_snapshot_path(lake: Lake, run: str, moment: datetime) -> str:
    """The path of the run's first snapshot: an existing one, else a new one at `moment`.

    The first call writes the path to `runs/R/titles.json`. So a retry, or a crawl that continues on
    another day, uses the same path.
    """
    path = f"runs/{run}/titles.json"

    def named() -> bytes:
        found = [one for one in snapshots(lake) if one.endswith(f"/run={run}")]
        first = found[0] if found else f"{TITLES}/as_of={compact(moment)}/run={run}"
        return canonical_json({"format": FORMAT, "path": first})

    return _place_in(lake.create_once(path, named), lake.uri(path))


def snapshots_of_run(lake: Lake, path: str) -> list[str]:
    """The snapshots that one run has loaded: `path` itself, then its further parts."""
    folder, name = path.rsplit("/", 1)
    pattern = re.compile(re.escape(name) + r"(-part\d+)?")
    return [f"{folder}/{found}" for found in lake.names(folder) if pattern.fullmatch(found)]


def records_at(lake: Lake, path: str) -> Iterator[Record]:
    """The records of one snapshot."""
    names = [f.name for f in lake.manifest(path).files if f.name.startswith("titles-")]
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        for name in names:
            lake.copy_out(f"{path}/{name}", Path(scratch, name))
        yield from read_lines(Path(scratch, name) for name in names)


def digests_at(lake: Lake, paths: Iterable[str]) -> set[str]:
    """The digest of every record in these snapshots."""
    return {digest_bytes(line_of(record)) for path in paths for record in records_at(lake, path)}


def fetch_moment(fetched_at: Any, loaded: datetime, latest: datetime | None) -> datetime:
    """The moment when a record was fetched: `fetched_at`, or `loaded` where that is unusable.

    `loaded`: the moment of the snapshot's load. `latest`: the clock of the load, None where
    unknown; a later `fetched_at` is unusable.
    """
    if not isinstance(fetched_at, str) or not re.fullmatch(FETCHED_AT_PATTERN, fetched_at):
        return loaded
    try:
        moment = parse_moment(fetched_at)
    except (SourceError, OverflowError):
        return loaded
    return moment if latest is None or moment <= latest + SKEW else loaded


def release_date_of(record: Mapping[str, Any]) -> str:
    """The release date in ISO form, as exact as stated: `2026-05-04`, `2026-05`, `2026` or ''."""
    release = read_date(str(record.get("release_date") or ""))
    return release if isinstance(release, str) else str(record.get("year") or "")


@dataclass
class FetchSpan:
    """The first fetch, the last fetch and the last release among some records."""

    loaded: datetime
    """The moment of the load: it stands for the fetch of a record without one."""
    latest: datetime | None
    """The clock of the load, which bounds every fetch; None where unknown."""
    first_fetched: datetime | None = None
    last_fetched: datetime | None = None
    last_release: str = ""

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record."""
        moment = fetch_moment(record.get("fetched_at"), self.loaded, self.latest)
        self.first_fetched = min(self.first_fetched or moment, moment)
        self.last_fetched = max(self.last_fetched or moment, moment)
        self.last_release = max(self.last_release, release_date_of(record))

    def of(self, records: Iterable[Mapping[str, Any]]) -> FetchSpan:
        """Count these records and return the span."""
        for record in records:
            self.add(record)
        return self

    @property
    def facts(self) -> dict[str, str]:
        """The span as a snapshot's manifest holds it."""
        moments = {"first_fetched": self.first_fetched, "last_fetched": self.last_fetched}
        stated = {name: iso(moment) for name, moment in moments.items() if moment}
        return {**stated, "last_release": self.last_release}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], loaded: datetime) -> FetchSpan:
        """The span in a manifest's facts; KeyError in the manifest of an older release."""
        first, last = (parse_moment(facts[name]) for name in ("first_fetched", "last_fetched"))
        return cls(loaded, loaded, first, last, str(facts["last_release"]))


def _place_in(data: bytes, where: str) -> str:
    """The path in a run's `titles.json`; ContractError where the file is unusable."""
    try:
        value = json.loads(data)
        check_format(value, FORMAT)
        return checked_path(value["path"], f"{where}'s path")
    except NewerFormatError as error:
        raise ContractError(
            f"a later release wrote {where}: {error}", "update this release"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContractError(
            f"{where} cannot be used: {type(error).__name__} {error}", "load in a new run"
        ) from None
