"""approve: does this run ask for a person's yes, and what did the person say?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import now
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import Model
from release.bundles import model_folder
from release.outcome import (
    ANSWERS,
    Approval,
    Kind,
    Outcome,
    add_outcome,
    last_outcome,
    read_approval,
    read_outcomes,
)
from steps.run import Run

YES = "Approve"
"""Airflow's option that means so."""


@dataclass(frozen=True)
class Answer:
    """What came back from Airflow: a person's yes or no, or the silence of its time-out."""

    kind: Kind
    by: str
    at: datetime

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Answer:
        """From the event of Airflow's human-in-the-loop task, or its result."""
        by = event.get("responded_by_user") or {}
        at = event.get("responded_at") or now()
        if YES in (event.get("chosen_options") or []):
            return cls("approved", str(by.get("name") or by.get("id") or "an unknown user"), at)
        if by:
            return cls("rejected", str(by.get("name") or by.get("id")), at)
        return cls("timed_out", "", at)

    @property
    def outcome(self) -> Outcome:
        """As the lake keeps it."""
        return Outcome(kind=self.kind, at=self.at, by=self.by)


def folder_of(run: Run, model: Model) -> str:
    """Where the run keeps the model and its verdict."""
    return run.path(f"models/{model}")


def verdict_of(run: Run, model: Model) -> Verdict:
    """The verdict as the lake holds it."""
    return read_verdict(run.lake.read_bytes(f"{folder_of(run, model)}/verdict.json"))


def approval_of(run: Run, model: Model) -> Approval | None:
    """Who said yes, and when; None where nobody did."""
    return read_approval(run.lake, folder_of(run, model))


def is_given(run: Run, model: Model) -> bool:
    """Whether a person's yes is written down."""
    return approval_of(run, model) is not None


def record_answer(run: Run, model: Model, answer: Answer) -> None:
    """Write down what the person said, once: promotion reads this, not the graph."""
    if is_given(run, model) or is_recorded(run, model, answer):
        return
    if answer.kind == "approved":
        path = f"{folder_of(run, model)}/approval.json"
        run.lake.create_json(path, {"by": answer.by, "at": iso(answer.at)})
    add_outcome(run.lake, folder_of(run, model), answer.outcome)


def is_recorded(run: Run, model: Model, answer: Answer) -> bool:
    """Whether this very answer was written down: a task cleared since then asks afresh."""
    return answer.outcome in read_outcomes(run.lake, folder_of(run, model))


def last_answer(run: Run, model: Model) -> Outcome | None:
    """What the person said last; None where nobody answered, or a new question stands."""
    said = [
        o for o in read_outcomes(run.lake, folder_of(run, model)) if o.kind in (*ANSWERS, "waiting")
    ]
    return said[-1] if said and said[-1].kind in ANSWERS else None


def ask(run: Run, model: Model, until: datetime | None, where: str) -> Outcome:
    """Write down that a person is asked, for the report and the history."""
    asked = Outcome(kind="waiting", at=now(), until=until, where=where)
    return add_outcome(run.lake, folder_of(run, model), asked)


def end_wait(lake: Lake, run: str, model: Model) -> Outcome | None:
    """Write down that run `run` is over, where a person was still asked: no task of it does so any
    more, and whoever answers now is heard by nobody. None where nobody was."""
    folder = model_folder(run, model)
    last = last_outcome(lake, folder)
    if last is None or last.kind != "waiting":
        return None
    return add_outcome(lake, folder, Outcome(kind="ended", at=now()))
