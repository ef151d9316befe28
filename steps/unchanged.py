"""The fingerprint of a model's inputs, and the last decision on the same fingerprint.

A fingerprint is the digest of all inputs that decide a model's content (ADR 6, ADR 16). A model
with an unchanged fingerprint needs no new training. As-of is part of the fingerprint only where it
cuts data off: a rating, a line of feedback, a page or a title of a later time. So a week without
new data has the same fingerprint as the week before. `freeze_inputs` calls this module; `marquee
history` lists the decisions.
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
from marquee.artefacts.model_card import read_card
from marquee.artefacts.verdict import Head, Verdict, read_verdict
from marquee.clock import SKEW, iso, now
from marquee.errors import ContractError, MarqueeError, NotFoundError, SourceError
from marquee.identifiers import digest_code, digest_value
from marquee.lake import READS_AT_ONCE, Lake
from marquee.policy import Model
from marquee.run_folder import (
    degraded_training,
    forecast_path,
    forecast_sentence,
    inputs_of,
    model_folder,
    read_all_runs,
    read_forecast,
    verdict_path,
)
from marquee.settings import REPOSITORY
from release.ledger import Ledger
from sources.feedback_lines import parse_line
from sources.title_snapshots import FetchSpan, records_at
from steps.run import BACKFILL, Run

CODE_PATHS = (
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
"""The code and the data tables that decide a model's content: everything that `spark_apps` and
`scoring` import. A test names the exceptions."""
LIBRARIES = ("numpy", "scipy", "pyarrow", "pyspark", "pandas")
"""The libraries whose versions can change a model's content."""


def unchanged_since(
    lake: Lake, model: Model, fingerprint: str, entries: Sequence[Entry]
) -> str | None:
    """The run of the last decision on `model` if it is settled and has this fingerprint, else None.

    `entries` are the entries of the model's ledger. A recommender with degraded training does not
    count, because its training did not use all inputs of its run.
    """
    last = last_decision(lake, model)
    if last is None or last.subject.fingerprint != fingerprint or not is_settled(last, entries):
        return None
    if model == "recommender" and degraded_training(lake, last.subject.run):
        return None
    return last.subject.run


def reuse_forecast(run: Run) -> str | None:
    """Why this run fits no forecast of its recommender, in a sentence; None where it fits one.

    A backfill fits none. Where the champion has the recipe and the code of this run's model, its
    forecast is copied into this run's folder: recipe and code decide how well the past forecasts
    the present, and a week of new ratings hardly changes it. A forced run fits its own.
    """
    if run.is_backfill:
        return "a backfill fits no forecast"
    inputs, lake = inputs_of(run.lake, run.id), run.lake
    champion = inputs.models["recommender"].champion
    if inputs.force or champion is None or lake.exists(forecast_path(run.id)):
        return None
    found = read_forecast(lake, Ledger(lake, "recommender").entry(champion.number).run)
    path = f"{model_folder(run.id, 'recommender')}/card.json"
    recipe = read_card(lake.read_bytes(path), lake.uri(path)).recipe
    if found is None or not found.is_of(recipe, inputs.code):
        return None
    lake.create_json(forecast_path(run.id), found.model_dump(mode="json"))
    return f"recipe and code are unchanged, the last forecast stands: {forecast_sentence(found)}"


def decisions(
    lake: Lake, model: Model, passed_over: tuple[type[MarqueeError], ...] = ()
) -> list[Verdict]:
    """The verdicts of all runs on `model`, earliest as-of first.

    Raises ContractError for a damaged verdict, unless `passed_over` holds ContractError.
    """

    def read(run: str) -> Verdict | None:
        with suppress(NotFoundError, *passed_over):
            return read_verdict(lake.read_bytes(verdict_path(run, model)))
        return None

    found = read_all_runs(lake, read)
    return sorted(found, key=lambda verdict: (verdict.subject.as_of, verdict.subject.run))


def last_decision(lake: Lake, model: Model) -> Verdict | None:
    """The verdict with the latest as-of; None without a verdict.

    Verdicts of backfills and damaged verdicts do not count. Verdicts with an as-of in the future,
    which older releases allowed, do not count.
    """
    found = decisions(lake, model, (ContractError,))
    latest = now() + SKEW
    live = [v for v in found if v.subject.run_type != BACKFILL and v.subject.as_of <= latest]
    return live[-1] if live else None


def is_settled(verdict: Verdict, entries: Sequence[Entry]) -> bool:
    """Whether a decision needs no second run on the same inputs.

    An approved model is settled once it was promoted. A rejected model is settled while the
    champion that it was compared with still serves. `entries` are the entries of the model's
    ledger.
    """
    if verdict.approved:
        return any(e.kind == "promote" and e.run == verdict.subject.run for e in entries)
    return _bundle_at(entries, verdict.head) == (entries[-1].bundle if entries else None)


def _bundle_at(entries: Sequence[Entry], head: Head | None) -> str | None:
    """The bundle of the ledger entry `head`; None without a `head` or without such an entry."""
    return next((e.bundle for e in entries if head and e.digest == head.digest), None)


def code_version(fault: str | None = None) -> str:
    """Twelve characters of a digest of code, data tables, libraries and Python's minor version.

    A drill's training `fault` is part of the digest, too.
    """
    python = "python {}.{}".format(*sys.version_info)
    versions = [python, *(f"{name} {version(name)}" for name in LIBRARIES)]
    computing = [digest_code(REPOSITORY / path for path in CODE_PATHS), versions]
    return digest_value([*computing, fault] if fault else computing)[:12]


def fingerprint(lake: Lake, model: Model, inputs: Inputs, entries: Sequence[Entry]) -> str:
    """The digest of the data, recipes, policy and code of `model` in a run with these inputs.

    `entries` are the entries of the model's ledger.
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
        # As-of's year limits prices, exchange rates and the release years of titles.
        "year": inputs.as_of.year,
        "accepted": accepted_world(entries),
    }
    if model == "recommender":
        value |= _feedback(lake, inputs)
    return digest_value(value)


def accepted_world(entries: Sequence[Entry]) -> list[Any] | None:
    """Number and digest of the newest `accept_world` entry; None without such an entry."""
    kinds = [entry for entry in entries if entry.kind == "accept_world"]
    return [kinds[-1].number, kinds[-1].digest] if kinds else None


def _feedback(lake: Lake, inputs: Inputs) -> dict[str, Any]:
    """The digests of the segments, and as-of where a rating or a line of feedback is later."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        lasts = list(pool.map(lambda one: last_time(lake, one), inputs.feedback))
    cut = int(inputs.as_of.timestamp())
    is_cut = cut <= max([inputs.ratings.last_time, *lasts])
    return {"feedback": [one.digest for one in inputs.feedback], "cut": cut if is_cut else None}


def last_time(lake: Lake, segment: FeedbackInput) -> float:
    """The latest effective time in a segment, in UTC seconds; its `said_by` where that is earlier.

    Manifests of older releases lack this time; the function then reads the lines.
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
    """The digest of each snapshot, with as-of where as-of excludes some of its pages or titles.

    The list has the order of the loads, because a later snapshot wins. Consecutive equal snapshots
    count once.
    """
    loads = sorted(inputs.titles, key=lambda one: (one.as_of, one.path))
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        found = pool.map(lambda one: [one.digest, *_cuts(lake, one, inputs)], loads)
        return [one for one, _ in groupby(found)]


def _cuts(lake: Lake, snapshot: TitlesInput, inputs: Inputs) -> tuple[str | None, str | None]:
    """As-of where it excludes pages of a snapshot, and where it excludes titles by release date.

    As-of always counts for a snapshot with unreadable records.
    """
    try:
        span = span_of(lake, snapshot)
    except SourceError:
        return iso(inputs.as_of), None
    return _known(span, snapshot, inputs), _released(span, inputs.as_of)


def span_of(lake: Lake, snapshot: TitlesInput) -> FetchSpan:
    """The first fetch, the last fetch and the last release date of a snapshot.

    Manifests of older releases lack these facts; the function then reads the records.
    """
    facts = lake.manifest(snapshot.path).facts
    if "last_fetched" in facts:
        return FetchSpan.from_facts(facts, snapshot.as_of)
    return FetchSpan(snapshot.as_of, snapshot.loaded_at).of(records_at(lake, snapshot.path))


def _known(span: FetchSpan, snapshot: TitlesInput, inputs: Inputs) -> str:
    """`all` or `none`, where the run reads all or none of a snapshot's pages; else the moment that
    separates the pages it reads from the others."""
    until = inputs.as_of + inputs.interval if snapshot.own else inputs.as_of
    if span.last_fetched is None or span.first_fetched is None or span.last_fetched < until:
        return "all"
    return "none" if span.first_fetched >= until else iso(until)


def _released(span: FetchSpan, as_of: datetime) -> str | None:
    """The day of as-of where a title is released on that day or later, else None."""
    day = iso(as_of)[:10]
    return day if span.last_release >= day else None
