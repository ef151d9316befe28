"""find_ratings, load_ratings, load_feedback, load_titles: publish new data in the lake.

`find_ratings` names the ratings release on the disk of this machine. `load_ratings` publishes the
release. `load_feedback` publishes ratings from our own API. `load_titles` publishes the titles of
all sources of this run as one snapshot. Too many refused pages or too few titles raise an alarm,
and `load_titles` then publishes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from broker.client import Brokers
from broker.feedback_messages import feedback_topics
from broker.feedback_topic import take_feedback
from broker.refused_messages import send_refused
from marquee.clock import now
from sources.feedback_in_lake import IN_LAKE, publish_feedback
from sources.ratings_forms import recognise
from sources.ratings_release import linked_titles, load_release
from sources.title_loading import LoadedTitles
from sources.title_loading import load_titles as load
from sources.title_merging import (
    Conflict,
    MergedTitles,
    crawled_titles,
    gather_titles,
    write_merged,
)
from sources.title_record import Reasons, read_lines
from sources.title_snapshots import run_snapshot_path
from sources.title_sources import CRAWL, new_licence_notes, refuse_unknown_sources
from steps.run import Run, claim_lake
from steps.sweep import sweep


def find_ratings(run: Run) -> dict[str, Any]:
    """Folder and name of the ratings release; SourceError where the folder has no known form."""
    folder = run.ratings_folder
    print(f"{folder}: {recognise(folder).form.name}", flush=True)
    return {"folder": str(folder), "name": run.settings.ratings.name or run.settings.world}


def load_ratings(run: Run, folder: str, name: str) -> dict[str, Any]:
    """Publish the release at `folder`; a second load of the same content changes nothing.

    Prints the counts of refused rows, with examples.
    """
    claim_lake(run)
    before = set(run.lake.names("raw/ratings"))
    scale = run.settings.ratings.lowest, run.settings.ratings.highest
    path, manifest = load_release(run.lake, Path(folder), name, scale)
    is_new = path.rsplit("/", 1)[1] not in before
    what = f"{manifest.rows} ratings at {run.lake.uri(path)}"
    print(what if is_new else f"{what}: already loaded, nothing done", flush=True)
    for note in manifest.facts.get("notes", ()):
        print(f"  {note}", flush=True)
    if not manifest.facts.get("linked"):
        print(
            "no title is linked to IMDb: recommendations go on without crawled titles", flush=True
        )
    return {"path": path, "rows": manifest.rows, "loaded": is_new}


def load_feedback(run: Run, login: Callable[[], Mapping[str, str]] = dict) -> dict[str, Any]:
    """Publish the feedback that is kept on this host and on the topic; count what the lake holds.

    Serving does the same on its host, by itself. A second load of a segment changes nothing. The
    task also sweeps leftovers. `login` finds Kafka's credentials, as variables that come before the
    environment's. Raises AwayError where Kafka does not answer: a run without it is
    degraded, and the next one reads what was owed.
    """
    claim_lake(run)
    sweep(run)
    ours = publish_feedback(run.lake, run.folders.feedback, run.settings.serving.server)
    over_topic = _load_topic(run, login) if run.settings.kafka_bootstrap else {}
    found = len(run.lake.names(IN_LAKE))
    print(f"{found} segments of feedback are in the lake, {len(ours)} of this host", flush=True)
    return {"paths": found, **over_topic}


def _load_topic(run: Run, login: Callable[[], Mapping[str, str]]) -> dict[str, Any]:
    """Publish what the topic holds; print what was refused, and what the brokers had no more."""
    topic, refused = feedback_topics(run.settings.kafka)
    brokers = Brokers.of(run.settings, login)
    brokers.ensure_topics([topic])
    scale = run.settings.ratings.lowest, run.settings.ratings.highest
    sent = send_refused(run.lake, brokers, topic.name, refused)
    taken = take_feedback(run.lake, brokers, topic.name, scale, sent, run.id)
    send_refused(run.lake, brokers, topic.name, refused)
    print(f"{taken}", flush=True)
    if taken.refused:
        print(f"what was refused is in topic {refused.name}, with its reason", flush=True)
    return {"events": taken.events, "refused": taken.refused.total()}


REFUSED = "records or pages refused"
SHOWN = 10
"""The number of conflicts in the log; `report.json` beside the titles holds all conflicts."""


def load_titles(run: Run) -> dict[str, Any]:
    """Publish the titles of the sources; a load without a new title publishes nothing.

    The name of the snapshot's folder holds the moment of the run's first load. `Run.may_fetch`
    decides whether the run may still read its sources. If it may not, the run loads only the titles
    that its own crawl delivered earlier.
    """
    claim_lake(run)
    refuse_unknown_sources(run.settings.titles.places)
    is_late = not run.may_fetch(now())
    if is_late:
        print(run.why_no_fetch(), flush=True)
    is_plain = is_late or run.form.sources == (CRAWL,)
    if is_plain and not run.crawl_folder.is_dir():
        return _nothing("the crawl")
    path = run_snapshot_path(run.lake, run.id, now())
    loaded = _load_crawl(run, path) if is_plain else _load_merged(run, path)
    if loaded is None:
        return _nothing("the crawl" if is_plain else "the sources")
    what = f"{loaded.manifest.rows} titles at {run.lake.uri(loaded.path)}"
    print(what if loaded.is_new else f"{what}: already loaded, nothing done", flush=True)
    _print_reasons("fields left off, each with a note in its record", loaded.left_off)
    _print_reasons(REFUSED, loaded.refused)
    return {"path": loaded.path, "rows": loaded.manifest.rows}


def _print_reasons(what: str, reasons: Reasons) -> None:
    """Print counts by field and reason, with three records of each."""
    if reasons.total:
        print(f"{reasons.total} {what}:", *reasons.lines(), sep="\n", flush=True)


def _nothing(who: str) -> dict[str, Any]:
    print(f"{who} brought nothing new home: nothing to load", flush=True)
    return {"path": None, "rows": 0}


def _load_crawl(run: Run, path: str) -> LoadedTitles | None:
    return load(run.lake, run.crawl_folder, path, run.as_of)


def _load_merged(run: Run, path: str) -> LoadedTitles | None:
    """Merge the chosen sources and publish the result in the form of a crawl."""
    for note in new_licence_notes(run.lake, run.form.sources):
        print(f"licence: {note}", flush=True)
    folder = run.crawl_folder
    wanted = set(linked_titles(Path(find_ratings(run)["folder"])).values())
    crawled = crawled_titles(run.lake, folder, path)
    places = run.settings.titles.places
    merged = gather_titles(run.form.sources, places, crawled, wanted)
    _print_merged(merged)
    has_crawl = CRAWL in run.form.sources
    refused = read_lines(sorted(folder.glob("refused-*.jsonl.gz"))) if has_crawl else ()
    with tempfile.TemporaryDirectory(prefix="marquee-") as scratch:
        every = write_merged(Path(scratch), merged, "+".join(run.form.sources), refused)
        facts = {"fields_given": merged.fields_by_source, "conflicts": merged.conflicts_by_field}
        loaded = load(run.lake, Path(scratch), path, run.as_of, **facts)
        if loaded is None:
            _print_reasons(REFUSED, Reasons.of(every))
        return loaded


def _print_merged(merged: MergedTitles) -> None:
    given = ", ".join(f"{count} by {name}" for name, count in merged.fields_by_source.items())
    print(f"{len(merged.records)} titles; fields given: {given or 'none'}", flush=True)
    for name, rows in merged.aside.items():
        if rows.count:
            print(f"{name}: rows set aside: {rows}", flush=True)
    if merged.conflicts:
        print(f"{len(merged.conflicts)} conflicts: {merged.conflicts_by_field}", flush=True)
    for line in _lines(merged.conflicts[:SHOWN]):
        print(line, flush=True)


def _lines(conflicts: Iterable[Conflict]) -> list[str]:
    return [
        f"  {c.title_id} {c.field}: {c.kept} says {c.values[0]}, {c.other} {c.values[1]}; "
        f"{c.kept}'s stands"
        for c in conflicts
    ]
