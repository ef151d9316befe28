"""What the lake holds of titles already: snapshots, their coverage and their records.

A snapshot is one run's load, `raw/titles/as_of=T/run=R`, where T is the moment of the run's first
load (before that was so, the run's as-of). A crawl that was stopped, loaded, and then went on in
the same run adds what came home since as `run=R-part2`: what is published stays as it is.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from marquee.artefacts.formats import NewerFormatError, check_format
from marquee.digest import canonical_json, digest_bytes
from marquee.errors import ContractError
from marquee.lake import Lake, Manifest
from marquee.names import compact, inside, parse_moment
from sources.coverage import Coverage
from sources.title_lines import line_of, read_lines
from sources.title_record import Record

TITLES = "raw/titles"
FORMAT = 1
"""Of a run's `titles.json`."""


def snapshots(lake: Lake, before: str = "") -> list[str]:
    """Paths of the snapshots, the oldest first; those loaded before `before`, a path, alone."""
    found = (
        f"{TITLES}/{moment}/{run}"
        for moment in lake.names(TITLES)
        for run in lake.names(f"{TITLES}/{moment}")
    )
    return sorted(path for path in found if not before or path < before)


def moment_of(path: str, manifest: Manifest) -> datetime:
    """When a snapshot was loaded, as its manifest says, else as its folder is named."""
    said = manifest.facts.get("loaded_at") or path.split("/")[2].removeprefix("as_of=")
    return parse_moment(str(said))


def place_of(lake: Lake, run: str, moment: datetime) -> str:
    """Where run `run` loads its titles: below `moment`, unless it has loaded some already.

    The first to ask decides, in `runs/R/titles.json`: a retry, and a crawl that goes on another
    day, name the same folder.
    """
    path = f"runs/{run}/titles.json"

    def named() -> bytes:
        found = [one for one in snapshots(lake) if one.endswith(f"/run={run}")]
        first = found[0] if found else f"{TITLES}/as_of={compact(moment)}/run={run}"
        return canonical_json({"format": FORMAT, "path": first})

    return _place_in(lake.create_once(path, named), lake.uri(path))


def _place_in(data: bytes, where: str) -> str:
    """The path in a run's `titles.json`; ContractError where there is none."""
    try:
        value = json.loads(data)
        check_format(value, FORMAT)
        return inside(value["path"], f"{where}'s path")
    except NewerFormatError as error:
        raise ContractError(
            f"a later release wrote {where}: {error}", "update this release"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContractError(
            f"{where} cannot be used: {type(error).__name__} {error}", "load in a new run"
        ) from None


def parts(lake: Lake, path: str) -> list[str]:
    """What one run has loaded so far: `path` itself, then its later parts."""
    folder, name = path.rsplit("/", 1)
    pattern = re.compile(re.escape(name) + r"(-part\d+)?")
    return [f"{folder}/{found}" for found in lake.names(folder) if pattern.fullmatch(found)]


def records_at(lake: Lake, path: str) -> Iterator[Record]:
    """The titles of one snapshot."""
    names = [f.name for f in lake.manifest(path).files if f.name.startswith("titles-")]
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        for name in names:
            lake.copy_out(f"{path}/{name}", Path(scratch, name))
        yield from read_lines(Path(scratch, name) for name in names)


def digests_at(lake: Lake, paths: Iterable[str]) -> set[str]:
    """Digests of every record in some snapshots."""
    return {digest_bytes(line_of(record)) for path in paths for record in records_at(lake, path)}


def last_coverage(lake: Lake, before: str, source: str = "") -> Coverage | None:
    """Field coverage of the newest snapshot before `before` from the same kind of source.

    Crawls are compared with crawls, of whichever site, and merged sources with the same ones:
    a source without budgets is no sign that a site changed. None where there is none yet.
    """
    for path in reversed(snapshots(lake, before)):
        facts = lake.manifest(path).facts
        if _kind(str(facts.get("source", ""))) == _kind(source):
            loaded = int((facts.get("counts") or {}).get("loaded", 0))
            return Coverage.of_shares(facts.get("coverage") or {}, loaded)
    return None


def _kind(source: str) -> str:
    return "crawl" if not source or "://" in source else source
