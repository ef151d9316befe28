"""The flags of commands that read or change a lake: which one, which model, which form."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from marquee.cli.data import settings_for
from marquee.lake import Lake, check_world, open_lake, read_world

ModelArgument = Annotated[
    Literal["recommender", "budget"], typer.Argument(help="Which model.", show_default=False)
]
LakeFlag = Annotated[
    str,
    typer.Option(
        "--lake",
        help="hdfs://host:port/path or file:///path. Default: the settings'.",
        show_default=False,
    ),
]
WebHdfsFlag = Annotated[
    str,
    typer.Option(
        "--webhdfs",
        help="The NameNode's HTTP address, for an hdfs:// lake. Default: the settings'.",
        show_default=False,
    ),
]
WorldFlag = Annotated[
    str,
    typer.Option(
        "--data",
        help="The world you mean, as for `marquee run`; the lake must hold it. Default: the "
        "settings'. A lake named by --lake is taken as it is.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
out = Console(soft_wrap=True, highlight=False)
notes = Console(stderr=True, soft_wrap=True, highlight=False)


def asked_lake(root: str, webhdfs: str, data: str = "") -> Lake:
    """The lake the flags name, else the settings'.

    Raises ConflictError where it holds another world than `data` names, or, where neither `root`
    nor `data` is given, than the settings do. Of a lake that `root` alone names it says, on
    standard error, which world it holds.
    """
    settings = settings_for(data)
    place = settings.lake
    address = ("", "") if root.startswith("file:") else (webhdfs or place.webhdfs, place.user)
    lake = open_lake(root or place.root, *address, drill=place.drill)
    if data or not root:
        check_world(lake, settings.world)
    elif (world := read_world(lake)) is not None:
        notes.print(f"{escape(lake.root)} holds the world '{escape(world.name)}'")
    return lake
