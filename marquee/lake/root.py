"""The root of a lake: its address, the world in it, and whether the lake is a drill's.

A lake holds one world. The first load writes the name of the world to the root manifest,
`world.json`. Every task, command and server checks the world first, because data of two worlds are
not comparable.

A new lake with the setting `[lake] drill = true` is a drill's (`world.json`: `"drill": true`). Only
a drill's lake allows an offset clock and training faults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from marquee import clock
from marquee.addresses import check_page, shown
from marquee.errors import ConflictError, ContractError, NotFoundError, SettingsError
from marquee.identifiers import refuse_long
from marquee.lake.folder import FolderLake
from marquee.lake.lake import Lake
from marquee.place_settings import LakeSettings

WORLD = "world.json"
DRILL_FAULTS = ("nan_factors", "torn_bundle", "spoilt_code")
"""Faults of training that a drill may request; `spark_apps/drill.py` makes them."""


@dataclass(frozen=True)
class World:
    """The content of the root manifest; manifests of older releases hold only the name."""

    name: str
    drill: bool = False
    """Whether the lake allows an offset clock and training faults."""
    fault: str | None = None
    """The training fault that the drill requests."""

    def to_json(self) -> dict[str, Any]:
        """The content of `world.json`."""
        manifest = {"format": 1, "world": self.name, "drill": self.drill}
        return manifest | ({"fault": self.fault} if self.fault else {})


def open_lake(
    root: str,
    webhdfs: str = "",
    user: str = "marquee",
    *,
    drill: bool = False,
    replication: int = 0,
) -> Lake:
    """Open the lake at `root`: `hdfs://host:port/path` (with `webhdfs`) or `file:///path`.

    `webhdfs` is the NameNode's HTTP address, `http://host:port`, or several joined by `;`.
    `drill` is the setting `lake.drill`. `replication` is the number of copies of each block; with 0
    HDFS decides. Raises SettingsError where `root` is not an address of this form, or as
    `check_clock`.
    """
    return check_clock(_lake_at(root, webhdfs, user, replication), drill)


def place_lake(
    place: LakeSettings,
    root: str | None = None,
    webhdfs: str | None = None,
    user: str | None = None,
) -> Lake:
    """The lake of a place's settings, but for what is given; see `open_lake`."""
    return open_lake(
        place.root if root is None else root,
        place.webhdfs if webhdfs is None else webhdfs,
        place.user if user is None else user,
        drill=place.drill,
        replication=place.replication,
    )


def check_clock(lake: Lake, drill: bool) -> Lake:
    """The lake itself; SettingsError where the clock is offset and the lake is not a drill's.

    The root manifest decides. For a lake without a root manifest, `drill` decides.
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


def read_world(lake: Lake) -> World | None:
    """The world of a lake; None before the first load.

    Raises ContractError where `world.json` is damaged.
    """
    try:
        data = lake.read_bytes(WORLD)
    except NotFoundError:
        return None
    try:
        value = json.loads(data)
        name, drill, fault = value["world"], value.get("drill", False), value.get("fault")
        is_sound = isinstance(name, str) and isinstance(drill, bool) and value["format"] == 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise ContractError(
            f"{lake.uri(WORLD)} does not say which world the lake holds",
            "restore it from a copy of the lake, or use the version of Marquee that wrote it",
        )
    return World(name, drill, fault if isinstance(fault, str) else None)


def check_world(lake: Lake, name: str) -> World | None:
    """The world of a lake; None before the first load.

    Raises ConflictError where the world has another name than `name`.
    """
    found = read_world(lake)
    if found and found.name != name:
        raise ConflictError(
            f"{lake.root} holds the world '{found.name}', not '{name}'",
            "another world is another root: set lake.root, or name the world you mean",
        )
    return found


def claim_world(lake: Lake, world: World) -> None:
    """Write the root manifest of a new lake, or check the root manifest of an existing lake.

    In a drill's lake the fault of `world` replaces an earlier fault. Raises ConflictError where the
    lake holds another world, or where `world` is a drill's and the lake is not.
    """
    found = check_world(lake, world.name)
    if found and world.drill and not found.drill:
        raise ConflictError(
            f"{lake.root} is not a drill's lake", "make another root with [lake] drill = true"
        )
    if found and found.drill and world.drill and found.fault != world.fault:
        lake.delete(WORLD)
        found = None
    if found is None:
        lake.create_json(WORLD, world.to_json())


def drill_fault(lake: Lake) -> str | None:
    """The training fault that a drill requests; None without a drill."""
    world = read_world(lake)
    fault = world.fault if world and world.drill else None
    return fault if fault in DRILL_FAULTS else None


def _lake_at(root: str, webhdfs: str, user: str, replication: int) -> Lake:
    try:
        parts = urlsplit(root)
    except ValueError:  # brackets that hold no address
        raise _no_lake(root, webhdfs) from None
    refuse_long(parts.path, "the lake's root")
    if parts.scheme == "file" and parts.path not in ("", "/"):
        return FolderLake(root)
    if parts.scheme == "hdfs" and parts.netloc and parts.path not in ("", "/") and webhdfs:
        # The import is here, because a process without HDFS needs no HTTP library.
        from marquee.lake.webhdfs import WebHdfsLake, connect

        try:
            for page in webhdfs.split(";"):
                check_page(page)
        except ValueError:
            raise _no_lake(root, webhdfs) from None
        return WebHdfsLake(root, connect(webhdfs, user), replication=replication)
    raise _no_lake(root, webhdfs)


def _no_lake(root: str, webhdfs: str) -> SettingsError:
    pages = ";".join(map(shown, webhdfs.split(";")))
    return SettingsError(
        f"'{shown(root)}' (WebHDFS '{pages}') is not a lake",
        "give hdfs://host:port/path and the NameNode's http://host:port, or file:///path",
    )
