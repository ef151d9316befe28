"""What would have been promoted when: a fold over the verdicts of backfilled runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from marquee.release.verdict import Verdict


@dataclass(frozen=True)
class Replayed:
    """One verdict and what would have followed."""

    verdict: Verdict
    promoted: bool
    reason: str


def would_have_promoted(verdicts: Iterable[Verdict]) -> list[Replayed]:
    """Go through verdicts in as-of order, each model by itself; later equals of a week lose.

    Every verdict was decided against the champion of its own time, as the ledger names it; the
    fold applies the rules of promotion that need no lake.
    """
    latest: dict[str, datetime] = {}
    replayed = []
    for verdict in sorted(verdicts, key=lambda v: (v.subject.as_of, v.subject.run)):
        before = latest.get(verdict.subject.model)
        late = before is not None and verdict.subject.as_of <= before
        promoted = verdict.approved and not late
        if promoted:
            latest[verdict.subject.model] = verdict.subject.as_of
        reason = "as-of is not later than the one before" if late else verdict.headline
        replayed.append(Replayed(verdict, promoted, reason))
    return replayed
