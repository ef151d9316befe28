"""`marquee rollback`: let an earlier bundle serve again, or release the hold of a roll-back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli.data import arguments
from cli.lake_flags import AsJson, LakeFlag, ModelArgument, WebHdfsFlag, WorldFlag, asked_lake, out
from cli.ledger_head import HeadNumber, Reason, Yes, head_seen, reason_or_ask
from marquee.artefacts.ledger_entry import Entry
from marquee.errors import PromotionRefusedError
from release.ledger import Ledger
from release.rollback import held, release_hold, roll_back, target_of

To = Annotated[
    int | None,
    typer.Option(
        min=1, help="The ledger entry to go back to. Default: what served before the champion."
    ),
]
Hold = Annotated[bool, typer.Option("--hold", help="Promote nothing until --release.")]
Release = Annotated[bool, typer.Option("--release", help="Release a hold; the champion stays.")]


def rollback(
    model: ModelArgument,
    reason: Reason = "",
    to: To = None,
    hold: Hold = False,
    release: Release = False,
    head: HeadNumber = None,
    yes: Yes = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """Let an earlier bundle serve again. Serving follows within seconds, without a restart.

    Nothing is deleted: a roll-back is one more entry of the ledger, and can itself be rolled
    back. With --hold, weekly runs go on training and judging but promote nothing, until
    `marquee rollback MODEL --release`; a hold that stands already stays. The entry is written
    only after the one you saw as the last: were another written meanwhile, this is refused.
    """
    with arguments():
        if release and (hold or to is not None):
            raise PromotionRefusedError("--release goes with neither --to nor --hold")
    opened = asked_lake(lake, webhdfs, data)
    entries = Ledger(opened, model).whole()
    seen = head_seen(entries, model, head)
    if release:
        held(model, entries)  # before anybody is asked why
        entry = release_hold(opened, model, reason_or_ask(reason), head=seen)
    else:
        target = target_of(model, entries, to)
        reason = reason_or_ask(reason)
        if not yes:
            _ask(entries[-1], target, hold)
        entry = roll_back(opened, model, target.number, reason, hold, head=seen)
    if as_json:
        print(json.dumps(entry.to_json()))
    else:
        then = "; nothing is promoted until --release" if entry.hold else ""
        out.print(f"entry {entry.number}: the {model} serves {entry.bundle}{then}")


def _ask(head: Entry, target: Entry, hold: bool) -> None:
    held = ", and hold promotions" if hold else ""
    typer.confirm(
        f"Entry {head.number} is the last. Serve {target.bundle} of entry {target.number} "
        f"instead of {head.bundle}{held}?",
        abort=True,
    )
