"""A verdict: what the gate decided about one challenger, and every reason, as a value.

A refused model is a verdict with failed conditions, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import Field, field_validator

from marquee.artefacts.condition import GROUPS, Condition
from marquee.artefacts.document import Document, Share, read_document
from marquee.artefacts.formats import NewerFormatError
from marquee.artefacts.subject import Head, Subject
from marquee.errors import ContractError
from marquee.names import iso

FORMAT = 2
GROUPS_OF: Mapping[int, frozenset[int]] = {1: frozenset({1, 2, 3, 4, 6}), 2: frozenset(GROUPS)}
"""Which groups of conditions a verdict of each format must have judged; 5 came with format 2."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The gate's answer; `losses` is the balance a promotion would book (see ADR 0011)."""

    subject: Subject
    conditions: tuple[Condition, ...]
    head: Head | None
    """The ledger's head it was decided against; None before the first promotion."""
    losses: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def approved(self) -> bool:
        """Whether every group of its format's conditions was judged, and all conditions hold."""
        judged = {c.number for c in self.conditions}
        return judged >= GROUPS_OF[self.format] and all(c.passed for c in self.conditions)

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold, in order."""
        return tuple(c for c in self.conditions if not c.passed)

    @property
    def may_promote(self) -> bool:
        """Whether the run is of a kind that promotes at all."""
        return self.subject.run_type != "backfill" and self.subject.promote != "no"

    @property
    def needs_approval(self) -> bool:
        """Whether a person must say yes first."""
        return self.approved and self.may_promote and self.subject.promote == "ask"

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        who = f"The {self.subject.model} as of {self.subject.as_of:%Y-%m-%d %H:%M} UTC"
        if self.approved:
            return f"{who} is approved: all {len(self.conditions)} conditions hold."
        count = f"{len(self.failed)} of {len(self.conditions)} conditions"
        return f"{who} is refused: {count} {'does' if len(self.failed) == 1 else 'do'} not hold."

    @property
    def consequence(self) -> str:
        """What follows from it, as the verdict alone can say: `outcome.came_of` knows more."""
        if not self.approved:
            return "The champion, if there is one, keeps serving."
        if self.subject.run_type == "backfill":
            return "It is not promoted: a backfill only replays."
        if self.subject.promote == "no":
            return "It is not promoted: the run was told not to."
        asked = self.subject.promote == "ask"
        return "It goes on to a person's approval." if asked else "It goes on to promotion."

    def sentences(self) -> list[str]:
        """The headline, what follows, and one line a condition; for a log."""
        marks = {True: "holds ", False: "FAILS "}
        lines = [f"{marks[c.passed]} {c.number}. {c.group}: {c.sentence}" for c in self.conditions]
        return [self.headline, self.consequence, *lines]

    def markdown(self) -> str:
        """The verdict with its table, as the person reads it who is asked for an approval."""
        rows = [
            f"| {c.number} {c.group} | {_mark(c)} | {_cell(c.sentence)} |" for c in self.conditions
        ]
        head = ["| condition | holds | why |", "|---|---|---|"]
        return "\n".join([f"**{self.headline}** {self.consequence}", "", *head, *rows]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Flat and strict JSON: no NaN, moments in ISO form."""
        subject = asdict(self.subject) | {"as_of": iso(self.subject.as_of)}
        return {
            "format": self.format,
            **subject,
            "approved": self.approved,
            "needs_approval": self.needs_approval,
            "headline": self.headline,
            "head": asdict(self.head) if self.head else None,
            "losses": dict(self.losses),
            "conditions": [asdict(c) | {"group": c.group} for c in self.conditions],
        }


class _File(Document):
    """What `verdict.json` holds beside its subject."""

    format: int = Field(ge=1)
    approved: bool
    needs_approval: bool
    head: Head | None
    losses: Mapping[str, Share]
    conditions: tuple[Condition, ...]

    @field_validator("conditions")
    @classmethod
    def _are_known(cls, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        if unknown := {c.number for c in conditions} - GROUPS.keys():
            raise ValueError(f"there is no group {sorted(unknown)} of conditions")
        return conditions


def read_verdict(data: bytes) -> Verdict:
    """A verdict from its file; ContractError where it is not one, or contradicts itself."""
    try:
        subject = read_document(Subject, data, FORMAT)
        file = read_document(_File, data, FORMAT)
    except NewerFormatError as error:
        raise ContractError(
            f"a later release wrote the verdict: {error}", "update this one"
        ) from None
    except ValueError as error:
        raise ContractError(f"this is not a verdict: {error}", "run the gate again") from None
    verdict = Verdict(
        subject=subject,
        conditions=file.conditions,
        head=file.head,
        losses=file.losses,
        format=file.format,
    )
    if (file.approved, file.needs_approval) != (verdict.approved, verdict.needs_approval):
        raise ContractError(
            "the verdict says of itself what its conditions do not", "run the gate again"
        )
    return verdict


def _mark(condition: Condition) -> str:
    return "yes" if condition.passed else "**no**"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
