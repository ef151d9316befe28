"""`marquee accept-world`: let a changed world count as the world, once."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.data import arguments
from cli.lake_flags import AsJson, LakeFlag, ModelArgument, WebHdfsFlag, WorldFlag, asked_lake, out
from cli.ledger_head import HeadNumber, Reason, Yes, head_seen, reason_or_ask
from marquee.names import run_name
from release.acceptance import accept_world as accept
from release.acceptance import require_acceptable
from release.ledger import Ledger

Run = Annotated[
    str, typer.Option("--run", help="The run that was refused, as `marquee history` names it.")
]


def accept_world(
    model: ModelArgument,
    run: Run,
    reason: Reason = "",
    head: HeadNumber = None,
    yes: Yes = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Accept the world of a run that the gate refused as another one (condition 5).

    Nothing is promoted by this. The next runs are compared with that run's rows, people, titles
    and distributions instead of the champion's, until one of them is promoted.
    """
    with arguments():
        run_name(run)
    opened = asked_lake(lake, webhdfs, data)
    entries = Ledger(opened, model).whole()
    seen = head_seen(entries, model, head)
    require_acceptable(opened, model, run, entries)
    reason = reason_or_ask(reason)
    if not yes and seen is not None:
        typer.confirm(
            f"The last entry is {seen.number}, {seen.bundle}. Compare later runs of the {model} "
            f"with run {run} instead?",
            abort=True,
        )
    entry = accept(opened, model, run, reason, head=seen)
    if as_json:
        print(json.dumps(entry.to_json()))
    else:
        out.print(f"entry {entry.number}: the world of run {run} is the {model}'s world now")
