"""`runs/R/inputs.json`: what one run reads and was asked for, typed, written and read here alone.

Format 2. Format 1, without `own`, `interval_seconds` and `frozen_at`, still reads: the run's own
snapshots are those its name is on, and the interval is the week every schedule then had.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from marquee.artefacts.card import Degraded, read_card
from marquee.artefacts.document import Document, Moment, read_document
from marquee.artefacts.formats import NewerFormatError
from marquee.artefacts.subject import Promote, RunType
from marquee.digest import canonical_json
from marquee.errors import ContractError, NotFoundError
from marquee.lake import Lake
from marquee.names import inside
from marquee.policy import POLICIES, Model

FORMAT: Final = 2
WEEK = 7 * 24 * 3600
STARS = (0.5, 5.0)
"""MovieLens' scale, where an older run names no other."""


LakePath = Annotated[str, AfterValidator(lambda path: inside(path, "an input"))]
"""Relative to the lake's root, and inside it."""


class RatingsInput(Document):
    """The ratings release this run reads."""

    path: LakePath
    digest: str
    rows: int = 0
    last_time: int = 0
    """UTC seconds of the last sound rating."""
    scale: tuple[float, float] = STARS
    text_ids: tuple[Literal["users", "titles"], ...] = ()
    """Which ids the release writes as text instead of whole numbers."""


class FeedbackInput(Document):
    """A sealed segment of ratings given through the API."""

    path: LakePath
    digest: str
    said_by: Moment | None = None
    """Where its lines seem to be said after the freeze: when a run first froze it."""


class TitlesInput(Document):
    """A snapshot of titles; which of its pages were known at as-of, `prepare_titles` decides."""

    path: LakePath
    digest: str
    as_of: Moment
    """The moment of a page that does not say when it was fetched: the snapshot's load, or, of
    snapshots older than `loaded_at`, the as-of of the run that loaded it."""
    loaded_at: Moment | None = None
    own: bool = False
    """Whether this very run brought it home."""


class EarlierTitles(Document):
    """Titles that an earlier run prepared, for a run whose own cannot be."""

    path: LakePath
    digest: str


class ChampionInput(Document):
    """What served when the inputs were frozen: the ledger's head (of a backfill, at as-of)."""

    number: int
    digest: str
    """sha256 of the ledger entry."""
    bundle: str
    recipe: dict[str, Any]
    code: str


class ModelInputs(Document):
    """What one model of the run was asked for, and what it is compared with."""

    recipes: tuple[dict[str, Any], ...]
    policy: dict[str, float]
    fingerprint: str
    unchanged_since: str | None = None
    """The run whose settled decision had the same fingerprint; the model's tasks are skipped."""
    champion: ChampionInput | None = None


class Inputs(Document):
    """The whole document."""

    format: Literal[2] = FORMAT
    world: str
    run: str
    run_type: RunType
    as_of: Moment
    """The run sees only what is before."""
    frozen_at: Moment | None = None
    """When this was written; None in runs of format 1."""
    interval_seconds: int = Field(default=WEEK, gt=0)
    """Length of the schedule's interval at as-of."""
    ratings: RatingsInput
    feedback: tuple[FeedbackInput, ...] = ()
    titles: tuple[TitlesInput, ...] = ()
    earlier_titles: EarlierTitles | None = None
    """The last good ones before as-of; the recommender goes on with them where `prepare_titles`
    fails."""
    degraded: tuple[Degraded, ...] = ()
    """What failed before the freeze."""
    search: Literal["none", "quick", "full"]
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
        """The document as its file spells it."""
        return self.model_dump(mode="json")

    def to_bytes(self) -> bytes:
        """The file's content."""
        return canonical_json(self.to_json())


def read_inputs(data: bytes, where: str = "inputs.json") -> Inputs:
    """The inputs from their file; ContractError where they are none, or of a newer format."""
    try:
        return read_document(Inputs, _upgraded(data), FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{where}: {error}", "update this release") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ContractError(
            f"{where} cannot be used: {type(error).__name__} {error}",
            "freeze the inputs again, in a new run",
        ) from None


def inputs_of(lake: Lake, run: str) -> Inputs:
    """What run `run` froze; NotFoundError where it froze nothing, ContractError as above."""
    path = inputs_path(run)
    try:
        return read_inputs(lake.read_bytes(path), lake.uri(path))
    except NotFoundError:
        raise NotFoundError(
            f"run {run} has frozen no inputs: {lake.uri(path)} is missing",
            "run its freeze_inputs first",
        ) from None


def degradation(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """What failed in run `run` and what it went on with; nothing where it had all that it asked
    for, or has frozen no inputs."""
    try:
        return inputs_of(lake, run).degraded + degraded_training(lake, run)
    except NotFoundError:
        return ()


def degraded_training(lake: Lake, run: str) -> tuple[Degraded, ...]:
    """What the recommender of a run was trained without, as its card says."""
    path = f"runs/{run}/models/recommender/card.json"
    try:
        return read_card(lake.read_bytes(path), lake.uri(path)).degraded
    except (NotFoundError, ContractError):
        return ()


def inputs_path(run: str) -> str:
    """Where run `run` keeps its inputs."""
    return f"runs/{run}/inputs.json"


def is_own(path: str, run: str) -> bool:
    """Whether a snapshot `raw/titles/as_of=T/run=R` (or its `-partN`) is run `run`'s."""
    name = path.rsplit("/", 1)[-1]
    part = name.removeprefix(f"run={run}")
    is_part = part.startswith("-part") and part.removeprefix("-part").isdecimal()
    return name == f"run={run}" or (name.startswith(f"run={run}") and is_part)


def _upgraded(data: bytes) -> bytes:
    """Format 1 as format 2; any other as it is."""
    value = json.loads(data)
    if value["format"] != 1:
        return data
    titles = [{**one, "own": is_own(one["path"], value["run"])} for one in value["titles"]]
    return json.dumps({**value, "format": FORMAT, "titles": titles}).encode()
