"""A verdict: the gate's decision on one challenger, with every condition.

The verdict on a refused model has failed conditions; the gate raises no exception. The gate
(`release.gate`) makes the verdict. Promotion, the report, the history and the page for approvals
read it.
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
"""The names of the groups of conditions, by number."""
FORMAT_OF_GROUP: Mapping[int, int] = {SAME_WORLD: 2}
"""The first verdict format that includes a group; 1 for every group that is not named here."""


def groups_of(verdict_format: int) -> set[int]:
    """The groups that a verdict of this format must include.

    A new group raises the format, so an older verdict stays valid without that group. A new
    condition in an existing group does not raise the format.
    """
    return {group for group in GROUPS if FORMAT_OF_GROUP.get(group, 1) <= verdict_format}


@dataclass(frozen=True)
class Condition:
    """One condition: the measured value, the bound, and a sentence that explains the result."""

    number: int
    """The number of the condition's group, a key of `GROUPS`."""
    name: str
    passed: bool
    sentence: str
    measured: float | None = None
    relation: str = ""
    """The words before the bound: `at most`, `at least`, `loss below`, `loss at most`."""
    bound: float | None = None
    form: Literal["figure", "share", "count"] = "figure"

    @property
    def group(self) -> str:
        """The group's name."""
        return GROUPS[self.number]


@dataclass(frozen=True)
class Head:
    """The number and the digest (sha256 of the bytes) of a ledger's last entry."""

    number: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The challenger that a verdict judges: its run, its model, its recipe and its digests."""

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
        """Raise ContractError where a field holds a value of a wrong type."""
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
    """The gate's decision. A promotion writes `losses` to the ledger as its balance (ADR 8)."""

    subject: Subject
    conditions: tuple[Condition, ...]
    head: Head | None
    """The ledger's last entry at the moment of the decision; None before the first promotion."""
    losses: Mapping[str, float] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def approved(self) -> bool:
        """Whether the verdict includes every group of its format and all conditions hold."""
        judged = {c.number for c in self.conditions}
        return judged >= groups_of(self.format) and all(c.passed for c in self.conditions)

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold."""
        return tuple(c for c in self.conditions if not c.passed)

    @property
    def may_promote(self) -> bool:
        """Whether the run may promote: it is no backfill, and its form does not forbid it."""
        return self.subject.run_type != "backfill" and self.subject.promote != "no"

    @property
    def needs_approval(self) -> bool:
        """Whether the promotion needs a person's approval."""
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
        """The next step after the verdict, in a sentence; `release.outcomes` holds later events."""
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
        """The content of `verdict.json`, with the fields of the subject at the top level."""
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
    """The keys of `verdict.json` beside the fields of the subject."""

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
    """A verdict from the content of its file.

    Raises ContractError where the content is damaged, contradicts itself, or comes from a later
    release.
    """
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
