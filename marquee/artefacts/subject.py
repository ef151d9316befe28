"""What is judged, and the ledger entry it is judged against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from marquee.artefacts.document import Moment
from marquee.digest import canonical_json
from marquee.errors import ContractError

Promote = Literal["yes", "ask", "no"]
RunType = Literal["manual", "scheduled", "backfill"]


@dataclass(frozen=True)
class Head:
    """A ledger entry by number and digest (sha256 of its bytes)."""

    number: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is judged: one run's challenger for one model, and what its run may do."""

    run: str
    model: str
    as_of: Moment
    run_type: RunType
    promote: Promote
    recipe: Mapping[str, Any]
    code: str
    fingerprint: str
    """Digest of inputs, recipes, policy and code together."""
    bundle_digest: str
    """Digest of the file list below `shipped/bundle/`."""

    def __post_init__(self) -> None:
        """ContractError where a field is of another kind than it says."""
        texts = (self.run, self.model, self.code, self.fingerprint, self.bundle_digest)
        known = self.run_type in get_args(RunType) and self.promote in get_args(Promote)
        try:
            canonical_json(self.recipe)
        except (TypeError, ValueError):
            known = False
        if not (known and all(isinstance(text, str) for text in texts)):
            raise ContractError(
                f"run {self.run!r} is not described soundly for the gate: run_type "
                f"{self.run_type!r}, promote {self.promote!r}, a text or the recipe",
                "look at its inputs.json and card.json",
            )
