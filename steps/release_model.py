"""gate, approve, promote, verify_serving: the release of an evaluated model.

The gate writes the verdict. A person approves where the run's form requires an approval. `promote`
reads the verdict and the approval from the lake. So a task that a person marks as success in
Airflow promotes nothing. `verify_serving` waits until the API serves the new bundle.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marquee.artefacts.verdict import Verdict, read_verdict
from marquee.clock import iso, now
from marquee.errors import PromotionRefusedError, StackError
from marquee.lake import Lake
from marquee.policy import Model
from marquee.run_folder import (
    model_folder,
    verdict_path,
)
from release.judge import judge
from release.outcomes import (
    ANSWERS,
    Approval,
    Kind,
    Outcome,
    add_outcome,
    last_outcome,
    read_approval,
    read_outcomes,
)
from release.promotion import promote as promote_bundle
from report.model_page import write_page
from steps.run import Run

APPROVE = "Approve"
"""The name of the option in Airflow that approves."""
SERVING_SECONDS = 60
"""The time that serving has to load a new champion."""


def gate(run: Run, model: Model) -> Verdict:
    """Judge the run's challenger and write its report page; a rejection raises no error."""
    verdict = judge(run.lake, model, run.id)
    write_page(run.lake, verdict)
    for sentence in verdict.sentences():
        print(sentence, flush=True)
    print(f"report: {run.lake.uri(run.path(f'models/{model}/report.html'))}", flush=True)
    return verdict


def verdict_of(run: Run, model: Model) -> Verdict:
    """The verdict of the run on one model, from the lake."""
    return read_verdict(run.lake.read_bytes(verdict_path(run.id, model)))


@dataclass(frozen=True)
class ApprovalAnswer:
    """The response to an approval request in Airflow: approved, rejected or timed out."""

    kind: Kind
    by: str
    at: datetime

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> ApprovalAnswer:
        """The answer in the event, or in the result, of Airflow's human-in-the-loop task."""
        by = event.get("responded_by_user") or {}
        at = event.get("responded_at") or now()
        if APPROVE in (event.get("chosen_options") or []):
            return cls("approved", str(by.get("name") or by.get("id") or "an unknown user"), at)
        if by:
            return cls("rejected", str(by.get("name") or by.get("id")), at)
        return cls("timed_out", "", at)

    @property
    def outcome(self) -> Outcome:
        """The answer as an Outcome, for the lake."""
        return Outcome(kind=self.kind, at=self.at, by=self.by)


def record_question(run: Run, model: Model, until: datetime | None, where: str) -> Outcome:
    """Record an open approval request in the lake, for the report and the history."""
    waiting = Outcome(kind="waiting", at=now(), until=until, where=where)
    return add_outcome(run.lake, model_folder(run.id, model), waiting)


def record_answer(run: Run, model: Model, answer: ApprovalAnswer) -> None:
    """Record a person's answer in the lake once; `promote` reads it there."""
    if is_approved(run, model) or is_recorded(run, model, answer):
        return
    folder = model_folder(run.id, model)
    if answer.kind == "approved":
        run.lake.create_json(f"{folder}/approval.json", {"by": answer.by, "at": iso(answer.at)})
    add_outcome(run.lake, folder, answer.outcome)


def approval_of(run: Run, model: Model) -> Approval | None:
    """The approval in the lake, with person and moment; None without an approval."""
    return read_approval(run.lake, model_folder(run.id, model))


def is_approved(run: Run, model: Model) -> bool:
    """Whether the lake holds an approval."""
    return approval_of(run, model) is not None


def is_recorded(run: Run, model: Model, answer: ApprovalAnswer) -> bool:
    """Whether the lake holds this answer; a cleared task may get a second, different answer."""
    return answer.outcome in read_outcomes(run.lake, model_folder(run.id, model))


def last_answer(run: Run, model: Model) -> Outcome | None:
    """The latest answer; None without an answer, or where a newer request is open."""
    outcomes = read_outcomes(run.lake, model_folder(run.id, model))
    found = [one for one in outcomes if one.kind in (*ANSWERS, "waiting")]
    return found[-1] if found and found[-1].kind in ANSWERS else None


def end_approval_request(lake: Lake, run: str, model: Model) -> Outcome | None:
    """Record that a run ended with an open approval request; None where no request is open.

    An answer after the end of the run has no effect.
    """
    folder = model_folder(run, model)
    last = last_outcome(lake, folder)
    if last is None or last.kind != "waiting":
        return None
    return add_outcome(lake, folder, Outcome(kind="ended", at=now()))


def promote(run: Run, model: Model, answer: ApprovalAnswer | None = None) -> dict[str, Any]:
    """Promote the run's challenger and record the outcome beside the verdict.

    `answer` is a person's answer from Airflow. The function records the answer where an earlier
    task could not reach the lake. Raises PromotionRefusedError where verdict or approval do not
    allow the promotion.
    """
    if answer:
        record_answer(run, model, answer)
    approval, last = approval_of(run, model), last_answer(run, model)
    if last and not approval:
        print(last, flush=True)
        raise PromotionRefusedError(str(last), "to be asked again, clear the approve task")
    folder = model_folder(run.id, model)
    try:
        entry = promote_bundle(
            run.lake,
            model,
            run.id,
            approved=approval is not None,
            approved_by=approval.by if approval else "",
        )
    except PromotionRefusedError as error:
        refused = Outcome(kind="refused", at=now(), reason=error.message, remedy=error.remedy)
        print(add_outcome(run.lake, folder, refused), flush=True)
        raise
    promoted = Outcome(kind="promoted", at=now(), by=entry.approved_by, entry=entry.number)
    add_outcome(run.lake, folder, promoted)
    print(f"entry {entry.number}: {entry.bundle} was made the {model}'s champion", flush=True)
    return {"number": entry.number, "bundle": entry.bundle}


def verify_serving(run: Run, model: Model, bundle: str) -> dict[str, Any]:
    """Wait until the API serves `bundle`; returns the API's state of the model.

    It asks `/readyz`, which answers without a token. Raises StackError with the API's last
    response after `SERVING_SECONDS`.
    """
    import httpx  # here, because Airflow parses this module for the DAG and needs no HTTP client

    url = f"{run.settings.serving_url}/readyz"
    deadline, last = time.monotonic() + SERVING_SECONDS, "no answer"
    while time.monotonic() < deadline:
        try:
            found = httpx.get(url, timeout=5, trust_env=False).json()
            state = next(m for m in found["models"] if m["model"] == model)
            if state.get("bundle") == bundle:
                print(f"the API serves {bundle}", flush=True)
                return dict(state)
            last = f"it serves {state.get('bundle')}: {state.get('trouble') or 'no reason given'}"
        except (httpx.HTTPError, ValueError, KeyError, StopIteration) as error:
            last = f"{type(error).__name__}: {error}"
        time.sleep(0.3)
    raise StackError(
        f"after {SERVING_SECONDS} s the API at {url} does not serve {bundle}: {last}",
        "look at serving's log; the ledger stands, and serving follows it when it is back",
    )
