"""Ledger entries that a person adds by hand: roll back, release a hold, accept changed data.

The commands `marquee rollback` and `marquee accept-world` call these functions. Each function
appends one entry with the person's reason. `head` is the last entry that the person saw; where
another entry was written since, the function raises HeadMovedError.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marquee.artefacts.ledger_entry import Draft, Entry
from marquee.artefacts.model_card import DataFigures
from marquee.artefacts.verdict import SAME_WORLD, Head, Verdict, read_verdict
from marquee.clock import now
from marquee.errors import HeadMovedError, LedgerError, NotFoundError, PromotionRefusedError
from marquee.lake import Lake
from marquee.policy import Model
from marquee.run_folder import figures_of_run, verdict_path
from release.ledger import HeadRef, Ledger, complete_entries
from release.promotion import Clock, served_digest


def roll_back(
    lake: Lake,
    model: Model,
    to: int | None,
    reason: str,
    hold: bool,
    *,
    head: HeadRef | None = None,
    clock: Clock = now,
) -> Entry:
    """Make an earlier bundle the champion again.

    It is the bundle of entry `to`; where `to` is None, the bundle that served before the champion.

    With `hold`, promotions are refused until `release_hold`. An earlier hold is kept. Raises
    HeadMovedError where `head` is not the last entry, PromotionRefusedError where there is no
    bundle to go back to, LedgerError or NotFoundError where the bundle is incomplete.
    """
    ledger = Ledger(lake, model)
    entries = complete_entries(lake, model, head)
    target = rollback_target(model, entries, to)
    if served_digest(lake, model, target.bundle) != target.bundle_digest:
        raise LedgerError(
            f"bundle {target.bundle} is not the one entry {target.number} promoted",
            "roll back to another entry",
        )
    last = entries[-1]
    draft = target.with_changes(
        kind="roll_back",
        at=clock(),
        hold=hold or last.hold,
        reason=_required_reason(reason),
        world=last.world,
    )
    return _append(ledger, draft, head or last)


def rollback_target(model: str, entries: list[Entry], to: int | None) -> Entry:
    """The entry whose bundle a roll-back restores; PromotionRefusedError where there is none."""
    if not entries:
        raise PromotionRefusedError(f"nothing was ever promoted for the {model} model")
    head = entries[-1]
    number = to if to is not None else _before_promotion_of(head.bundle, entries)
    if number is None or not 1 <= number <= len(entries):
        missing = "there is nothing before the champion" if to is None else f"no entry {to}"
        raise PromotionRefusedError(
            f"the {model} cannot go back: {missing}", f"see: marquee ledger {model}"
        )
    if entries[number - 1].bundle == head.bundle:
        raise PromotionRefusedError(
            f"bundle {head.bundle} of entry {number} is the champion already",
            f"choose another entry; see: marquee ledger {model}",
        )
    return entries[number - 1]


def release_hold(
    lake: Lake, model: Model, reason: str, *, head: HeadRef | None = None, clock: Clock = now
) -> Entry:
    """Allow promotions again; the champion stays."""
    ledger = Ledger(lake, model)
    entries = complete_entries(lake, model, head)
    last = require_hold(model, entries)
    draft = last.with_changes(
        kind="release_hold", at=clock(), hold=False, reason=_required_reason(reason)
    )
    return _append(ledger, draft, head or last)


def require_hold(model: str, entries: Sequence[Entry]) -> Entry:
    """The last entry, which must hold promotions; PromotionRefusedError otherwise."""
    if not entries or not entries[-1].hold:
        raise PromotionRefusedError(f"no hold stands on the {model}", "nothing needs releasing")
    return entries[-1]


def _append(ledger: Ledger, draft: Draft, head: HeadRef) -> Entry:
    """Append a person's decision after `head`; HeadMovedError where `head` is not the last."""
    try:
        return ledger.append(draft, head)
    except HeadMovedError as error:
        raise HeadMovedError(
            error.message, f"look at it again, then decide: marquee ledger {ledger.model}"
        ) from None


def _before_promotion_of(bundle: str, entries: Iterable[Entry]) -> int | None:
    """The number of the entry before the one that promoted `bundle`."""
    first = next(e.number for e in entries if e.bundle == bundle)
    return first - 1 if first > 1 else None


def _required_reason(reason: str) -> str:
    """The reason without surrounding spaces; PromotionRefusedError where it is empty."""
    if not reason.strip():
        raise PromotionRefusedError("a change by hand needs a reason", "say why in one sentence")
    return reason.strip()


def accept_world(
    lake: Lake,
    model: Model,
    run: str,
    reason: str,
    *,
    head: HeadRef | None = None,
    clock: Clock = now,
) -> Entry:
    """Append an entry that makes the data of `run` the reference until the next promotion.

    The champion stays. Raises HeadMovedError where `head` is not the last entry. Raises
    PromotionRefusedError where there is no champion, or where the run is a backfill, was not
    refused for its data, recorded no figures of its data or is accepted already.
    """
    ledger = Ledger(lake, model)
    last = require_acceptable(lake, model, run, complete_entries(lake, model, head))
    draft = last.with_changes(
        kind="accept_world", at=clock(), reason=_required_reason(reason), world=run
    )
    return _append(ledger, draft, head or last)


def require_acceptable(lake: Lake, model: Model, run: str, entries: Sequence[Entry]) -> Entry:
    """The last of `entries`; PromotionRefusedError where `run` cannot be accepted.

    The command calls it before it asks the person for a confirmation.
    """
    if not entries:
        raise PromotionRefusedError(
            f"nothing serves as {model} yet, so no world needs accepting", "promote a first model"
        )
    if entries[-1].world == run:
        raise PromotionRefusedError(
            f"the world of run {run} is accepted already", f"see: marquee champion {model}"
        )
    _require_refused(_verdict(lake, model, run), entries)
    _require_figures(figures_of_run(lake, run), model, run)
    return entries[-1]


def _require_refused(verdict: Verdict, entries: Sequence[Entry]) -> None:
    """Raise PromotionRefusedError unless the gate refused the run's data beside this champion."""
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
    compared = [e.bundle for e in entries if head == Head(e.number, e.digest)]
    if compared != [entries[-1].bundle]:
        raise PromotionRefusedError(
            f"run {run} was refused beside another champion than serves now",
            f"wait for the next run's verdict: marquee history {model}",
        )


def _require_figures(figures: DataFigures, model: Model, run: str) -> None:
    """Raise PromotionRefusedError where the figures that later runs need cannot be read."""
    if (figures.titles if model == "budget" else figures.ratings) is None:
        raise PromotionRefusedError(
            f"run {run} recorded no figures of its world that can be read",
            "; ".join(figures.format_problems.values())
            or "run its preparations again, in a new run",
        )


def _verdict(lake: Lake, model: str, run: str) -> Verdict:
    try:
        return read_verdict(lake.read_bytes(verdict_path(run, model)))
    except NotFoundError:
        raise PromotionRefusedError(
            f"no run '{run}' has judged a {model}", f"see: marquee history {model}"
        ) from None
