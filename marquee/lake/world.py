"""Which world a lake holds: one, named in the root manifest `world.json` by its first load.

Nothing is compared across worlds, so whoever opens a lake for a world makes sure that it is that
one before reading or writing anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from marquee.errors import ConflictError, ContractError, NotFoundError
from marquee.lake.client import Lake

WORLD = "world.json"


@dataclass(frozen=True)
class World:
    """What the root manifest says; of 612d7b6's the name alone."""

    name: str
    drill: bool = False
    """Whether drills may offset the clock and spoil training here."""
    fault: str | None = None
    """What a drill spoils on purpose."""

    def to_json(self) -> dict[str, Any]:
        """The manifest as its file spells it."""
        said = {"format": 1, "world": self.name, "drill": self.drill}
        return said | ({"fault": self.fault} if self.fault else {})


def read_world(lake: Lake) -> World | None:
    """The world of a lake; None before its first load, ContractError where it is no manifest."""
    try:
        data = lake.read_bytes(WORLD)
    except NotFoundError:
        return None
    try:
        value = json.loads(data)
        name, drill, fault = value["world"], value.get("drill", False), value.get("fault")
        sound = isinstance(name, str) and isinstance(drill, bool) and value["format"] == 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ContractError(
            f"{lake.uri(WORLD)} does not say which world the lake holds",
            "restore it from a copy of the lake, or use the version of Marquee that wrote it",
        )
    return World(name, drill, fault if isinstance(fault, str) else None)


def check_world(lake: Lake, name: str) -> World | None:
    """The lake's world, where it is `name` or nothing has been loaded; else a ConflictError."""
    found = read_world(lake)
    if found and found.name != name:
        raise ConflictError(
            f"{lake.root} holds the world '{found.name}', not '{name}'",
            "another world is another root: set lake.root, or name the world you mean",
        )
    return found


def claim_world(lake: Lake, world: World) -> None:
    """Name a new lake's world; ConflictError where the lake holds another, or is no drill's.

    A drill's lake takes the fault the drill asks for now.
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
