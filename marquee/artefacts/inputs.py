"""`runs/R/inputs.json`: the datasets that one run reads, and the values of its form.

`freeze_inputs` writes the file once; every later task of the run reads it. Format 1 lacks `own`,
`interval_seconds` and `frozen_at`, and this release still reads it. In format 1, the name of a
snapshot's folder decides `own`, and the interval is a week.
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
from marquee.identifiers import canonical_json, checked_path
from marquee.policy import POLICIES, Model, Promote, Search

FORMAT: Final = 2
WEEK = 7 * 24 * 3600
STARS = (0.5, 5.0)
"""The scale of MovieLens, for inputs of older runs, which have no `scale`."""


LakePath = Annotated[str, AfterValidator(lambda path: checked_path(path, "an input"))]
"""A path relative to the lake's root."""


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
    """The moment when a run first froze the segment; None where every line is older.

    A server whose clock is ahead writes lines with future times. Such a line counts from this
    moment.
    """


class TitlesInput(Document):
    """A snapshot of titles. `prepare_titles` uses only pages that were fetched before as-of."""

    path: LakePath
    digest: str
    as_of: Moment
    """The moment of the load. A page without a fetch time counts as fetched at this moment. For
    snapshots of older releases, without `loaded_at`, it is the as-of of the run that loaded it."""
    loaded_at: Moment | None = None
    own: bool = False
    """Whether this run fetched the snapshot."""


class EarlierTitles(Document):
    """The prepared titles of an earlier run, used where this run's `prepare_titles` fails."""

    path: LakePath
    digest: str


class ChampionInput(Document):
    """The champion at the moment of the freeze; for a backfill, the champion at its as-of."""

    number: int
    digest: str
    """sha256 of the ledger entry."""
    bundle: str
    recipe: dict[str, Any]
    code: str


class ModelInputs(Document):
    """The recipes, the policy and the champion of one model."""

    recipes: tuple[dict[str, Any], ...]
    policy: dict[str, float]
    fingerprint: str
    unchanged_since: str | None = None
    """An earlier run with the same fingerprint; where it is set, the model's tasks are skipped."""
    champion: ChampionInput | None = None


class Inputs(Document):
    """The content of `inputs.json`."""

    format: Literal[2] = FORMAT
    world: str
    run: str
    run_type: RunType
    as_of: Moment
    """The run reads only data from before this moment."""
    frozen_at: Moment | None = None
    """The moment of the freeze; None in format 1."""
    interval_seconds: int = Field(default=WEEK, gt=0)
    """Length of the schedule's interval at as-of."""
    ratings: RatingsInput
    feedback: tuple[FeedbackInput, ...] = ()
    titles: tuple[TitlesInput, ...] = ()
    earlier_titles: EarlierTitles | None = None
    """The newest prepared titles from before as-of."""
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
        """The content of the file as a JSON value."""
        return self.model_dump(mode="json")

    def to_bytes(self) -> bytes:
        """The content of the file as bytes."""
        return canonical_json(self.to_json())


def read_inputs(data: bytes, where: str = "inputs.json") -> Inputs:
    """The inputs from the content of their file; ContractError where the content is damaged."""
    try:
        return read_document(Inputs, _upgraded(data), FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{where}: {error}", "update this release") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ContractError(
            f"{where} cannot be used: {type(error).__name__} {error}",
            "freeze the inputs again, in a new run",
        ) from None


def is_snapshot_of(path: str, run: str) -> bool:
    """Whether the snapshot `raw/titles/as_of=T/run=R` (or a `-partN` of it) belongs to `run`."""
    name = path.rsplit("/", 1)[-1]
    if not name.startswith(f"run={run}"):
        return False
    return re.fullmatch(r"(-part[0-9]+)?", name.removeprefix(f"run={run}")) is not None


def _upgraded(data: bytes) -> bytes:
    """A document of format 1 in format 2; a document of another format unchanged."""
    value = json.loads(data)
    if value["format"] != 1:
        return data
    titles = [{**one, "own": is_snapshot_of(one["path"], value["run"])} for one in value["titles"]]
    return json.dumps({**value, "format": FORMAT, "titles": titles}).encode()
