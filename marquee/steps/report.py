"""report: what this run did, in one document; always the last task."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from marquee.clock import now
from marquee.errors import ConflictError, NotFoundError
from marquee.names import iso
from marquee.release.inputs import inputs_of
from marquee.release.ledger import Ledger
from marquee.release.live import live_sentence, read_live
from marquee.steps.approve import verdict_of
from marquee.steps.run import MODELS, NO_TITLES, Model, Run


def report(run: Run) -> dict[str, Any]:
    """Write `report.json` and say in a few lines what happened to each model."""
    outcomes = {model: outcome(run, model) for model in MODELS}
    value = {
        "run": run.id,
        "run_type": run.run_type,
        "as_of": iso(run.as_of),
        "written_at": iso(now()),
        "models": outcomes,
        "live": read_live(run.lake, run.id),
    }
    # A cleared run reports again; the first report stays, with its moment.
    with suppress(ConflictError):
        run.lake.create_json(run.path("report.json"), value)
    for model in MODELS:
        print(f"{model}: {outcomes[model]['sentence']}", flush=True)
    if value["live"]:
        print(f"live record: {live_sentence(value['live'])}", flush=True)
    return value


def outcome(run: Run, model: Model) -> dict[str, Any]:
    """What became of one model: its sentence, and its entry where it was promoted."""
    try:
        inputs = inputs_of(run.lake, run.id)
    except NotFoundError:
        return {"sentence": "the run ended before its inputs were frozen", "promoted": None}
    since = inputs.models[model].unchanged_since
    if since:
        return {
            "sentence": f"nothing changed since run {since}; the champion stays",
            "promoted": None,
        }
    if model == "budget" and not inputs.titles:
        return {"sentence": NO_TITLES, "promoted": None}
    try:
        verdict = verdict_of(run, model)
    except NotFoundError:
        return {"sentence": "no verdict: look at the failed task", "promoted": None}
    entries = Ledger(run.lake, model).entries()
    mine = next((e for e in entries if e.kind == "promote" and e.run == run.id), None)
    sentence = f"{verdict.headline} " + (
        f"Entry {mine.number} promotes {mine.bundle}." if mine else verdict.consequence
    )
    return {
        "sentence": sentence,
        "approved": verdict.approved,
        "promoted": mine.number if mine else None,
        "reasons": [c.sentence for c in verdict.failed],
    }
