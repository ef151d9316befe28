"""Runs that freeze their inputs, verdicts on them, and what a lake holds beside."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.artefacts.ledger_entry import Draft, Kind
from marquee.artefacts.verdict import GROUPS, Condition, Head, RunType, Subject, Verdict
from marquee.policy import MODELS
from marquee.run_folder import inputs_of
from release.ledger import Ledger
from sources.title_record import write_lines
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import find_ratings, load_ratings
from steps.run import Run

Make = Callable[..., Run]


def freeze(run: Run) -> dict[str, str | None]:
    fetched = find_ratings(run)
    loaded = load_ratings(run, fetched["folder"], fetched["name"])
    unchanged: dict[str, str | None] = freeze_inputs(run, loaded["path"])["unchanged"]
    return unchanged


def fingerprints(run: Run) -> dict[str, str]:
    models = inputs_of(run.lake, run.id).models
    return {model: models[model].fingerprint for model in MODELS}


def decide(
    run: Run,
    kind: RunType = "manual",
    approved: bool = False,
    as_of: datetime | None = None,
) -> None:
    """Leave a gate's verdict on each model, beside what serves."""
    inputs = inputs_of(run.lake, run.id)
    conditions = tuple(Condition(number, "made up", approved, "so it is") for number in GROUPS)
    for model in MODELS:
        subject = Subject(
            run=run.id,
            model=model,
            as_of=as_of or run.as_of,
            run_type=kind,
            promote="yes",
            recipe={},
            code=inputs.code,
            fingerprint=inputs.models[model].fingerprint,
            bundle_digest="b" * 64,
        )
        serving = Ledger(run.lake, model).head()
        head = Head(serving.number, serving.digest) if serving else None
        verdict = Verdict(subject=subject, conditions=conditions, head=head)
        run.lake.create_json(run.path(f"models/{model}/verdict.json"), verdict.to_json())


def write_entry(run: Run, model: str, kind: Kind, bundle: str = "b") -> None:
    """Add an entry to a ledger."""
    ledger = Ledger(run.lake, model)
    rest: dict[str, Any] = {"bundle": bundle, "bundle_digest": "d", "run": "x", "recipe": {}}
    rest |= {"as_of": run.as_of, "code": "c", "at": run.as_of, "verdict": "v", "reason": "so"}
    ledger.append(Draft(kind=kind, **rest), ledger.head())


def add_snapshot(
    run: Run, fetched: str | None, release: str = "1999-05-04", number: int = 1, **facts: Any
) -> str:
    """A snapshot of one page of another run; without `facts`, as older versions left it."""
    path = f"raw/titles/as_of=20260101T000000Z/run=x{number}"
    with tempfile.TemporaryDirectory() as folder:
        record = {"title_id": f"tt{number:07d}", "release_date": release, "fetched_at": fetched}
        write_lines(Path(folder, "titles-00001.jsonl.gz"), [record])
        run.lake.publish(Path(folder), path, rows=1, **facts)
    return path


def add_feedback(run: Run, time: int, **facts: Any) -> None:
    """One sealed line, given at `time`."""
    line = {"person": "p-ann", "movie_id": 10, "rating": 4.0, "time": time}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "feedback.jsonl").write_text(json.dumps(line) + "\n")
        run.lake.publish(Path(folder), f"raw/feedback/local-{time}", rows=1, **facts)
