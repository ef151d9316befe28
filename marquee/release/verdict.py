"""A verdict: what the gate decided about one challenger, and every reason, as a value.

A refused model is a verdict with failed conditions, never an exception.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from marquee.errors import ContractError, SourceError
from marquee.names import iso, parse_moment
from marquee.release.condition import GROUPS, Condition
from marquee.release.subject import Head, Subject


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The gate's answer; `losses` is the balance a promotion would book (see ADR 0011)."""

    subject: Subject
    conditions: tuple[Condition, ...]
    head: Head | None
    """The ledger's head it was decided against; None before the first promotion."""
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def approved(self) -> bool:
        """Whether every group of conditions was judged and all of them hold."""
        judged = {c.number for c in self.conditions}
        return judged == GROUPS.keys() and all(c.passed for c in self.conditions)

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
        """What follows from it."""
        if not self.approved:
            return "The champion, if there is one, keeps serving."
        if self.subject.run_type == "backfill":
            return "It is not promoted: a backfill only replays."
        if self.subject.promote == "no":
            return "It is not promoted: the run was told not to."
        asked = self.subject.promote == "ask"
        return "It waits for a person's approval." if asked else "It may be promoted."

    def sentences(self) -> list[str]:
        """The headline, what follows, and one line a condition; for a log."""
        marks = {True: "holds ", False: "FAILS "}
        lines = [f"{marks[c.passed]} {c.number}. {c.group}: {c.sentence}" for c in self.conditions]
        return [self.headline, self.consequence, *lines]

    def markdown(self) -> str:
        """The verdict as a page for Airflow's notes."""
        rows = [
            f"| {c.number} {c.group} | {_mark(c)} | {_cell(c.sentence)} |" for c in self.conditions
        ]
        head = ["| condition | holds | why |", "|---|---|---|"]
        return "\n".join([f"**{self.headline}** {self.consequence}", "", *head, *rows]) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Flat and strict JSON: no NaN, moments in ISO form."""
        subject = asdict(self.subject) | {"as_of": iso(self.subject.as_of)}
        return {
            "format": 1,
            **subject,
            "approved": self.approved,
            "needs_approval": self.needs_approval,
            "headline": self.headline,
            "head": asdict(self.head) if self.head else None,
            "losses": dict(self.losses),
            "conditions": [asdict(c) | {"group": c.group} for c in self.conditions],
        }


def read_verdict(data: bytes) -> Verdict:
    """A verdict from its file; ContractError where it is not one, or contradicts itself."""
    try:
        value = json.loads(data)
        verdict = _from_json(value)
        claims = value["approved"], value["needs_approval"]
    except (ValueError, TypeError, KeyError, AttributeError, SourceError) as error:
        raise ContractError(
            f"this is not a verdict: {type(error).__name__}: {error}", "run the gate again"
        ) from None
    if claims != (verdict.approved, verdict.needs_approval):
        raise ContractError(
            "the verdict says of itself what its conditions do not", "run the gate again"
        )
    return verdict


def _from_json(value: dict[str, Any]) -> Verdict:
    keys = Subject.__dataclass_fields__
    subject = {key: value[key] for key in keys} | {"as_of": parse_moment(value["as_of"])}
    if value["format"] != 1:
        raise ValueError("its format is unknown")
    conditions = [
        Condition(**{k: v for k, v in c.items() if k != "group"}) for c in value["conditions"]
    ]
    if not all(c.passed in (True, False) and c.number in GROUPS for c in conditions):
        raise ValueError("a condition is malformed")
    losses = {str(metric): float(share) for metric, share in value["losses"].items()}
    if not all(math.isfinite(share) and share >= 0 for share in losses.values()):
        raise ValueError("losses are not shares")
    head = Head(**value["head"]) if value["head"] is not None else None
    return Verdict(
        subject=Subject(**subject), conditions=tuple(conditions), head=head, losses=losses
    )


def _mark(condition: Condition) -> str:
    return "yes" if condition.passed else "**no**"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
