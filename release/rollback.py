"""Rolling back: an earlier bundle serves again, by one more entry; and releasing its hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marquee.artefacts.ledger_entry import Draft, Entry
from marquee.clock import now
from marquee.errors import HeadMovedError, LedgerError, PromotionRefusedError
from marquee.lake import Lake
from marquee.policy import Model
from release.bundles import served_digest
from release.ledger import HeadRef, Ledger
from release.promotion import Clock
from release.witness import standing_entries


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
    """Let an earlier bundle serve again: that of entry `to`, or else the one before the champion.

    With `hold`, nothing is promoted until `release_hold`; a hold that stands already stays.
    `head` is the entry the person saw as the last. Raises HeadMovedError where it no longer is,
    PromotionRefusedError where there is nothing to go back to, LedgerError or NotFoundError
    where the bundle is not whole.
    """
    ledger = Ledger(lake, model)
    entries = standing_entries(lake, model, head)
    target = target_of(model, entries, to)
    if served_digest(lake, model, target.bundle) != target.bundle_digest:
        raise LedgerError(
            f"bundle {target.bundle} is not the one entry {target.number} promoted",
            "roll back to another entry",
        )
    last = entries[-1]
    draft = target.but(
        kind="roll_back",
        at=clock(),
        hold=hold or last.hold,
        reason=said(reason),
        world=last.world,
    )
    return append_by_hand(ledger, draft, head or last)


def target_of(model: str, entries: list[Entry], to: int | None) -> Entry:
    """The entry whose bundle a roll-back would let serve again; PromotionRefusedError if none."""
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
    """Let promotions happen again; the champion stays. `head` as in `roll_back`."""
    ledger = Ledger(lake, model)
    entries = standing_entries(lake, model, head)
    last = held(model, entries)
    draft = last.but(kind="release_hold", at=clock(), hold=False, reason=said(reason))
    return append_by_hand(ledger, draft, head or last)


def held(model: str, entries: Sequence[Entry]) -> Entry:
    """The last entry, which must hold promotions; PromotionRefusedError otherwise."""
    if not entries or not entries[-1].hold:
        raise PromotionRefusedError(f"no hold stands on the {model}", "nothing needs releasing")
    return entries[-1]


def append_by_hand(ledger: Ledger, draft: Draft, head: HeadRef) -> Entry:
    """Append what a person decided looking at `head`; HeadMovedError where it is not the last."""
    try:
        return ledger.append(draft, head)
    except HeadMovedError as error:
        raise HeadMovedError(
            error.message, f"look at it again, then decide: marquee ledger {ledger.model}"
        ) from None


def _before_promotion_of(bundle: str, entries: Iterable[Entry]) -> int | None:
    """The entry just before the one that promoted `bundle`: what served before it."""
    first = next(e.number for e in entries if e.bundle == bundle)
    return first - 1 if first > 1 else None


def said(reason: str) -> str:
    """The reason in one line; PromotionRefusedError where there is none."""
    if not reason.strip():
        raise PromotionRefusedError("a change by hand needs a reason", "say why in one sentence")
    return reason.strip()
