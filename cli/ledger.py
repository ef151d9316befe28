"""`marquee ledger`: a model's promotions and roll-backs, and whether their chain is whole."""

from __future__ import annotations

import json

import typer
from rich.markup import escape

from cli.lake_flags import AsJson, LakeFlag, ModelArgument, WebHdfsFlag, WorldFlag, asked_lake, out
from marquee.artefacts.ledger_entry import Entry
from marquee.errors import LedgerError
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import Model
from release.ledger import Ledger
from release.witness import standing_entries


def ledger(
    model: ModelArgument,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Every promotion and roll-back, oldest first; the last one names the champion.

    Checks the hash chain over all entries on the way, and that no entry is lost which a run was
    compared with; ends with status 1 where an entry is missing, damaged or was changed after it
    was written.
    """
    opened = asked_lake(lake, webhdfs, data)
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
        out.print(*map(_block, entries), "the chain is whole", sep="\n")
    raise typer.Exit(1 if problems else 0)


def _lost(lake: Lake, model: Model) -> list[str]:
    try:
        standing_entries(lake, model)
    except LedgerError as error:
        return [error.message]
    return []


def _block(entry: Entry) -> str:
    """An entry in lines of its own, so that no name is cut or folded at any width."""
    losses = ", ".join(f"{k} {v:.2%}" for k, v in sorted(entry.losses.items()) if v > 0)
    holds = ", [yellow]holds[/yellow]" if entry.hold else ""
    said = {"bundle": entry.bundle, "run": entry.run, "losses": losses, "why": entry.reason}
    return "\n    ".join(
        [
            f"[bold]entry {entry.number}[/bold], {iso(entry.at)}: "
            f"{entry.kind.replace('_', ' ')}{holds}",
            *(f"{name:6}  {escape(value)}" for name, value in said.items() if value),
        ]
    )
