"""What earlier runs decided, read from their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.subject import Head
from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import SKEW, now
from marquee.errors import ContractError, MarqueeError, NotFoundError
from marquee.lake import Lake
from marquee.policy import Model
from steps.run import BACKFILL


def decisions(
    lake: Lake, model: Model, passed_over: tuple[type[MarqueeError], ...] = ()
) -> list[Verdict]:
    """Every run's verdict on `model`, earliest as-of first.

    Raises ContractError where one is damaged, unless such errors are to be passed over.
    """

    def read(run: str) -> Verdict | None:
        with suppress(NotFoundError, *passed_over):
            return read_verdict(lake.read_bytes(f"runs/{run}/models/{model}/verdict.json"))
        return None

    with ThreadPoolExecutor(8) as pool:
        found = [verdict for verdict in pool.map(read, lake.names("runs")) if verdict]
    return sorted(found, key=lambda verdict: (verdict.subject.as_of, verdict.subject.run))


def last_decision(lake: Lake, model: Model) -> Verdict | None:
    """The latest verdict of a live run; backfills replay and do not count, nor does what is no
    verdict: a damaged one must not keep every later run from being judged. Nor does one whose as-of
    lies ahead of the clock, which older versions let through: it would be the last for years."""
    found = decisions(lake, model, (ContractError,))
    latest = now() + SKEW
    live = [v for v in found if v.subject.run_type != BACKFILL and v.subject.as_of <= latest]
    return live[-1] if live else None


def is_settled(verdict: Verdict, entries: Sequence[Entry]) -> bool:
    """Whether a decision needs no second look: promoted, or refused beside what serves now.

    An approved model that never served (the head moved, a hold stood, nobody said yes, or the run
    was told not to promote) deserves another run, though nothing it learns from has changed. So
    does a refused one where another bundle serves by now: it lost to a champion rolled back since.
    `entries` are the model's ledger.
    """
    if verdict.approved:
        return any(e.kind == "promote" and e.run == verdict.subject.run for e in entries)
    return _bundle_at(entries, verdict.head) == (entries[-1].bundle if entries else None)


def _bundle_at(entries: Sequence[Entry], head: Head | None) -> str | None:
    """What served while `head` was the newest entry; None before the first, or if it is lost."""
    return next((e.bundle for e in entries if head and e.digest == head.digest), None)
