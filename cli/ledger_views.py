"""Commands that read the ledger and the verdicts: `marquee champion`, `ledger` and `history`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.world_and_lake import (
    EachModelArgument,
    JsonFlag,
    LakeFlag,
    ModelArgument,
    WebHdfsFlag,
    WorldFlag,
    checking_arguments,
    chosen_lake,
    out,
)
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.verdict import Verdict
from marquee.clock import iso, parse_moment, refuse_ahead
from marquee.errors import LedgerError, NotFoundError
from marquee.lake import Lake
from marquee.policy import MODELS, Model
from marquee.run_folder import degraded_tasks, live_sentence, model_folder, read_live
from release.ledger import Ledger, complete_entries
from release.outcomes import last_outcome, outcome_sentence, promotion_of, read_approval
from release.promotion import ReplayedVerdict, bundle_folder, replay_promotions
from steps.unchanged import decisions

AtFlag = Annotated[
    str, typer.Option(help="A moment, like 2026-01-04T03:00:00Z. Default: now.", show_default=False)
]
ReplayFlag = Annotated[
    bool,
    typer.Option("--replay", help="Backfilled runs only: what would have been promoted when."),
]


def champion(
    model: ModelArgument,
    at: AtFlag = "",
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """The bundle that serves, or that served at a moment, from the ledger.

    Prints the bundle's folder in the lake: it has the card, the evaluation, the verdict and the
    report.
    """
    with checking_arguments():
        moment = refuse_ahead(parse_moment(at), "--at") if at else None
    opened = chosen_lake(lake, webhdfs, data)
    history = Ledger(opened, model)
    entry = history.at(moment) if moment else history.head()
    if entry is None:
        when = f" at {at}" if at else " yet"
        raise NotFoundError(
            f"no {model} model served{when}", "promote one: run the weekly DAG, or `make run`"
        )
    folder = opened.uri(bundle_folder(model, entry.bundle))
    if as_json:
        print(json.dumps(entry.to_json() | {"folder": folder}))
    else:
        out.print(_champion_table(entry, folder))


def _champion_table(entry: Entry, folder: str) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")  # fold an address instead of cutting it
    rows = {
        "bundle": entry.bundle,
        "folder": folder,
        "as of": iso(entry.as_of),
        "run": entry.run,
        "recipe": str(entry.recipe.get("name", "")),
        "ledger entry": f"{entry.number} ({entry.kind.replace('_', ' ')}, {iso(entry.at)})",
        "why": entry.reason,
        "hold": "yes: nothing is promoted until it is released" if entry.hold else "no",
        "world": f"that of run {entry.world}, by hand" if entry.world else "its own run's",
    }
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table


def ledger(
    model: ModelArgument,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Every promotion and roll-back, oldest first; the last one names the champion.

    Checks that the entries are linked by their hashes, and that every entry that a run was compared
    with is there. Ends with status 1 where an entry is missing, damaged or changed.
    """
    opened = chosen_lake(lake, webhdfs, data)
    history = Ledger(opened, model)
    problems = history.verify() or _lost(opened, model)
    entries = [] if problems else history.entries()
    if as_json:
        print(json.dumps({"entries": [e.to_json() for e in entries], "problems": problems}))
    elif problems:
        out.print(*(f"[red]broken:[/red] {escape(problem)}" for problem in problems), sep="\n")
    elif not entries:
        out.print(f"nothing has been promoted for the {model} model yet")
    else:
        out.print(*map(_entry_lines, entries), "the chain is whole", sep="\n")
    raise typer.Exit(1 if problems else 0)


def _lost(lake: Lake, model: Model) -> list[str]:
    try:
        complete_entries(lake, model)
    except LedgerError as error:
        return [error.message]
    return []


def _entry_lines(entry: Entry) -> str:
    """An entry as separate lines: a table would cut or fold its names."""
    losses = ", ".join(f"{k} {v:.2%}" for k, v in sorted(entry.losses.items()) if v > 0)
    holds = ", [yellow]holds[/yellow]" if entry.hold else ""
    facts = {"bundle": entry.bundle, "run": entry.run, "losses": losses, "why": entry.reason}
    return "\n    ".join(
        [
            f"[bold]entry {entry.number}[/bold], {iso(entry.at)}: "
            f"{entry.kind.replace('_', ' ')}{holds}",
            *(f"{name:6}  {escape(value)}" for name, value in facts.items() if value),
        ]
    )


def history(
    model: EachModelArgument = None,
    replay: ReplayFlag = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Every run's verdict, in as-of order: approved or refused, why, and its outcome.

    Also shows the live record: the error of the serving recommender on ratings given since.

    With --replay, shows only the backfilled runs, as if each had been live in its week. Without
    a model, shows both models; --json then prints an object with one list by model.
    """
    opened = chosen_lake(lake, webhdfs, data)
    found = {}
    for name in [model] if model else MODELS:
        verdicts = decisions(opened, name)
        found[name] = _replay_rows(verdicts) if replay else _live_rows(opened, name, verdicts)
    if as_json:
        print(json.dumps(found[model] if model else found))
        return
    for name, rows in found.items():
        if rows:
            out.print(*([] if model else [f"the {name} model:"]), *map(_run_lines, rows), sep="\n")
        else:
            out.print(f"no {'backfilled ' if replay else ''}run has judged a {name} model yet")


def _live_rows(lake: Lake, model: Model, verdicts: list[Verdict]) -> list[dict[str, Any]]:
    entries = Ledger(lake, model).entries()

    def row(verdict: Verdict) -> dict[str, Any]:
        run, mine = verdict.subject.run, promotion_of(verdict, entries)
        folder = model_folder(run, model)
        last = last_outcome(lake, folder) if verdict.approved else None
        approval = read_approval(lake, folder) if verdict.needs_approval else None
        return _row(verdict) | {
            "entry": mine.number if mine else None,
            "approved_by": approval.by if approval else None,
            "outcome": outcome_sentence(verdict, entries, last, approval),
            "degraded": [str(one) for one in degraded_tasks(lake, run)],
            "live": read_live(lake, run) if model == "recommender" else None,
        }

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(row, verdicts))


def _replay_rows(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    backfilled = [v for v in verdicts if v.subject.run_type == "backfill"]
    return [_replay_row(step) for step in replay_promotions(backfilled)]


def _replay_row(step: ReplayedVerdict) -> dict[str, Any]:
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


def _run_lines(row: dict[str, Any]) -> str:
    """A run as separate lines, with its name alone on the first: a table would cut the name."""
    word = "[green]approved[/green]" if row["approved"] else "[red]refused[/red]"
    lines = [
        f"[bold]{escape(row['run'])}[/bold]",
        f"as of {row['as_of']}, {row['run_type']}: {word}; {escape(row['outcome'])}",
        *(f"degraded: {escape(one)}" for one in row.get("degraded", ())),
        *(f"why not: {escape(sentence)}" for sentence in row["failed"]),
    ]
    if row.get("live"):
        lines.append(f"what served, on newer ratings: {_live_sentence(row['live'])}")
    return "\n    ".join(lines)


def _live_sentence(live: dict[str, Any]) -> str:
    sentence = escape(live_sentence(live))
    return f"[red]{sentence}[/red]" if live.get("alarm") else sentence
