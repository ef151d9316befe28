"""The flags of commands that read or change a lake: which one, which model, which form."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.data import notes, running_settings, the_running, world_of, worlds
from local_stack.stack import place_locally
from marquee.errors import StackError
from marquee.lake import Lake, check_world, open_lake, read_world
from marquee.policy import Model
from marquee.settings import Settings, load_settings
from sources.releases import RELEASES

ModelArgument = Annotated[Model, typer.Argument(help="Which model.", show_default=False)]
EachModelArgument = Annotated[
    Model | None,
    typer.Argument(help="Which model. Default: both.", show_default=False),
]
LakeFlag = Annotated[
    str,
    typer.Option(
        "--lake",
        help="hdfs://host:port/path or file:///path. Default: the running stack's, else "
        "the settings'.",
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
        help="The world you mean: its name, or its folder as for `marquee run`; the lake must hold "
        "it. Default: that of the running stack. A lake named by --lake is taken as it is.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
out = Console(soft_wrap=True, highlight=False)


def asked_lake(root: str, webhdfs: str, data: str = "") -> Lake:
    """The lake the flags name, else that of the running stack, else the settings'.

    Raises ConflictError where it holds another world than `data` names, or, where neither `root`
    nor `data` is given, than the stack or the settings do; StackError where the lake is a local
    stack's and none runs. Of a lake that `root` alone names it says, on standard error, which world
    it holds.
    """
    settings = place_locally(load_settings())
    world = world_of(data, settings) if data else settings.world
    if not root and is_local(settings) and not os.environ.get("MARQUEE_LAKE__ROOT"):
        if found := the_running(data):
            settings, world = running_settings(found), found.world
        else:
            raise _stopped(settings, world)
    place = settings.lake
    address = ("", "") if root.startswith("file:") else (webhdfs or place.webhdfs, place.user)
    lake = open_lake(root or place.root, *address, drill=place.drill)
    if data or not root:
        check_world(lake, world)
    elif (named := read_world(lake)) is not None:
        notes.print(f"{escape(lake.root)} holds the world '{escape(named.name)}'")
    return lake


def is_local(settings: Settings) -> bool:
    """Whether the lake is that of a stack on this machine."""
    return settings.lake.root.startswith("hdfs://127.0.0.1:")


def _stopped(settings: Settings, world: str) -> StackError:
    """That no stack of ours runs: what else answers at its address may be anybody's lake."""
    known, folder = worlds(settings), world if world in RELEASES else "FOLDER"
    flags = "" if world == settings.world else f" --data {folder}"
    here = f" (worlds with a state here: {', '.join(known)})" if known else ""
    return StackError(
        f"no stack runs, so the lake of the world '{world}' cannot be read{here}",
        f"start it with `marquee up{flags}`, or name a lake with --lake",
    )
