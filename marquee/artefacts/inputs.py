"""`runs/R/inputs.json`: what one run reads, and what its form requested.

`freeze_inputs` writes it once; every later task of the run reads it. Format 1 lacks `own`,
`interval_seconds` and `frozen_at` and is still read: the run's own snapshots are those whose
folder bears its name, and the interval is a week, which every schedule had then.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from marquee.artefacts.document import Document, Moment, NewerFormatError, read_document
from marquee.artefacts.model_card import Degraded
from marquee.artefacts.verdict import RunType
from marquee.errors import ContractError
from marquee.identifiers import canonical_json, inside
from marquee.policy import POLICIES, Model, Promote, Search

FORMAT: Final = 2
WEEK = 7 * 24 * 3600
STARS = (0.5, 5.0)
"""MovieLens' scale, for older runs that name none."""


LakePath = Annotated[str, AfterValidator(lambda path: inside(path, "an input"))]
"""Relative to the lake's root, and inside it."""


class RatingsInput(Document):
    """The ratings release this run reads."""

    path: LakePath
    digest: str
    rows: int = 0
    last_time: int = 0
    """UTC seconds of the last valid rating."""
    scale: tuple[float, float] = STARS
    text_ids: tuple[Literal["users", "titles"], ...] = ()
    """Which ids the release writes as text instead of whole numbers."""


class FeedbackInput(Document):
    """A sealed segment of ratings given through the API."""

    path: LakePath
    digest: str
    said_by: Moment | None = None
    """When a run first froze the segment, where its lines claim a later time than that."""


class TitlesInput(Document):
    """A snapshot of titles; `prepare_titles` decides which of its pages were known at as-of."""

    path: LakePath
    digest: str
    as_of: Moment
    """The fetch time of pages that name none: when the snapshot was loaded, or, for snapshots
    older than `loaded_at`, the as-of of the run that loaded it."""
    loaded_at: Moment | None = None
    own: bool = False
    """Whether this run fetched it."""


class EarlierTitles(Document):
    """Titles that an earlier run prepared, for a run that cannot prepare its own."""

    path: LakePath
    digest: str


class ChampionInput(Document):
    """The champion when the inputs were frozen (of a backfill: at its as-of)."""

    number: int
    digest: str
    """sha256 of the ledger entry."""
    bundle: str
    recipe: dict[str, Any]
    code: str


class ModelInputs(Document):
    """What the run trains for one model, and what it compares the result with."""

    recipes: tuple[dict[str, Any], ...]
    policy: dict[str, float]
    fingerprint: str
    unchanged_since: str | None = None
    """The run that decided on the same fingerprint; the model's tasks are then skipped."""
    champion: ChampionInput | None = None


class Inputs(Document):
    """The content of `inputs.json`."""

    format: Literal[2] = FORMAT
    world: str
    run: str
    run_type: RunType
    as_of: Moment
    """The run reads only what is older."""
    frozen_at: Moment | None = None
    """When the document was written; None in format 1."""
    interval_seconds: int = Field(default=WEEK, gt=0)
    """Length of the schedule's interval at as-of."""
    ratings: RatingsInput
    feedback: tuple[FeedbackInput, ...] = ()
    titles: tuple[TitlesInput, ...] = ()
    earlier_titles: EarlierTitles | None = None
    """The newest good ones before as-of, which the recommender uses where `prepare_titles`
    fails."""
    degraded: tuple[Degraded, ...] = ()
    """Tasks that failed before the freeze."""
    search: Search
    promote: Promote
    force: bool = False
    seed: int
    code: str
    models: dict[Model, ModelInputs]

    @field_validator("models")
    @classmethod
    def _every_model(cls, models: dict[Model, ModelInputs]) -> dict[Model, ModelInputs]:
        if missing := POLICIES.keys() - models.keys():
            raise ValueError(f"the {' and '.join(sorted(missing))} is missing")
        return models

    @property
    def interval(self) -> timedelta:
        """The schedule's interval at as-of."""
        return timedelta(seconds=self.interval_seconds)

    def to_json(self) -> dict[str, Any]:
        """The content of the file as JSON."""
        return self.model_dump(mode="json")

    def to_bytes(self) -> bytes:
        """The content of the file."""
        return canonical_json(self.to_json())


def read_inputs(data: bytes, where: str = "inputs.json") -> Inputs:
    """The inputs from their file; ContractError where they cannot be read."""
    try:
        return read_document(Inputs, _upgraded(data), FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{where}: {error}", "update this release") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ContractError(
            f"{where} cannot be used: {type(error).__name__} {error}",
            "freeze the inputs again, in a new run",
        ) from None


def is_own(path: str, run: str) -> bool:
    """Whether the snapshot `raw/titles/as_of=T/run=R` (or a `-partN` of it) belongs to `run`."""
    name = path.rsplit("/", 1)[-1]
    if not name.startswith(f"run={run}"):
        return False
    return re.fullmatch(r"(-part[0-9]+)?", name.removeprefix(f"run={run}")) is not None


def _upgraded(data: bytes) -> bytes:
    """Format 1 as format 2; every other format unchanged."""
    value = json.loads(data)
    if value["format"] != 1:
        return data
    titles = [{**one, "own": is_own(one["path"], value["run"])} for one in value["titles"]]
    return json.dumps({**value, "format": FORMAT, "titles": titles}).encode()
