"""What a person saw of a ledger when they decided: the flags, and the entry behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from marquee.artefacts.ledger_entry import Entry
from marquee.errors import HeadMovedError

HeadNumber = Annotated[
    int | None,
    typer.Option(
        "--head",
        min=1,
        help="The last entry you saw; refused if another was written since. Default: the last.",
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        help="One sentence; it is kept in the ledger for good. Default: you are asked.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def reason_or_ask(reason: str) -> str:
    """The reason given, else the person's answer; ask only what can be done at all."""
    return reason or str(typer.prompt("Why"))


def head_seen(entries: Sequence[Entry], model: str, number: int | None) -> Entry | None:
    """The last entry, which must be `number` where one is given; HeadMovedError otherwise."""
    last = entries[-1] if entries else None
    if number is not None and (last is None or last.number != number):
        stands = f"at entry {last.number}" if last else "empty"
        raise HeadMovedError(
            f"the ledger of the {model} is {stands}, not at entry {number} as you saw it",
            f"look at it again, then decide: marquee ledger {model}",
        )
    return last
