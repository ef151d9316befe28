"""approve: does this run ask for a person's yes, and was it given?"""

from __future__ import annotations

from marquee.clock import now
from marquee.names import iso
from marquee.release.verdict import Verdict, read_verdict
from marquee.steps.run import Model, Run


def _approval(run: Run, model: Model) -> str:
    return run.path(f"models/{model}/approval.json")


def verdict_of(run: Run, model: Model) -> Verdict:
    """The verdict as the lake holds it."""
    return read_verdict(run.lake.read_bytes(run.path(f"models/{model}/verdict.json")))


def record_approval(run: Run, model: Model, by: str) -> None:
    """Write down who said yes, once: promotion reads this, not the graph."""
    if not run.lake.exists(_approval(run, model)):
        run.lake.create_json(_approval(run, model), {"by": by, "at": iso(now())})


def is_given(run: Run, model: Model) -> bool:
    """Whether a person's yes is written down."""
    return run.lake.exists(_approval(run, model))
