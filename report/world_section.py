"""The two worlds of condition 5 side by side: how many there are, and how they are spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marquee.psi import psi
from release.same_world import Worlds
from release.world import RatingsWorld, TitlesWorld
from report.cells import DASH, figure, share

Side = RatingsWorld | TitlesWorld
SIZES = ("rows", "people", "titles", "films", "mean")


@dataclass(frozen=True)
class Row:
    """One figure, in the champion's world and in this run's."""

    name: str
    then: str
    now: str


@dataclass(frozen=True)
class Spread:
    """One distribution: its PSI, and the share of each class."""

    name: str
    index: str
    classes: list[Row]


@dataclass(frozen=True)
class WorldSection:
    """What the report shows of both worlds."""

    sizes: list[Row]
    missing: list[Row]
    spreads: list[Spread]


def world_section(worlds: Worlds | None, model: str) -> WorldSection | None:
    """None where one of the two worlds is unknown."""
    if worlds is None or worlds.reference is None:
        return None
    name = "titles" if model == "budget" else "ratings"
    now: Side | None = getattr(worlds.challenger, name)
    then: Side | None = getattr(worlds.reference, name)
    if now is None or then is None:
        return None
    return WorldSection(_sizes(now, then), _missing(now, then), _spreads(now, then))


def _sizes(now: Side, then: Side) -> list[Row]:
    found = [(name, getattr(then, name, None), getattr(now, name, None)) for name in SIZES]
    return [
        Row(name, _number(before), _number(after))
        for name, before, after in found
        if (before, after) != (None, None)
    ]


def _missing(now: Side, then: Side) -> list[Row]:
    if isinstance(now, RatingsWorld) or isinstance(then, RatingsWorld):
        return []
    names = dict.fromkeys([*then.missing, *now.missing])
    return [Row(n, share(then.missing.get(n)), share(now.missing.get(n))) for n in names]


def _spreads(now: Side, then: Side) -> list[Spread]:
    names = sorted({*now.counts, *then.counts})
    return [_spread(n, now.counts.get(n, {}), then.counts.get(n, {})) for n in names]


def _spread(name: str, now: Mapping[str, int], then: Mapping[str, int]) -> Spread:
    is_known = any(now.values()) and any(then.values())
    classes = [Row(c, _share(then, c), _share(now, c)) for c in dict.fromkeys([*then, *now])]
    return Spread(name.replace("_", " "), f"{psi(now, then):.3f}" if is_known else DASH, classes)


def _share(counts: Mapping[str, int], one: str) -> str:
    total = sum(counts.values())
    return share(counts.get(one, 0) / total) if total else DASH


def _number(value: float | None) -> str:
    return figure(None if value is None else float(value))
