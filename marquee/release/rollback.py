"""Rolling back: an earlier bundle serves again, by one more entry; and releasing its hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from marquee.errors import LedgerError, PromotionRefusedError
from marquee.lake import Lake
from marquee.names import now
from marquee.release.bundles import served_digest
from marquee.release.entry import Draft, Entry
from marquee.release.ledger import Ledger
from marquee.release.promotion import Clock


def roll_back(
    lake: Lake, model: str, to: int | None, reason: str, hold: bool, *, clock: Clock = now
) -> Entry:
    """Let an earlier bundle serve again: that of entry `to`, or else the one before the champion.

    With `hold`, nothing is promoted until `release_hold`. Raises PromotionRefusedError where
    there is nothing to go back to, LedgerError or NotFoundError where the bundle is not whole.
    """
    ledger = Ledger(lake, model)
    entries = ledger.whole()
    target = target_of(model, entries, to)
    if served_digest(lake, model, target.bundle) != target.bundle_digest:
        raise LedgerError(
            f"bundle {target.bundle} is not the one entry {target.number} promoted",
            "roll back to another entry",
        )
    draft = _change(target, kind="roll_back", at=clock(), hold=hold, reason=_said(reason))
    return ledger.append(draft, entries[-1])


def target_of(model: str, entries: list[Entry], to: int | None) -> Entry:
    """The entry whose bundle a roll-back would let serve again; PromotionRefusedError if none."""
    if not entries:
        raise PromotionRefusedError(f"nothing was ever promoted for the {model}")
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


def release_hold(lake: Lake, model: str, reason: str, *, clock: Clock = now) -> Entry:
    """Let promotions happen again; the champion stays."""
    ledger = Ledger(lake, model)
    head = ledger.head()
    if head is None or not head.hold:
        raise PromotionRefusedError(f"no hold stands on the {model}", "nothing needs releasing")
    draft = _change(head, kind="release_hold", at=clock(), hold=False, reason=_said(reason))
    return ledger.append(draft, head)


def _before_promotion_of(bundle: str, entries: Iterable[Entry]) -> int | None:
    """The entry just before the one that promoted `bundle`: what served before it."""
    first = next(e.number for e in entries if e.bundle == bundle)
    return first - 1 if first > 1 else None


def _change(entry: Entry, **changes: Any) -> Draft:
    return Draft(**{f.name: getattr(entry, f.name) for f in fields(Draft)} | changes)


def _said(reason: str) -> str:
    if not reason.strip():
        raise PromotionRefusedError("a change by hand needs a reason", "say why in one sentence")
    return reason.strip()
