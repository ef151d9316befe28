"""What would have been promoted when: a fold over the verdicts of backfilled runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from marquee.artefacts.verdict import Verdict
from marquee.clock import refuse_ahead
from marquee.errors import AheadOfClockError


@dataclass(frozen=True)
class Replayed:
    """One verdict and what would have followed."""

    verdict: Verdict
    promoted: bool
    reason: str


def would_have_promoted(verdicts: Iterable[Verdict]) -> list[Replayed]:
    """Go through verdicts in as-of order, each model by itself; later equals of a week lose.

    Every verdict was decided against the champion of its own time, as the ledger names it; the
    fold applies the rules of promotion that need no lake. Nothing was rolled back in it, so each
    promotion before stands.
    """
    latest: dict[str, datetime] = {}
    replayed = []
    for verdict in sorted(verdicts, key=lambda v: (v.subject.as_of, v.subject.run)):
        subject = verdict.subject
        why = _why_not(verdict, latest.get(subject.model))
        if not why:
            latest[subject.model] = subject.as_of
        replayed.append(Replayed(verdict, not why, why or verdict.headline))
    return replayed


def _why_not(verdict: Verdict, latest: datetime | None) -> str:
    """The first rule of promotion that would have said no; empty where none would."""
    try:
        refuse_ahead(verdict.subject.as_of, "its as-of")
    except AheadOfClockError as error:
        return error.message
    if latest is not None and verdict.subject.as_of <= latest:
        return "as-of is not later than the one before"
    return "" if verdict.approved else verdict.headline
