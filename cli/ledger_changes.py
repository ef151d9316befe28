"""Changes of a ledger by hand: `marquee rollback` and `marquee accept-world`.

Both commands refuse where another entry was written after the last one that the person saw.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.world_and_lake import (
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
from marquee.errors import HeadMovedError, PromotionRefusedError
from marquee.identifiers import run_name
from release.ledger import Ledger
from release.manual_entries import accept_world as accept
from release.manual_entries import (
    release_hold,
    require_acceptable,
    require_hold,
    roll_back,
    rollback_target,
)

HeadFlag = Annotated[
    int | None,
    typer.Option(
        "--head",
        min=1,
        help="The last entry you saw; refused if another was written since. Default: the last.",
    ),
]
ReasonFlag = Annotated[
    str,
    typer.Option(
        help="One sentence; it is kept in the ledger for good. Default: you are asked.",
        show_default=False,
    ),
]
YesFlag = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ToFlag = Annotated[
    int | None,
    typer.Option(
        min=1, help="The ledger entry to go back to. Default: what served before the champion."
    ),
]
HoldFlag = Annotated[bool, typer.Option("--hold", help="Promote nothing until --release.")]
ReleaseFlag = Annotated[bool, typer.Option("--release", help="Release a hold; the champion stays.")]
RunFlag = Annotated[
    str, typer.Option("--run", help="The run that was refused, as `marquee history` names it.")
]


def rollback(
    model: ModelArgument,
    reason: ReasonFlag = "",
    to: ToFlag = None,
    hold: HoldFlag = False,
    release: ReleaseFlag = False,
    head: HeadFlag = None,
    yes: YesFlag = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Let an earlier bundle serve again. Serving follows within seconds, without a restart.

    A roll-back adds an entry to the ledger and deletes nothing; it can itself be rolled back. The
    next weekly run may promote again. With --hold, weekly runs train and judge but promote nothing,
    until `marquee rollback MODEL --release`. An earlier hold is kept. The command refuses where
    another entry was written after the last one that you saw.
    """
    with checking_arguments():
        if release and (hold or to is not None):
            raise PromotionRefusedError("--release goes with neither --to nor --hold")
    opened = chosen_lake(lake, webhdfs, data)
    entries = Ledger(opened, model).linked_entries()
    seen = _head_seen(entries, model, head)
    if release:
        require_hold(model, entries)  # an error comes before the question for a reason
        entry = release_hold(opened, model, _reason_or_ask(reason), head=seen)
    else:
        target = rollback_target(model, entries, to)
        reason = _reason_or_ask(reason)
        if not yes:
            _confirm(entries[-1], target, hold)
        entry = roll_back(opened, model, target.number, reason, hold, head=seen)
    if as_json:
        print(json.dumps(entry.to_json()))
    else:
        then = "; nothing is promoted until --release" if entry.hold else ""
        out.print(f"entry {entry.number}: the {model} serves {entry.bundle}{then}")


def _confirm(head: Entry, target: Entry, hold: bool) -> None:
    and_hold = ", and hold promotions" if hold else ""
    typer.confirm(
        f"Entry {head.number} is the last. Serve {target.bundle} of entry {target.number} "
        f"instead of {head.bundle}{and_hold}?",
        abort=True,
    )


def accept_world(
    model: ModelArgument,
    run: RunFlag,
    reason: ReasonFlag = "",
    head: HeadFlag = None,
    yes: YesFlag = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Accept changed data: the gate refused this run because of them (condition 5, same world).

    The champion stays. Until the next promotion, runs are compared with the rows, people, titles
    and distributions of the accepted run instead of the champion's.
    """
    with checking_arguments():
        run_name(run)
    opened = chosen_lake(lake, webhdfs, data)
    entries = Ledger(opened, model).linked_entries()
    seen = _head_seen(entries, model, head)
    require_acceptable(opened, model, run, entries)
    reason = _reason_or_ask(reason)
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


def _reason_or_ask(reason: str) -> str:
    """The reason given, else the person's answer to a question."""
    return reason or str(typer.prompt("Why"))


def _head_seen(entries: Sequence[Entry], model: str, number: int | None) -> Entry | None:
    """The last entry; HeadMovedError where `number` is given and names another one."""
    last = entries[-1] if entries else None
    if number is not None and (last is None or last.number != number):
        stands = f"at entry {last.number}" if last else "empty"
        raise HeadMovedError(
            f"the ledger of the {model} is {stands}, not at entry {number} as you saw it",
            f"look at it again, then decide: marquee ledger {model}",
        )
    return last
