"""Promotion: the rules by which a judged bundle becomes champion, and where it then lies.

`promote` reads the verdict and the ledger from the lake; it trusts no caller. It copies the bundle
first and appends the entry last. A crash in between leaves a bundle that no entry names, and a
retry completes the promotion. `replay_promotions` applies the rules to backfilled runs. Serving,
the steps and the command line find a bundle by `bundle_folder`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from marquee.artefacts.ledger_entry import Draft, Entry
from marquee.artefacts.verdict import Head, Verdict, read_verdict
from marquee.clock import compact, iso, now, refuse_ahead
from marquee.errors import (
    AheadOfClockError,
    BundleError,
    ContractError,
    HeadMovedError,
    NotFoundError,
    PromotionRefusedError,
)
from marquee.identifiers import canonical_json, digest_bytes
from marquee.lake import Lake, Manifest
from marquee.policy import Model
from marquee.run_folder import figures_paths, model_folder, verdict_path
from release.ledger import Ledger, complete_entries

SHIPPED_FOLDER = "shipped/bundle"
EVIDENCE_FILES = ("card.json", "evaluation.json", "verdict.json", "report.html")
RECORD_FILE = "record.jsonl"
"""The holdout record: the model's errors on each person or title of its holdout."""
DATA_FILE = "data.json"
"""The figures of the data it was trained on."""
EXPORT_FILE = "export.zip"
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
    """Make the run's shipped bundle champion and return its ledger entry.

    A run that is promoted already keeps its entry. `approved` says whether a person has approved,
    `approved_by` who; both count only where the run requires an approval. Raises
    PromotionRefusedError with the reason, for example that this run was rolled back. Raises
    AheadOfClockError where
    the as-of lies in the future, LedgerError where the ledger is damaged or has lost an entry.
    """
    entries = complete_entries(lake, model)
    if existing := _promotion_of_run(entries, run):
        return _still_standing(existing, entries, model)
    verdict, digest = _trusted_verdict(lake, model, run)
    refuse_ahead(verdict.subject.as_of, f"the as-of of run {run}")
    if why := refusal(verdict, entries, approved):
        raise PromotionRefusedError(*why)
    draft = _draft(verdict, digest, publish_bundle(lake, verdict), clock())
    if verdict.needs_approval:
        draft = draft.with_changes(
            approved_by=approved_by,
            reason=f"{draft.reason}, and {approved_by or 'a person'} approved",
        )
    ledger = Ledger(lake, model)
    try:
        return ledger.append(draft, verdict.head)
    except HeadMovedError as error:
        # Another attempt of this run may have appended the entry.
        if existing := _promotion_of_run(ledger.entries(), run):
            return existing
        raise PromotionRefusedError(error.message, error.remedy) from None


def refusal(verdict: Verdict, entries: list[Entry], approved: bool) -> tuple[str, str] | None:
    """The first rule that forbids this promotion, as (reason, remedy); None where none does."""
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
            _head(head) != verdict.head,
            "the champion changed after this run was judged against it",
            "trigger a new run: it is judged against the new champion",
        ),
    ]
    return next(((reason, remedy) for holds, reason, remedy in rules if holds), None)


def standing_promotions(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The promotions that no roll-back has undone, oldest first.

    For example, promotions A, B, C and a roll-back to A leave (A). A further roll-back to C
    restores (A, B, C).
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
    path = verdict_path(run, model)
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


def _promotion_of_run(entries: Iterable[Entry], run: str) -> Entry | None:
    return next((e for e in entries if e.kind == "promote" and e.run == run), None)


def _still_standing(promotion: Entry, entries: Iterable[Entry], model: Model) -> Entry:
    """Return the promotion; raise PromotionRefusedError where a roll-back has undone it."""
    if promotion in standing_promotions(entries):
        return promotion
    raise PromotionRefusedError(
        f"entry {promotion.number} promoted run {promotion.run} already, and it was rolled back",
        "to let its bundle serve again: "
        f"marquee rollback {model} --to {promotion.number} --reason '…'",
    )


def _head(head: Entry | None) -> Head | None:
    return Head(head.number, head.digest) if head else None


@dataclass(frozen=True)
class ReplayedVerdict:
    """A backfilled verdict, and whether its bundle would have been promoted."""

    verdict: Verdict
    promoted: bool
    reason: str


def replay_promotions(verdicts: Iterable[Verdict]) -> list[ReplayedVerdict]:
    """Apply the rules of promotion that need no lake to verdicts, by model and in as-of order.

    Each verdict compares with the champion at its own as-of. Where two runs have the same as-of,
    only the run whose id sorts first is promoted. A replay has no roll-backs.
    """
    latest: dict[str, datetime] = {}
    replayed = []
    for verdict in sorted(verdicts, key=lambda v: (v.subject.as_of, v.subject.run)):
        subject = verdict.subject
        why = _replay_refusal(verdict, latest.get(subject.model))
        if not why:
            latest[subject.model] = subject.as_of
        replayed.append(ReplayedVerdict(verdict, not why, why or verdict.headline))
    return replayed


def _replay_refusal(verdict: Verdict, latest: datetime | None) -> str:
    """The first rule that would have refused the promotion; empty where none would."""
    try:
        refuse_ahead(verdict.subject.as_of, "its as-of")
    except AheadOfClockError as error:
        return error.message
    if latest is not None and verdict.subject.as_of <= latest:
        return "as-of is not later than the one before"
    return "" if verdict.approved else verdict.headline


def bundle_folder(model: str, bundle: str) -> str:
    """The folder of a promoted bundle; the bundle's files lie in its subfolder `bundle/`."""
    return f"serving/{model}/bundles/{bundle}"


def export_folder(model: str, bundle: str, format_name: str) -> str:
    """The folder of a promoted bundle's export; it holds EXPORT_FILE."""
    return f"serving/{model}/exports/{bundle}/{format_name}"


def shipped_digest(lake: Lake, model: str, run: str) -> str:
    """Digest of the manifest of the run's `shipped/bundle/`.

    Raises NotFoundError where the run published no model, BundleError where the model has no
    shipped bundle.
    """
    folder = model_folder(run, model)
    shipped = lake.manifest(folder).below(SHIPPED_FOLDER)
    if not shipped.files:
        raise BundleError(f"{lake.uri(folder)} ships no bundle", "run the training task again")
    return shipped.digest


def served_digest(lake: Lake, model: str, bundle: str) -> str:
    """Digest of the manifest of a promoted bundle; equal to the one in its ledger entry."""
    return lake.manifest(bundle_folder(model, bundle)).below("bundle").digest


def publish_bundle(lake: Lake, verdict: Verdict) -> str:
    """Copy the judged bundle and its evidence into `bundle_folder`, and return the bundle's id.

    The id is the as-of and twelve characters of the folder's digest. So other content has another
    id, and a second copy changes nothing. Raises LakeError where a file differs from its manifest,
    NotFoundError where evidence is missing.
    """
    subject = verdict.subject
    with tempfile.TemporaryDirectory(prefix="marquee-bundle-") as scratch:
        folder = Path(scratch)
        lake.fetch(
            model_folder(subject.run, subject.model), folder / "bundle", below=SHIPPED_FOLDER
        )
        _copy_evidence(lake, model_folder(subject.run, subject.model), folder)
        _copy_figures(lake, subject.run, folder)
        bundle = f"{compact(subject.as_of)}-{Manifest.of_folder(folder).digest[:12]}"
        lake.publish(folder, bundle_folder(subject.model, bundle), run=subject.run)
    return bundle


def _copy_evidence(lake: Lake, source: str, folder: Path) -> None:
    published = {fact.name: fact.sha256 for fact in lake.manifest(source).files}
    kept = [RECORD_FILE] if lake.exists(f"{source}/{RECORD_FILE}") else []
    for name in (*EVIDENCE_FILES, *kept):
        data = lake.read_bytes(f"{source}/{name}")
        if published.get(name, digest_bytes(data)) != digest_bytes(data):
            raise BundleError(
                f"{lake.uri(source)}/{name} differs from its manifest",
                "run the training task again in a new run",
            )
        (folder / name).write_bytes(data)


def _copy_figures(lake: Lake, run: str, folder: Path) -> None:
    """Write `data.json` with the data figures of ratings and titles, where the run has any."""
    found = {
        name: lake.read_json(path) for name, path in figures_paths(run).items() if lake.exists(path)
    }
    if found:
        (folder / DATA_FILE).write_bytes(canonical_json(found))
