"""A verdict: what the gate decided about one challenger, and every reason, as a value.

A refused model is a verdict with failed conditions, never an exception. The gate (`release.gate`)
makes one; promotion, the report, the history and the page for approvals read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from marquee.artefacts.document import Document, Moment, NewerFormatError, Share, read_document
from marquee.clock import iso
from marquee.errors import ContractError
from marquee.identifiers import canonical_json
from marquee.policy import Promote

FORMAT = 2
RunType = Literal["manual", "scheduled", "backfill"]

SOUND, GOOD_ENOUGH, BASELINES, CHAMPION, SAME_WORLD, SERVABLE = range(1, 7)
GROUPS: Mapping[int, str] = {
    SOUND: "sound",
    GOOD_ENOUGH: "good enough",
    BASELINES: "better than trivial",
    CHAMPION: "not worse than the champion",
    SAME_WORLD: "same world",
    SERVABLE: "servable",
}
"""The groups of conditions by number, in the order of a verdict."""
FORMAT_OF_GROUP: Mapping[int, int] = {SAME_WORLD: 2}
"""The verdict format that first judged a group; 1 where a group is not named."""


def groups_of(verdict_format: int) -> set[int]:
    """The groups that a verdict of this format must have judged: later groups say nothing of it.

    A new condition of a known group changes no format, so older verdicts stay what they were.
    """
    return {group for group in GROUPS if FORMAT_OF_GROUP.get(group, 1) <= verdict_format}


@dataclass(frozen=True)
class Condition:
    """One condition with its measured value, its bound and a sentence that explains the result."""

    number: int
    """The number of its group."""
    name: str
    passed: bool
    sentence: str
    measured: float | None = None
    relation: str = ""
    """Stands before the bound: `at most`, `at least`, `loss below`, `loss at most`."""
    bound: float | None = None
    form: Literal["figure", "share", "count"] = "figure"

    @property
    def group(self) -> str:
        """The group's name."""
        return GROUPS[self.number]


@dataclass(frozen=True)
class Head:
    """A ledger entry by number and digest (sha256 of its bytes)."""

    number: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is judged: one run's challenger for one model, and what its run may promote."""

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
        """ContractError where a field holds a value of another type."""
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


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The gate's answer; `losses` is the balance a promotion would book (see ADR 8)."""

    subject: Subject
    conditions: tuple[Condition, ...]
    head: Head | None
    """The ledger's head it was decided against; None before the first promotion."""
    losses: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def approved(self) -> bool:
        """Whether every group that its format knows was judged, and all conditions hold."""
        judged = {c.number for c in self.conditions}
        return judged >= groups_of(self.format) and all(c.passed for c in self.conditions)

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
        """What follows from the verdict alone; `release.outcomes` adds what happened since."""
        if not self.approved:
            return "The champion, if there is one, keeps serving."
        if self.subject.run_type == "backfill":
            return "It is not promoted: a backfill only replays."
        if self.subject.promote == "no":
            return "It is not promoted: the run was told not to."
        if self.subject.promote == "ask":
            return "It goes on to a person's approval."
        return "It goes on to promotion."

    def sentences(self) -> list[str]:
        """The headline, the consequence and one line for each condition, for a log."""
        marks = {True: "holds ", False: "FAILS "}
        lines = [f"{marks[c.passed]} {c.number}. {c.group}: {c.sentence}" for c in self.conditions]
        return [self.headline, self.consequence, *lines]

    def markdown(self) -> str:
        """The verdict with its table, for the person who approves or rejects it."""
        rows = [
            f"| {c.number} {c.group} | {_mark(c)} | {_cell(c.sentence)} |" for c in self.conditions
        ]
        head = ["| condition | holds | why |", "|---|---|---|"]
        return "\n".join([f"**{self.headline}** {self.consequence}", "", *head, *rows]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """What `verdict.json` holds: flat, no NaN, moments in ISO form."""
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
    """What `verdict.json` holds beside the fields of its subject."""

    format: int = Field(ge=1)
    approved: bool
    needs_approval: bool
    head: Head | None
    losses: Mapping[str, Share]
    conditions: tuple[Condition, ...]

    @field_validator("conditions")
    @classmethod
    def _known_groups(cls, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        if unknown := {c.number for c in conditions} - GROUPS.keys():
            raise ValueError(f"there is no group {sorted(unknown)} of conditions")
        return conditions


def read_verdict(data: bytes) -> Verdict:
    """A verdict from its file; ContractError where it is no verdict or contradicts itself."""
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
