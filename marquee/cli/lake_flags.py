"""The flags of commands that read or change a lake: which one, which model, which form."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Console

from marquee.lake import Lake, open_lake
from marquee.settings import load_settings

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
out = Console(soft_wrap=True, highlight=False)


def asked_lake(root: str, webhdfs: str) -> Lake:
    """The lake the flags name, else the settings'."""
    settings = load_settings()
    if root.startswith("file:"):
        return open_lake(root, drill=settings.lake.drill)
    return open_lake(
        root or settings.lake.root,
        webhdfs or settings.lake.webhdfs,
        settings.lake.user,
        drill=settings.lake.drill,
    )
