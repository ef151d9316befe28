"""Accepting a changed world, once: condition 5 then compares with the run that was refused."""

from __future__ import annotations

from collections.abc import Sequence

from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.subject import Head
from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import now
from marquee.errors import NotFoundError, PromotionRefusedError
from marquee.lake import Lake
from marquee.policy import Model
from release.bundles import model_folder
from release.ledger import HeadRef, Ledger
from release.promotion import Clock
from release.rollback import append_by_hand, said
from release.same_world import SAME_WORLD
from release.witness import standing_entries
from release.world import World, world_of_run


def accept_world(
    lake: Lake,
    model: Model,
    run: str,
    reason: str,
    *,
    head: HeadRef | None = None,
    clock: Clock = now,
) -> Entry:
    """Append an entry that makes `run`'s world the one to compare with, until the next promotion.

    The champion stays. `head` is the entry the person saw as the last. Raises
    PromotionRefusedError where nothing serves, where the run is a backfill, was not refused for
    its world, left no figures of it or is the accepted one; HeadMovedError where `head` is no
    longer the last entry.
    """
    ledger = Ledger(lake, model)
    last = require_acceptable(lake, model, run, standing_entries(lake, model, head))
    draft = last.but(kind="accept_world", at=clock(), reason=said(reason), world=run)
    return append_by_hand(ledger, draft, head or last)


def require_acceptable(lake: Lake, model: Model, run: str, entries: Sequence[Entry]) -> Entry:
    """The last of `entries`, beside which `run` was refused; PromotionRefusedError as
    `accept_world`, so that nobody is asked about what cannot be done."""
    if not entries:
        raise PromotionRefusedError(
            f"nothing serves as {model} yet, so no world needs accepting", "promote a first model"
        )
    if entries[-1].world == run:
        raise PromotionRefusedError(
            f"the world of run {run} is accepted already", f"see: marquee champion {model}"
        )
    _require_refused(_verdict(lake, model, run), entries)
    _require_figures(world_of_run(lake, run), model, run)
    return entries[-1]


def _require_refused(verdict: Verdict, entries: Sequence[Entry]) -> None:
    """A world is accepted after it was refused beside what serves now, never in advance."""
    run, model = verdict.subject.run, verdict.subject.model
    if verdict.subject.run_type == "backfill":
        raise PromotionRefusedError(
            f"run {run} is a backfill: it replays the past, and its world is not the one of now",
            f"accept the world of a live run that was refused; see: marquee history {model}",
        )
    if not [c for c in verdict.failed if c.number == SAME_WORLD]:
        raise PromotionRefusedError(
            f"run {run} was not refused for its world", f"see: marquee history {model}"
        )
    head = verdict.head
    beside = [e.bundle for e in entries if head == Head(e.number, e.digest)]
    if beside != [entries[-1].bundle]:
        raise PromotionRefusedError(
            f"run {run} was refused beside another champion than serves now",
            f"wait for the next run's verdict: marquee history {model}",
        )


def _require_figures(world: World, model: Model, run: str) -> None:
    """The model's own half of the figures, which later runs are compared with."""
    if (world.titles if model == "budget" else world.ratings) is None:
        raise PromotionRefusedError(
            f"run {run} recorded no figures of its world that can be read",
            "; ".join(world.unread.values()) or "run its preparations again, in a new run",
        )


def _verdict(lake: Lake, model: str, run: str) -> Verdict:
    path = f"{model_folder(run, model)}/verdict.json"
    try:
        return read_verdict(lake.read_bytes(path))
    except NotFoundError:
        raise PromotionRefusedError(
            f"no run '{run}' has judged a {model}", f"see: marquee history {model}"
        ) from None
