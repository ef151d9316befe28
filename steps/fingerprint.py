"""What counts as unchanged: the digest of all that a model's content depends on (ADR 6, ADR 24).

As-of is part of it only where it decides: where it cuts ratings or feedback off, where a page was
fetched or a title is released at or after it. Else an ordinary quiet week would be a new one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from typing import Any

from marquee.artefacts.inputs import FeedbackInput, Inputs, TitlesInput
from marquee.artefacts.ledger_entry import Entry
from marquee.digest import digest_code, digest_value
from marquee.errors import SourceError
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import Model
from marquee.settings import REPOSITORY
from sources.feedback import parse_line
from sources.title_moments import Span
from sources.title_snapshots import records_at

CODE = (
    "spark_apps",
    "scoring",
    "marquee/money",
    "marquee/normalise",
    "marquee/contracts",
    "marquee/clock.py",
    "marquee/digest.py",
    "marquee/names.py",
    "marquee/artefacts/inputs.py",
    "sources/feedback_time.py",
    "sources/ratings.py",
    "sources/ratings_cells.py",
    "sources/ratings_forms.py",
    "sources/tables.py",
    "sources/title_moments.py",
    "sources/title_record.py",
    "sources/titles_csv.py",
    "sources/titles_imdb5000.py",
)
"""Rooms and modules that compute, data tables included: all that `spark_apps` and `scoring`
import, a test says with which exceptions. The gate, the DAG and serving change no model."""
LIBRARIES = ("numpy", "pyarrow", "pyspark", "pandas")
"""What computes beside our own code; the lock pins their versions."""


def computing_code(fault: str | None = None) -> str:
    """Twelve characters that change with the code, its tables, its libraries or Python's minor
    version; and with the `fault` that a drill's training job makes, for that computes too."""
    python = "python {}.{}".format(*sys.version_info)
    versions = [python, *(f"{name} {version(name)}" for name in LIBRARIES)]
    parts = [digest_code(REPOSITORY / place for place in CODE), versions]
    return digest_value([*parts, fault] if fault else parts)[:12]


def fingerprint(lake: Lake, model: Model, inputs: Inputs, entries: Sequence[Entry]) -> str:
    """The digest of what `model` learns from and is asked for in a run of these inputs; `entries`
    are its ledger's."""
    asked = inputs.models[model]
    value: dict[str, Any] = {
        "recipes": asked.recipes,
        "policy": asked.policy,
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
    """The segments, and as-of where it cuts a rating or a word of feedback off."""
    with ThreadPoolExecutor(8) as pool:
        lasts = list(pool.map(lambda one: last_time(lake, one), inputs.feedback))
    cut = int(inputs.as_of.timestamp())
    is_cut = cut <= max([inputs.ratings.last_time, *lasts])
    return {"feedback": [one.digest for one in inputs.feedback], "cut": cut if is_cut else None}


def last_time(lake: Lake, segment: FeedbackInput) -> float:
    """UTC seconds from which a segment's latest line counts, at the latest its `said_by`; older
    manifests do not say, so the lines do."""
    bound = float("inf") if segment.said_by is None else segment.said_by.timestamp()
    said = lake.manifest(segment.path).facts.get("last_time")
    if isinstance(said, int | float):
        return min(said, bound)
    lines = lake.read_bytes(f"{segment.path}/feedback.jsonl").splitlines()
    found = [word for line in lines if (word := parse_line(line))]
    times = (w.time if w.effective_time is None else w.effective_time for w in found)
    return min(max(times, default=0), bound)


def _titles(lake: Lake, inputs: Inputs) -> list[Any]:
    """Each snapshot's digest, with as-of where it decides what of it is known or released.

    In the order of their loads, which is that of records without a fetch moment: a source that goes
    back to an earlier file says something new. An equal load right after changes no model.
    """
    loads = sorted(inputs.titles, key=lambda one: (one.as_of, one.path))
    with ThreadPoolExecutor(8) as pool:
        told = pool.map(lambda one: [one.digest, *_cuts(lake, one, inputs)], loads)
        return [one for one, _ in groupby(told)]


def _cuts(lake: Lake, snapshot: TitlesInput, inputs: Inputs) -> tuple[str | None, str | None]:
    """What as-of decides of one snapshot; all of it where its records cannot be read."""
    try:
        span = span_of(lake, snapshot)
    except SourceError:
        return iso(inputs.as_of), None
    return _known(span, snapshot, inputs), _released(span, inputs.as_of)


def span_of(lake: Lake, snapshot: TitlesInput) -> Span:
    """First and last fetch and last release; older manifests do not say, so the records do."""
    facts = lake.manifest(snapshot.path).facts
    if "last_fetched" in facts:
        return Span.from_facts(facts, snapshot.as_of)
    return Span(snapshot.as_of, snapshot.loaded_at).of(records_at(lake, snapshot.path))


def _known(span: Span, snapshot: TitlesInput, inputs: Inputs) -> str:
    """`all` or `none` of its pages, else the as-of that parts them."""
    until = inputs.as_of + inputs.interval if snapshot.own else inputs.as_of
    if span.last_fetched is None or span.first_fetched is None or span.last_fetched < until:
        return "all"
    return "none" if span.first_fetched >= until else iso(until)


def _released(span: Span, as_of: datetime) -> str | None:
    """The day of as-of, where a title is released on that day or later."""
    day = iso(as_of)[:10]
    return day if span.last_release >= day else None
