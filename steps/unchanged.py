"""Whether a model needs no new training: its fingerprint, and the last decision that had the same.

A fingerprint is the digest of everything that a model's content depends on (ADR 6, ADR 16). As-of
is part of it only where it decides something: where it cuts ratings or feedback off, or where a
page was fetched or a title is released at or after it. Otherwise every quiet week would be a new
fingerprint. `freeze_inputs` asks for both; `marquee history` lists the decisions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from typing import Any

from marquee.artefacts.inputs import FeedbackInput, Inputs, TitlesInput
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.verdict import Head, Verdict, read_verdict
from marquee.clock import SKEW, iso, now
from marquee.errors import ContractError, MarqueeError, NotFoundError, SourceError
from marquee.identifiers import digest_code, digest_value
from marquee.lake import READS_AT_ONCE, Lake
from marquee.policy import Model
from marquee.run_folder import degraded_training, over_all_runs, verdict_path
from marquee.settings import REPOSITORY
from sources.feedback_lines import parse_line
from sources.title_snapshots import Span, records_at
from steps.run import BACKFILL

CODE = (
    "spark_apps",
    "scoring",
    "marquee/prices",
    "marquee/normalise",
    "marquee/contract.py",
    "marquee/dataset_contracts.py",
    "marquee/clock.py",
    "marquee/identifiers.py",
    "marquee/artefacts/inputs.py",
    "sources/feedback_lines.py",
    "sources/ratings_cells.py",
    "sources/ratings_forms.py",
    "sources/ratings_reading.py",
    "sources/tables.py",
    "sources/text_files.py",
    "sources/title_cells.py",
    "sources/title_record.py",
    "sources/title_snapshots.py",
    "sources/titles_csv.py",
    "sources/titles_imdb5000.py",
)
"""Rooms and modules that compute, data tables included: everything that `spark_apps` and `scoring`
import. A test names the exceptions. The gate, the DAG and serving change no model."""
LIBRARIES = ("numpy", "pyarrow", "pyspark", "pandas")
"""Libraries that compute; the lock pins their versions."""


def unchanged_since(
    lake: Lake, model: Model, fingerprint: str, entries: Sequence[Entry]
) -> str | None:
    """The run whose last, settled decision on `model` had this fingerprint; None where none had.

    `entries` are the model's ledger. A recommender that was trained without its run's titles does
    not count: it is no answer to the same inputs.
    """
    last = last_decision(lake, model)
    if last is None or last.subject.fingerprint != fingerprint or not is_settled(last, entries):
        return None
    if model == "recommender" and degraded_training(lake, last.subject.run):
        return None
    return last.subject.run


def decisions(
    lake: Lake, model: Model, passed_over: tuple[type[MarqueeError], ...] = ()
) -> list[Verdict]:
    """Every run's verdict on `model`, earliest as-of first.

    Raises ContractError where one is damaged, unless `passed_over` names that error.
    """

    def read(run: str) -> Verdict | None:
        with suppress(NotFoundError, *passed_over):
            return read_verdict(lake.read_bytes(verdict_path(run, model)))
        return None

    found = over_all_runs(lake, read)
    return sorted(found, key=lambda verdict: (verdict.subject.as_of, verdict.subject.run))


def last_decision(lake: Lake, model: Model) -> Verdict | None:
    """The latest verdict of a live run; None where there is none.

    A backfill's verdict does not count. Neither does a damaged one, which must not keep every
    later run from a decision, nor one whose as-of lies ahead of the clock: older releases let it
    through, and it would stay the latest for years.
    """
    found = decisions(lake, model, (ContractError,))
    latest = now() + SKEW
    live = [v for v in found if v.subject.run_type != BACKFILL and v.subject.as_of <= latest]
    return live[-1] if live else None


def is_settled(verdict: Verdict, entries: Sequence[Entry]) -> bool:
    """Whether a decision stands: promoted, or rejected beside what serves now.

    An approved model that never served (the head moved, a hold stood, nobody approved, or the run
    was not to promote) deserves another run, though nothing it learns from has changed. So does a
    rejected one where another bundle serves by now: it lost to a champion that was rolled back
    since. `entries` are the model's ledger.
    """
    if verdict.approved:
        return any(e.kind == "promote" and e.run == verdict.subject.run for e in entries)
    return _bundle_at(entries, verdict.head) == (entries[-1].bundle if entries else None)


def _bundle_at(entries: Sequence[Entry], head: Head | None) -> str | None:
    """The bundle that served while `head` was the newest entry; None before the first entry, or
    where `head` is not in the ledger."""
    return next((e.bundle for e in entries if head and e.digest == head.digest), None)


def computing_code(fault: str | None = None) -> str:
    """Twelve characters that change with the code that computes, its data tables, its libraries and
    Python's minor version; also with the `fault` that a drill's training job makes."""
    python = "python {}.{}".format(*sys.version_info)
    versions = [python, *(f"{name} {version(name)}" for name in LIBRARIES)]
    computing = [digest_code(REPOSITORY / path for path in CODE), versions]
    return digest_value([*computing, fault] if fault else computing)[:12]


def fingerprint(lake: Lake, model: Model, inputs: Inputs, entries: Sequence[Entry]) -> str:
    """The digest of what `model` learns from, and how, in a run of these inputs.

    `entries` are the model's ledger.
    """
    own = inputs.models[model]
    value: dict[str, Any] = {
        "recipes": own.recipes,
        "policy": own.policy,
        "search": inputs.search,
        "code": inputs.code,
        "seed": inputs.seed,
        "ratings": inputs.ratings.digest,
        "scale": inputs.ratings.scale,
        "text_ids": sorted(inputs.ratings.text_ids),
        "titles": _titles(lake, inputs),
        # Prices and exchange rates are known up to the year of as-of, titles released up to it.
        "year": inputs.as_of.year,
        "accepted": accepted_world(entries),
    }
    if model == "recommender":
        value |= _feedback(lake, inputs)
    return digest_value(value)


def accepted_world(entries: Sequence[Entry]) -> list[Any] | None:
    """Number and digest of the newest entry by which a person accepted a changed world."""
    kinds = [entry for entry in entries if entry.kind == "accept_world"]
    return [kinds[-1].number, kinds[-1].digest] if kinds else None


def _feedback(lake: Lake, inputs: Inputs) -> dict[str, Any]:
    """The segments, and as-of where it cuts a rating or a line of feedback off."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        lasts = list(pool.map(lambda one: last_time(lake, one), inputs.feedback))
    cut = int(inputs.as_of.timestamp())
    is_cut = cut <= max([inputs.ratings.last_time, *lasts])
    return {"feedback": [one.digest for one in inputs.feedback], "cut": cut if is_cut else None}


def last_time(lake: Lake, segment: FeedbackInput) -> float:
    """UTC seconds from which a segment's latest line counts, and at most its `said_by`.

    Manifests of older releases lack the time; then the lines are read.
    """
    bound = float("inf") if segment.said_by is None else segment.said_by.timestamp()
    stated = lake.manifest(segment.path).facts.get("last_time")
    if isinstance(stated, int | float):
        return min(stated, bound)
    lines = lake.read_bytes(f"{segment.path}/feedback.jsonl").splitlines()
    found = [one for line in lines if (one := parse_line(line))]
    times = (one.time if one.effective_time is None else one.effective_time for one in found)
    return min(max(times, default=0), bound)


def _titles(lake: Lake, inputs: Inputs) -> list[Any]:
    """Each snapshot's digest, with as-of where it decides what of it is known or released.

    The order is that of the loads, as for records without a fetch moment: a source that goes back
    to an earlier file is a change. An equal load right after another changes no model.
    """
    loads = sorted(inputs.titles, key=lambda one: (one.as_of, one.path))
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        found = pool.map(lambda one: [one.digest, *_cuts(lake, one, inputs)], loads)
        return [one for one, _ in groupby(found)]


def _cuts(lake: Lake, snapshot: TitlesInput, inputs: Inputs) -> tuple[str | None, str | None]:
    """What as-of decides of one snapshot; all of it where its records cannot be read."""
    try:
        span = span_of(lake, snapshot)
    except SourceError:
        return iso(inputs.as_of), None
    return _known(span, snapshot, inputs), _released(span, inputs.as_of)


def span_of(lake: Lake, snapshot: TitlesInput) -> Span:
    """First and last fetch and last release of a snapshot.

    Manifests of older releases lack them; then the records are read.
    """
    facts = lake.manifest(snapshot.path).facts
    if "last_fetched" in facts:
        return Span.from_facts(facts, snapshot.as_of)
    return Span(snapshot.as_of, snapshot.loaded_at).of(records_at(lake, snapshot.path))


def _known(span: Span, snapshot: TitlesInput, inputs: Inputs) -> str:
    """`all` or `none` of a snapshot's pages, else the moment that divides them."""
    until = inputs.as_of + inputs.interval if snapshot.own else inputs.as_of
    if span.last_fetched is None or span.first_fetched is None or span.last_fetched < until:
        return "all"
    return "none" if span.first_fetched >= until else iso(until)


def _released(span: Span, as_of: datetime) -> str | None:
    """The day of as-of, where a title is released on that day or later."""
    day = iso(as_of)[:10]
    return day if span.last_release >= day else None
