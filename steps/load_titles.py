"""load_titles: what this run's sources say of titles, into the lake, unless an alarm says no."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from marquee.clock import now
from sources.coverage import Reasons
from sources.licences import unseen_notes
from sources.ratings import linked_titles
from sources.title_lines import read_lines
from sources.title_snapshots import place_of
from sources.titles import Loaded
from sources.titles import load_titles as load
from sources.titles_gather import CRAWL, crawled_titles, gather_titles
from sources.titles_merge import Conflict, Merged, write_merged
from steps.claim_world import claim
from steps.crawl_titles import crawl_folder
from steps.fetch_ratings import fetch_ratings
from steps.run import Run

REFUSED = "records or pages refused"
SHOWN = 10
"""Conflicts told one by one; report.json beside the titles holds them all."""


def load_titles(run: Run) -> dict[str, Any]:
    """Publish what the sources brought home; what is nothing new loads nothing.

    It lies under the moment of the run's first load, whatever moment the run stands for. A run
    whose as-of lies an interval or more back reads no source beside; what its own crawl left
    while it still might is loaded.
    """
    claim(run)
    is_late = not run.may_fetch(now())
    if is_late:
        print(run.too_late(), flush=True)
    is_plain = is_late or run.form.sources == (CRAWL,)
    if is_plain and not crawl_folder(run).is_dir():
        return _nothing("the crawl")
    path = place_of(run.lake, run.id, now())
    loaded = _load_crawl(run, path) if is_plain else _load_merged(run, path)
    if loaded is None:
        return _nothing("the crawl" if is_plain else "the sources")
    what = f"{loaded.manifest.rows} titles at {run.lake.uri(loaded.path)}"
    print(what if loaded.is_new else f"{what}: already loaded, nothing done", flush=True)
    _tell_reasons("fields left off, each with a note in its record", loaded.left_off)
    _tell_reasons(REFUSED, loaded.refused)
    return {"path": loaded.path, "rows": loaded.manifest.rows}


def _tell_reasons(what: str, reasons: Reasons) -> None:
    """How many by field and reason, three records of each by name."""
    if reasons.total:
        print(f"{reasons.total} {what}:", *reasons.lines(), sep="\n", flush=True)


def _nothing(who: str) -> dict[str, Any]:
    print(f"{who} brought nothing new home: nothing to load", flush=True)
    return {"path": None, "rows": 0}


def _load_crawl(run: Run, path: str) -> Loaded | None:
    return load(run.lake, crawl_folder(run), path, run.as_of)


def _load_merged(run: Run, path: str) -> Loaded | None:
    """All chosen sources as one, as if one crawl had brought it home."""
    for note in unseen_notes(run.lake, run.form.sources):
        print(f"licence: {note}", flush=True)
    folder = crawl_folder(run)
    wanted = set(linked_titles(Path(fetch_ratings(run)["folder"])).values())
    crawled = crawled_titles(run.lake, folder, path)
    places = run.settings.titles.model_dump(exclude={"sources"})
    merged = gather_titles(run.form.sources, places, crawled, wanted)
    _tell(merged)
    has_crawl = CRAWL in run.form.sources
    refused = read_lines(sorted(folder.glob("refused-*.jsonl.gz"))) if has_crawl else ()
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        every = write_merged(Path(scratch), merged, "+".join(run.form.sources), refused)
        facts = {"fields_given": merged.given, "conflicts": merged.disputed}
        loaded = load(run.lake, Path(scratch), path, run.as_of, **facts)
        if loaded is None:
            _tell_reasons(REFUSED, Reasons.of(every))
        return loaded


def _tell(merged: Merged) -> None:
    given = ", ".join(f"{count} by {name}" for name, count in merged.given.items())
    print(f"{len(merged.records)} titles; fields given: {given or 'none'}", flush=True)
    for name, rows in merged.aside.items():
        if rows.count:
            print(f"{name}: rows set aside: {rows}", flush=True)
    if merged.conflicts:
        print(f"{len(merged.conflicts)} conflicts: {merged.disputed}", flush=True)
    for line in _lines(merged.conflicts[:SHOWN]):
        print(line, flush=True)


def _lines(conflicts: Iterable[Conflict]) -> list[str]:
    return [
        f"  {c.title_id} {c.field}: {c.kept} says {c.values[0]}, {c.other} {c.values[1]}; "
        f"{c.kept}'s stands"
        for c in conflicts
    ]
