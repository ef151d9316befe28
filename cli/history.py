"""`marquee history`: what every run decided, and what a backfill would have promoted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.lake_flags import (
    AsJson,
    EachModelArgument,
    LakeFlag,
    WebHdfsFlag,
    WorldFlag,
    asked_lake,
    out,
)
from marquee.artefacts.inputs import degradation
from marquee.artefacts.verdict import Verdict
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import MODELS, Model
from release.bundles import model_folder
from release.ledger import Ledger
from release.live import live_sentence, read_live
from release.outcome import came_of, last_outcome, promotion_of, read_approval
from release.replay import Replayed, would_have_promoted
from steps.history import decisions

Replay = Annotated[
    bool,
    typer.Option("--replay", help="Backfilled runs only: what would have been promoted when."),
]


def history(
    model: EachModelArgument = None,
    replay: Replay = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Every run's verdict, in as-of order: approved or refused, why, and what came of it.

    Beside it the live record: how the recommender that served did on ratings given since.

    With --replay, the backfilled runs alone, told as if each had been live in its week. Without
    a model both are shown, and --json prints an object of both lists by model.
    """
    opened = asked_lake(lake, webhdfs, data)
    found = {}
    for name in [model] if model else MODELS:
        verdicts = decisions(opened, name)
        found[name] = _replayed(verdicts) if replay else _lived(opened, name, verdicts)
    if as_json:
        print(json.dumps(found[model] if model else found))
        return
    for name, rows in found.items():
        if rows:
            out.print(*([] if model else [f"the {name} model:"]), *map(_block, rows), sep="\n")
        else:
            out.print(f"no {'backfilled ' if replay else ''}run has judged a {name} model yet")


def _lived(lake: Lake, model: Model, verdicts: list[Verdict]) -> list[dict[str, Any]]:
    entries = Ledger(lake, model).entries()

    def row(verdict: Verdict) -> dict[str, Any]:
        run, mine = verdict.subject.run, promotion_of(verdict, entries)
        folder = model_folder(run, model)
        last = last_outcome(lake, folder) if verdict.approved else None
        approval = read_approval(lake, folder) if verdict.needs_approval else None
        return _row(verdict) | {
            "entry": mine.number if mine else None,
            "approved_by": approval.by if approval else None,
            "outcome": came_of(verdict, entries, last, approval),
            "degraded": [str(one) for one in degradation(lake, run)],
            "live": read_live(lake, run) if model == "recommender" else None,
        }

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(row, verdicts))


def _replayed(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    backfilled = [v for v in verdicts if v.subject.run_type == "backfill"]
    return [_told(step) for step in would_have_promoted(backfilled)]


def _told(step: Replayed) -> dict[str, Any]:
    outcome = "would have been promoted" if step.promoted else "would not"
    return _row(step.verdict) | {"promoted": step.promoted, "outcome": outcome}


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "run": verdict.subject.run,
        "run_type": verdict.subject.run_type,
        "as_of": iso(verdict.subject.as_of),
        "approved": verdict.approved,
        "failed": [condition.sentence for condition in verdict.failed],
    }


def _block(row: dict[str, Any]) -> str:
    """A run in lines of its own, its name alone on the first: a table would cut it."""
    word = "[green]approved[/green]" if row["approved"] else "[red]refused[/red]"
    lines = [
        f"[bold]{escape(row['run'])}[/bold]",
        f"as of {row['as_of']}, {row['run_type']}: {word}; {escape(row['outcome'])}",
        *(f"degraded: {escape(one)}" for one in row.get("degraded", ())),
        *(f"why not: {escape(sentence)}" for sentence in row["failed"]),
    ]
    if row.get("live"):
        lines.append(f"what served, on newer ratings: {_live(row['live'])}")
    return "\n    ".join(lines)


def _live(live: dict[str, Any]) -> str:
    said = escape(live_sentence(live))
    return f"[red]{said}[/red]" if live.get("alarm") else said
