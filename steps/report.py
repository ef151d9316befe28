"""report: what this run did, in one document; always the last task."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from marquee.artefacts.inputs import degradation, inputs_of
from marquee.clock import now
from marquee.digest import canonical_json
from marquee.errors import ConflictError, NotFoundError
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import MODELS, Model
from release.ledger import Ledger
from release.live import live_sentence, read_live
from release.outcome import came_of, last_outcome, promotion_of
from steps.approve import approval_of, folder_of, verdict_of
from steps.run import Run, why_skip


def report(run: Run) -> dict[str, Any]:
    """Write `report.json` and say in a few lines what happened to each model.

    A cleared run reports again: what has changed by then is `report-2.json` and so on, and the
    latest counts (`read_report`).
    """
    outcomes = {model: outcome(run, model) for model in MODELS}
    degraded = [str(one) for one in degradation(run.lake, run.id)]
    value = {
        "run": run.id,
        "run_type": run.run_type,
        "as_of": iso(run.as_of),
        "written_at": iso(now()),
        "models": outcomes,
        "degraded": degraded,
        "live": read_live(run.lake, run.id),
    }
    _write(run, value)
    for lost in degraded:
        print(f"degraded: {lost}", flush=True)
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
    if reason := why_skip(inputs, [model]):
        return {"sentence": f"{reason}; the champion stays", "promoted": None}
    try:
        verdict = verdict_of(run, model)
    except NotFoundError:
        return {"sentence": "no verdict: look at the failed task", "promoted": None}
    entries = Ledger(run.lake, model).entries()
    approval = approval_of(run, model)
    last = last_outcome(run.lake, folder_of(run, model))
    mine = promotion_of(verdict, entries)
    return {
        "sentence": f"{verdict.headline} {came_of(verdict, entries, last, approval)}",
        "approved": verdict.approved,
        "approved_by": approval.by if approval else None,
        "promoted": mine.number if mine else None,
        "reasons": [c.sentence for c in verdict.failed],
    }


def read_report(lake: Lake, run: str) -> dict[str, Any]:
    """The latest report of a run; NotFoundError where it has left none."""
    found: dict[str, Any] = lake.read_json((_written(lake, run) or [_path(run, 1)])[-1])
    return found


def _write(run: Run, value: dict[str, Any]) -> None:
    written = _written(run.lake, run.id)
    last = run.lake.read_json(written[-1]) if written else {}
    if last | {"written_at": ""} != json.loads(canonical_json(value | {"written_at": ""})):
        with suppress(ConflictError):  # another attempt reported at this moment
            run.lake.create_json(_path(run.id, len(written) + 1), value)


def _written(lake: Lake, run: str) -> list[str]:
    """The reports of a run, oldest first."""
    found = (re.fullmatch(r"report(?:-(\d+))?\.json", name) for name in lake.names(f"runs/{run}"))
    return [_path(run, n) for n in sorted(int(match[1] or 1) for match in found if match)]


def _path(run: str, number: int) -> str:
    return f"runs/{run}/report{f'-{number}' if number > 1 else ''}.json"
