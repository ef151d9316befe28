"""The world a model was trained on, in the figures its run's preparations recorded.

`runs/R/data/ratings.json` and `titles.json` hold them; a promoted bundle keeps both beside it as
`data.json`. A champion of an earlier release has neither: its card then says how many rows,
people and titles it was trained on, and what it does not say is not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, FiniteFloat, ValidationError

from marquee.artefacts.document import Document, Share, Size
from marquee.artefacts.formats import unread
from marquee.artefacts.ledger_entry import Entry
from marquee.errors import NotFoundError
from marquee.lake import Lake
from release.bundles import DATA, bundle_folder, world_files

D = TypeVar("D", bound=Document)

FORMATS = {"ratings": 1, "titles": 2}
"""The newest format of each document that this release knows."""
Counts = Mapping[str, Mapping[str, Size]]


class RatingsWorld(Document):
    """The ratings after merging, before they are split."""

    rows: Size | None = None
    people: Size | None = None
    titles: Size | None = None
    mean: FiniteFloat | None = None
    counts: Counts = Field(default_factory=dict)
    """By distribution (`stars`, `activity`): how many in each class."""


class TitlesWorld(Document):
    """The prepared titles; `films` are those with all that the budget model needs."""

    rows: Size | None = None
    films: Size | None = None
    missing: Mapping[str, Share] = Field(default_factory=dict)
    """By column: the share of titles without it."""
    counts: Counts = Field(default_factory=dict)
    """By distribution (`decade`, `genre`, `budget_class`): how many films in each class."""


class World(Document):
    """Both, of one run; None where the run recorded none, or nothing that can be read."""

    ratings: RatingsWorld | None = None
    titles: TitlesWorld | None = None
    unread: Mapping[str, str] = Field(default_factory=dict)
    """By document: why its format lets nothing be read, and what to do."""


NOTHING = World()


def world_of_run(lake: Lake, run: str) -> World:
    """What the preparations of a run recorded."""
    return read_world({name: _json(lake, path) for name, path in world_files(run).items()})


def world_of_entry(lake: Lake, model: str, entry: Entry) -> World:
    """What the bundle of a ledger entry was trained on, or the world accepted in its place."""
    if entry.world:
        return world_of_run(lake, entry.world)
    folder = bundle_folder(model, entry.bundle)
    kept = read_world(_json(lake, f"{folder}/{DATA}"))
    found = kept if kept != NOTHING else world_of_run(lake, entry.run)
    return _filled(found, model, _json(lake, f"{folder}/card.json"))


def read_world(value: Any) -> World:
    """The two documents, each by itself: one that cannot be read is None."""
    table = value if isinstance(value, Mapping) else {}
    given = {name: table[name] for name in FORMATS if isinstance(table.get(name), Mapping)}
    why = {name: unread(one, FORMATS[name]) for name, one in given.items()}
    known = {name: one for name, one in given.items() if not why[name]}
    return World(
        ratings=_parsed(RatingsWorld, known.get("ratings")),
        titles=_parsed(TitlesWorld, known.get("titles")),
        unread={name: said for name, said in why.items() if said},
    )


def _filled(world: World, model: str, card: Any) -> World:
    """The sizes a card tells, where the run recorded none; what has an unknown format stays so."""
    name = "titles" if model == "budget" else "ratings"
    if getattr(world, name) or name in world.unread or not card:
        return world
    if name == "titles":
        told = _parsed(TitlesWorld, {"films": _of(card, "titles")})
        return world.model_copy(update={"titles": told})
    sizes = {key: _of(card, key) for key in ("rows", "people", "titles")}
    return world.model_copy(update={"ratings": _parsed(RatingsWorld, sizes)})


def _of(card: Any, key: str) -> Any:
    return card.get(key) if isinstance(card, Mapping) else None


def _parsed(kind: type[D], value: Any) -> D | None:
    try:
        return kind.model_validate(value) if isinstance(value, Mapping) else None
    except (ValidationError, RecursionError):
        return None


def _json(lake: Lake, path: str) -> Any:
    try:
        return lake.read_json(path)
    except (NotFoundError, ValueError, RecursionError):
        return None
