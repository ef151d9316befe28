"""The outcomes of a verdict: the request for an approval, a person's answer, the promotion.

Each outcome is one numbered file, `runs/R/models/M/outcomes/0001.json`, written once. The last
outcome counts. The report, the history, the page and the task logs show `outcome_sentence`. In
this module `folder` is the model's folder, `runs/R/models/M`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field

from marquee.artefacts.document import Document, Moment, NewerFormatError, read_document
from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import iso, now
from marquee.errors import ConflictError, ContractError, NotFoundError
from marquee.lake import Lake
from marquee.run_folder import model_folder, verdict_path
from release.ledger import Ledger
from release.promotion import refusal, standing_promotions

FORMAT = 1
T = TypeVar("T")
Kind = Literal["waiting", "approved", "rejected", "timed_out", "ended", "promoted", "refused"]
ANSWERS: tuple[Kind, ...] = ("approved", "rejected", "timed_out")


class Outcome(Document):
    """One event after a verdict."""

    kind: Kind
    at: Moment
    """When the outcome was written; for an answer, when the person gave it."""
    by: str = ""
    """Airflow's user who answered."""
    reason: str = ""
    remedy: str = ""
    until: Moment | None = None
    """When the request for an approval times out."""
    where: str = ""
    """The address where a person answers."""
    entry: int | None = None
    """The ledger entry of a promotion."""
    format: int = Field(default=FORMAT, ge=1)

    def __str__(self) -> str:
        """The outcome in a sentence."""
        return f"{_SENTENCES[self.kind](self)}."


class Approval(Document):
    """A person's approval, `runs/R/models/M/approval.json`."""

    by: str
    at: Moment


def _waits(o: Outcome) -> str:
    if o.until and now() > o.until:
        return f"It waited for a person's approval until {iso(o.until)}, and no answer is recorded"
    until = f" until {iso(o.until)}" if o.until else ""
    return f"It waits for a person's approval{until}" + (
        f": answer at {o.where}" if o.where else ""
    )


def _refused(o: Outcome) -> str:
    return f"It is not promoted: {o.reason}" + (f" — {o.remedy}" if o.remedy else "")


_SENTENCES: Any = {
    "waiting": _waits,
    "approved": lambda o: f"{o.by} approved it at {iso(o.at)}; its promotion is not written yet",
    "rejected": lambda o: f"It is not promoted: {o.by} rejected it at {iso(o.at)}",
    "timed_out": lambda o: f"It is not promoted: nobody answered by {iso(o.at)}",
    "ended": lambda o: (
        f"It is not promoted: its run ended at {iso(o.at)}, and no answer was recorded by then — "
        "trigger a new run, which asks again"
    ),
    "promoted": lambda o: f"Entry {o.entry} promotes it",
    "refused": _refused,
}


def read_outcomes(lake: Lake, folder: str) -> list[Outcome]:
    """All outcomes of the run's verdict, oldest first; ContractError where one is damaged."""
    return [_read(Outcome, lake, path) for path in _paths(lake, folder)]


def last_outcome(lake: Lake, folder: str) -> Outcome | None:
    """The last outcome; None where there is none."""
    paths = _paths(lake, folder)
    return _read(Outcome, lake, paths[-1]) if paths else None


def add_outcome(lake: Lake, folder: str, outcome: Outcome) -> Outcome:
    """Write the next outcome, unless it equals the last one, as in a retry.

    Outcomes are equal where all but `at` is the same; for answers `at` counts too.
    """
    while True:
        paths = _paths(lake, folder)
        if paths:
            last = _read(Outcome, lake, paths[-1])
            is_answer = outcome.kind in ANSWERS
            if last == (outcome if is_answer else outcome.model_copy(update={"at": last.at})):
                return last
        number = 1 + (int(Path(paths[-1]).stem) if paths else 0)
        with suppress(ConflictError):  # another attempt took the number: take the next
            lake.create_json(f"{folder}/outcomes/{number:04}.json", outcome.model_dump(mode="json"))
            return outcome


def read_approval(lake: Lake, folder: str) -> Approval | None:
    """The person's approval; None where there is none."""
    try:
        return _read(Approval, lake, f"{folder}/approval.json")
    except NotFoundError:
        return None


def outcome_sentence(
    verdict: Verdict,
    entries: Sequence[Entry],
    outcome: Outcome | None = None,
    approval: Approval | None = None,
) -> str:
    """The present outcome of a verdict, in one or two sentences.

    `entries` are the model's ledger: it decides what was promoted. Where no outcome was written,
    the rules of promotion are applied as of now. That is the case while a run goes on, and for
    runs of early releases.
    """
    mine = promotion_of(verdict, entries)
    is_later = outcome and outcome.kind == "refused" and mine and outcome.at >= mine.at
    if mine and not is_later:
        return _promoted(mine, entries, approval)
    if not verdict.approved or not verdict.may_promote:
        return verdict.consequence
    if outcome and outcome.kind != "promoted":
        return str(outcome)
    if why := refusal(verdict, list(entries), approved=True):
        return str(Outcome(kind="refused", at=now(), reason=why[0], remedy=why[1]))
    return verdict.consequence


def outcome_of_run(lake: Lake, model: str, run: str) -> str:
    """`outcome_sentence` of a run's verdict in the lake; NotFoundError where there is none."""
    folder = model_folder(run, model)
    verdict = read_verdict(lake.read_bytes(verdict_path(run, model)))
    entries = Ledger(lake, model).entries()
    return outcome_sentence(
        verdict, entries, last_outcome(lake, folder), read_approval(lake, folder)
    )


def promotion_of(verdict: Verdict, entries: Sequence[Entry]) -> Entry | None:
    """The entry that promoted the verdict's run."""
    return next((e for e in entries if e.kind == "promote" and e.run == verdict.subject.run), None)


def _promoted(mine: Entry, entries: Sequence[Entry], approval: Approval | None) -> str:
    by = mine.approved_by or (approval.by if approval else "")
    sentence = f"Entry {mine.number} promotes {mine.bundle}"
    sentence += f"; {by} approved it." if by else "."
    if mine in standing_promotions(entries):
        return sentence
    undone = [e for e in entries if e.kind == "roll_back" and e.number > mine.number][-1]
    return f"{sentence} Entry {undone.number} rolled it back: {undone.reason}."


def _paths(lake: Lake, folder: str) -> list[str]:
    found = lake.names(f"{folder}/outcomes")
    return [f"{folder}/outcomes/{n}" for n in found if re.fullmatch(r"\d{4}\.json", n)]


def _read(kind: type[T], lake: Lake, path: str) -> T:
    data = lake.read_bytes(path)
    try:
        return read_document(kind, data, FORMAT)
    except NewerFormatError as error:
        raise ContractError(f"{lake.uri(path)}: {error}", "update this release") from None
    except ValueError as error:
        raise ContractError(
            f"{lake.uri(path)} is not what a run leaves there: {error}",
            "restore it from a copy of the lake",
        ) from None
