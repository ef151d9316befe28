"""What earlier runs decided, read from their verdicts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from marquee.errors import ContractError, MarqueeError, NotFoundError
from marquee.lake import Lake
from marquee.release.ledger import Ledger
from marquee.release.verdict import Verdict, read_verdict
from marquee.steps.run import BACKFILL, Model


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
    verdict: a damaged one must not keep every later run from being judged."""
    found = decisions(lake, model, (ContractError,))
    live = [verdict for verdict in found if verdict.subject.run_type != BACKFILL]
    return live[-1] if live else None


def is_settled(lake: Lake, model: Model, verdict: Verdict) -> bool:
    """Whether a decision needs no second look: refused, or promoted.

    An approved model that never served (the head moved, a hold stood, nobody said yes, or the run
    was told not to promote) deserves another run, though nothing it learns from has changed.
    """
    if not verdict.approved:
        return True
    entries = Ledger(lake, model).entries()
    return any(e.kind == "promote" and e.run == verdict.subject.run for e in entries)
