"""`marquee rollback`: let an earlier bundle serve again, or release the hold of a roll-back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from marquee.cli.lake_flags import (
    AsJson,
    LakeFlag,
    ModelArgument,
    WebHdfsFlag,
    WorldFlag,
    asked_lake,
    out,
)
from marquee.errors import PromotionRefusedError
from marquee.release.entry import Entry
from marquee.release.ledger import Ledger
from marquee.release.rollback import release_hold, roll_back, target_of

To = Annotated[
    int | None,
    typer.Option(
        min=1, help="The ledger entry to go back to. Default: what served before the champion."
    ),
]
Reason = Annotated[
    str, typer.Option(prompt="Why", help="One sentence; it is kept in the ledger for good.")
]
Hold = Annotated[bool, typer.Option("--hold", help="Promote nothing until --release.")]
Release = Annotated[bool, typer.Option("--release", help="Release a hold; the champion stays.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def rollback(
    model: ModelArgument,
    reason: Reason,
    to: To = None,
    hold: Hold = False,
    release: Release = False,
    yes: Yes = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Let an earlier bundle serve again. Serving follows within seconds, without a restart.

    Nothing is deleted: a roll-back is one more entry of the ledger, and can itself be rolled
    back. With --hold, weekly runs go on training and judging but promote nothing, until
    `marquee rollback MODEL --release`.
    """
    opened = asked_lake(lake, webhdfs, data)
    if release and (hold or to is not None):
        raise PromotionRefusedError("--release goes with neither --to nor --hold")
    if release:
        entry = release_hold(opened, model, reason)
    else:
        entries = Ledger(opened, model).whole()
        target = target_of(model, entries, to)
        if not yes:
            _ask(entries[-1], target, hold)
        entry = roll_back(opened, model, target.number, reason, hold)
    if as_json:
        print(json.dumps(entry.to_json()))
    else:
        held = "; nothing is promoted until --release" if entry.hold else ""
        out.print(f"entry {entry.number}: the {model} serves {entry.bundle}{held}")


def _ask(head: Entry, target: Entry, hold: bool) -> None:
    held = ", and hold promotions" if hold else ""
    typer.confirm(f"Serve {target.bundle} instead of {head.bundle}{held}?", abort=True)
