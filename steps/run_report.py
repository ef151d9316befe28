"""report: the document of one run, with what came of each model; the last task writes it.

`marquee run` shows it at the end of a run. A run that is cleared reports again, in a new file.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from broker.feedback_topic import taken_by
from marquee.clock import iso, now
from marquee.errors import ConflictError, NotFoundError
from marquee.identifiers import canonical_json
from marquee.lake import Lake
from marquee.policy import MODELS, Model
from marquee.run_folder import (
    degraded_tasks,
    forecast_sentence,
    inputs_of,
    live_sentence,
    model_folder,
    read_forecast,
    read_live,
)
from release.ledger import Ledger
from release.outcomes import (
    last_outcome,
    outcome_sentence,
    promotion_of,
)
from steps.publish_documents import read_note
from steps.release_model import approval_of, verdict_of
from steps.run import Run, why_skip


def report(run: Run) -> dict[str, Any]:
    """Write `report.json` and print the outcome for each model.

    A cleared run reports again. A changed report gets the name `report-2.json`, `report-3.json` and
    so on. `read_report` reads the latest report.
    """
    outcomes = {model: outcome(run, model) for model in MODELS}
    degraded = [str(one) for one in degraded_tasks(run.lake, run.id)]
    value = {
        "run": run.id,
        "run_type": run.run_type,
        "as_of": iso(run.as_of),
        "written_at": iso(now()),
        "models": outcomes,
        "degraded": degraded,
        "live": read_live(run.lake, run.id),
        "forecast": forecast_sentence(read_forecast(run.lake, run.id)),
        "documents": read_note(run.lake, run.id),
    }
    if over_topic := _over_topic(run):
        value["feedback"] = over_topic
    _write_report(run, value)
    for lost in degraded:
        print(f"degraded: {lost}", flush=True)
    for model in MODELS:
        print(f"{model}: {outcomes[model]['sentence']}", flush=True)
    print(f"forecast: {value['forecast']}", flush=True)
    if value["documents"]:
        print(f"documents: {value['documents']}", flush=True)
    if value["live"]:
        print(f"live record: {live_sentence(value['live'])}", flush=True)
    if over_topic:
        print(f"feedback: {over_topic}", flush=True)
    return value


def outcome(run: Run, model: Model) -> dict[str, Any]:
    """The outcome for one model: a sentence, and the number of the ledger entry if promoted."""
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
    last = last_outcome(run.lake, model_folder(run.id, model))
    promotion = promotion_of(verdict, entries)
    return {
        "sentence": f"{verdict.headline} {outcome_sentence(verdict, entries, last, approval)}",
        "approved": verdict.approved,
        "approved_by": approval.by if approval else None,
        "promoted": promotion.number if promotion else None,
        "reasons": [c.sentence for c in verdict.failed],
    }


def _over_topic(run: Run) -> str:
    """What this run took from the feedback topic; "" where nothing came."""
    try:
        paths = [one.path for one in inputs_of(run.lake, run.id).feedback]
    except NotFoundError:
        return ""
    taken = taken_by(run.lake, paths, run.id)
    return str(taken) if taken.segments else ""


def read_report(lake: Lake, run: str) -> dict[str, Any]:
    """The latest report of a run; NotFoundError where it has none."""
    found: dict[str, Any] = lake.read_json((_reports(lake, run) or [_report_path(run, 1)])[-1])
    return found


def _write_report(run: Run, value: dict[str, Any]) -> None:
    written = _reports(run.lake, run.id)
    last = run.lake.read_json(written[-1]) if written else {}
    if last | {"written_at": ""} != json.loads(canonical_json(value | {"written_at": ""})):
        with suppress(ConflictError):  # another attempt has written this report
            run.lake.create_json(_report_path(run.id, len(written) + 1), value)


def _reports(lake: Lake, run: str) -> list[str]:
    """The paths of a run's reports, oldest first."""
    found = (re.fullmatch(r"report(?:-(\d+))?\.json", name) for name in lake.names(f"runs/{run}"))
    return [_report_path(run, n) for n in sorted(int(match[1] or 1) for match in found if match)]


def _report_path(run: str, number: int) -> str:
    return f"runs/{run}/report{f'-{number}' if number > 1 else ''}.json"
