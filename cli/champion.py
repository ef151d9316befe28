"""`marquee champion`: what serves, or what served at a moment."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.data import arguments
from cli.lake_flags import AsJson, LakeFlag, ModelArgument, WebHdfsFlag, WorldFlag, asked_lake, out
from marquee.artefacts.ledger_entry import Entry
from marquee.clock import refuse_ahead
from marquee.errors import NotFoundError
from marquee.names import iso, parse_moment
from release.bundles import bundle_folder
from release.ledger import Ledger

At = Annotated[
    str, typer.Option(help="A moment, like 2026-01-04T03:00:00Z. Default: now.", show_default=False)
]


def champion(
    model: ModelArgument,
    at: At = "",
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
    as_json: AsJson = False,
) -> None:
    """The bundle that serves, or that served at a moment: a look-up in the ledger.

    Names the bundle's folder in the lake, where its card, evaluation, verdict and report lie.
    """
    with arguments():
        moment = refuse_ahead(parse_moment(at), "--at") if at else None
    opened = asked_lake(lake, webhdfs, data)
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
        out.print(_table(entry, folder))


def _table(entry: Entry, folder: str) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")  # an address is never cut
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
