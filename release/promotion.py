"""Promotion: what may change the champion.

`promote` trusts the verdict in the lake and the ledger, never the caller's path to it. It copies
first and appends last, so a crash between leaves a bundle nobody names, and the retry ends well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from marquee.artefacts.ledger_entry import Draft, Entry
from marquee.artefacts.subject import Head
from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import now, refuse_ahead
from marquee.digest import digest_bytes
from marquee.errors import (
    ContractError,
    HeadMovedError,
    NotFoundError,
    PromotionRefusedError,
)
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import Model
from release.bundles import model_folder, publish_bundle, shipped_digest
from release.ledger import Ledger
from release.witness import standing_entries

Clock = Callable[[], datetime]


def promote(
    lake: Lake,
    model: Model,
    run: str,
    *,
    approved: bool,
    approved_by: str = "",
    clock: Clock = now,
) -> Entry:
    """Make the run's shipped bundle champion, and return its entry (the old one if it has one).

    `approved` says that a person said yes, `approved_by` who; it matters only where the run asks
    for it. Raises
    PromotionRefusedError with the reason (also where the run was promoted, and rolled back since),
    AheadOfClockError where the as-of has not come yet, LedgerError where the ledger is damaged,
    or lost an entry that a run names.
    """
    entries = standing_entries(lake, model)
    if existing := _promoted(entries, run):
        return _still_standing(existing, entries, model)
    verdict, digest = _trusted_verdict(lake, model, run)
    refuse_ahead(verdict.subject.as_of, f"the as-of of run {run}")
    if why := refusal(verdict, entries, approved):
        raise PromotionRefusedError(*why)
    draft = _draft(verdict, digest, publish_bundle(lake, verdict), clock())
    if verdict.needs_approval:
        draft = draft.but(
            approved_by=approved_by,
            reason=f"{draft.reason}, and {approved_by or 'a person'} approved",
        )
    ledger = Ledger(lake, model)
    try:
        return ledger.append(draft, verdict.head)
    except HeadMovedError as error:
        # Another attempt of this very run may have been the faster one.
        if existing := _promoted(ledger.entries(), run):
            return existing
        raise PromotionRefusedError(error.message, error.remedy) from None


def refusal(verdict: Verdict, entries: list[Entry], approved: bool) -> tuple[str, str] | None:
    """The first rule that forbids this promotion, as reason and remedy; None where none does."""
    subject = verdict.subject
    head = entries[-1] if entries else None
    latest = max((e.as_of for e in standing_promotions(entries)), default=None)
    rules = [
        (not verdict.approved, verdict.headline, "read the verdict's conditions"),
        (subject.run_type == "backfill", "a backfill replays history and promotes nothing", ""),
        (
            subject.promote == "no",
            "the run was told not to promote",
            "trigger one with promote: yes",
        ),
        (
            verdict.needs_approval and not approved,
            "the run asks for a person's approval and has none",
            "approve it in Airflow before its time-out",
        ),
        (
            head is not None and head.hold,
            f"a roll-back holds the {subject.model}: {head.reason if head else ''}",
            f"release it with: marquee rollback {subject.model} --release",
        ),
        (
            latest is not None and subject.as_of <= latest,
            f"as-of {iso(subject.as_of)} is not later than the latest promoted, "
            f"{iso(latest) if latest else ''}",
            "an older model must not come back this way; to go back, use: marquee rollback",
        ),
        (
            _ref(head) != verdict.head,
            "the champion changed after this run was judged against it",
            "trigger a new run: it is judged against the new champion",
        ),
    ]
    return next(((reason, remedy) for holds, reason, remedy in rules if holds), None)


def standing_promotions(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The promotions that were not undone, oldest first.

    A roll-back to a bundle restores what stood when that bundle was promoted: it undoes every
    promotion after it, and one forward again brings those back.
    """
    standing: tuple[Entry, ...] = ()
    after: dict[str, tuple[Entry, ...]] = {}
    for entry in entries:
        if entry.kind == "promote":
            standing = after[entry.bundle] = (*standing, entry)
        elif entry.kind == "roll_back":
            standing = after.get(entry.bundle, standing)
    return standing


def _trusted_verdict(lake: Lake, model: str, run: str) -> tuple[Verdict, str]:
    path = f"{model_folder(run, model)}/verdict.json"
    try:
        data = lake.read_bytes(path)
        verdict = read_verdict(data)
        shipped = shipped_digest(lake, model, run)
    except (NotFoundError, ContractError) as error:
        raise PromotionRefusedError(
            f"run {run} has no verdict to trust: {error.message}", "run its gate first"
        ) from None
    if (verdict.subject.run, verdict.subject.model) != (run, model):
        raise PromotionRefusedError(f"{lake.uri(path)} is about another run or model")
    if verdict.subject.bundle_digest != shipped:
        raise PromotionRefusedError(
            f"the bundle of run {run} is not the one its verdict judged",
            "run the gate again in a new run",
        )
    return verdict, digest_bytes(data)


def _draft(verdict: Verdict, digest: str, bundle: str, at: datetime) -> Draft:
    subject = verdict.subject
    return Draft(
        kind="promote",
        bundle=bundle,
        bundle_digest=subject.bundle_digest,
        run=subject.run,
        as_of=subject.as_of,
        recipe=subject.recipe,
        code=subject.code,
        at=at,
        verdict=digest,
        losses=verdict.losses,
        reason=f"{len(verdict.conditions)} conditions hold",
    )


def _promoted(entries: Iterable[Entry], run: str) -> Entry | None:
    return next((e for e in entries if e.kind == "promote" and e.run == run), None)


def _still_standing(promotion: Entry, entries: Iterable[Entry], model: Model) -> Entry:
    """The promotion; PromotionRefusedError where a roll-back has undone it."""
    if promotion in standing_promotions(entries):
        return promotion
    raise PromotionRefusedError(
        f"entry {promotion.number} promoted run {promotion.run} already, and it was rolled back",
        "to let its bundle serve again: "
        f"marquee rollback {model} --to {promotion.number} --reason '…'",
    )


def _ref(head: Entry | None) -> Head | None:
    return Head(head.number, head.digest) if head else None
