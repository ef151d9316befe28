"""The lake: one client, two roots (HDFS and a folder), everything whole or not at all."""

from __future__ import annotations

from urllib.parse import urlsplit

from marquee import clock
from marquee.errors import SettingsError
from marquee.lake.client import STAGING, Lake, Leaf
from marquee.lake.folder import FolderLake
from marquee.lake.manifest import Manifest
from marquee.lake.webhdfs import WebHdfsLake, connect
from marquee.lake.world import World, check_world, claim_world, read_world
from marquee.names import refuse_long


def open_lake(root: str, webhdfs: str = "", user: str = "marquee", *, drill: bool = False) -> Lake:
    """Open the lake at `root`: `hdfs://host:port/path` (with `webhdfs`) or `file:///path`.

    `webhdfs` is the NameNode's HTTP address, `http://host:port`; several are joined by `;`.
    `drill` is the setting `lake.drill`: see `check_clock`.
    """
    return check_clock(_lake_at(root, webhdfs, user), drill)


def check_clock(lake: Lake, drill: bool) -> Lake:
    """The lake itself; SettingsError where the clock is offset and it is not a drill's.

    Its root manifest decides. Where there is none yet, `drill` does: whoever makes the lake says
    in the settings that it is to be a drill's.
    """
    if not clock.offset():
        return lake
    world = read_world(lake)
    if not (world.drill if world else drill):
        raise SettingsError(
            f"the clock is offset by {clock.OFFSET}, and {lake.root} is not a drill's lake",
            f"unset {clock.OFFSET}, or make a new lake with [lake] drill = true",
        )
    return lake


def _lake_at(root: str, webhdfs: str, user: str) -> Lake:
    parts = urlsplit(root)
    refuse_long(parts.path, "the lake's root")
    if parts.scheme == "file" and parts.path not in ("", "/"):
        return FolderLake(root)
    if parts.scheme == "hdfs" and parts.netloc and parts.path not in ("", "/") and webhdfs:
        return WebHdfsLake(root, connect(webhdfs, user))
    raise SettingsError(
        f"'{root}' (WebHDFS '{webhdfs}') is not a lake",
        "give hdfs://host:port/path and the NameNode's http://host:port, or file:///path",
    )


__all__ = [
    "STAGING",
    "FolderLake",
    "Lake",
    "Leaf",
    "Manifest",
    "WebHdfsLake",
    "World",
    "check_clock",
    "check_world",
    "claim_world",
    "manifest",
    "open_lake",
    "read_world",
    "webhdfs",
]
