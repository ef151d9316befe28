"""Approval by a person in Airflow: the Report button on the gate, and the task `approve` after it.

The task asks a person only where the run's form says `promote: ask`. The answer is the task's
result, so it survives an outage of the lake. A retry waits for the answer to the first question,
so a worker that dies does not ask twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.providers.standard.triggers.hitl import HITLTrigger
from airflow.sdk import BaseOperatorLink
from airflow.sdk.exceptions import TaskAwaitingInput

from marquee.clock import iso
from marquee.errors import MarqueeError, retry_helps
from marquee.identifiers import run_slug
from marquee.policy import Model
from marquee.schedule import approval_closes
from marquee.settings import ScheduleSettings, load_settings
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import airflow_step

if TYPE_CHECKING:
    from marquee.artefacts.verdict import Verdict
    from release.outcomes import Outcome
    from steps.run import Run

WHO_MAY_ANSWER = "Whoever may edit this DAG in Airflow may answer"


@attrs.define()
class ReportLink(BaseOperatorLink):
    """A button on a task of a model's group, such as `recommender.gate`.

    Airflow's worker computes the address when the task ends and keeps it as an XCom. The API of
    the running stack serves the page from the lake, for rejected models too.
    """

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address of the report on this run's model."""
        return report_address(str(operator.task_id).split(".")[0], run_slug(ti_key.run_id))


def with_report_button(task: Any) -> Any:
    """Add the button to a task; `task` is what a call of a `@task` function returns."""
    task.operator.operator_extra_links = (ReportLink(),)
    return task


def report_address(model: str, run: str) -> str:
    """The address at which the API serves a run's report on a model."""
    return f"{load_settings().api_url}/v1/models/{model}/runs/{run}/report"


class PromotionApprovalOperator(ApprovalOperator):
    """Asks a person whether the new model may serve; a time-out means no.

    It succeeds at once where the verdict needs no approval. It writes the answer into the lake,
    where `promote` reads it, so marking this task as success in the UI approves nothing. After a
    no, this task succeeds and `promote` skips itself, naming the person.
    """

    def __init__(self, *, model: Model, schedule: ScheduleSettings, **kwargs: Any) -> None:
        self.model = model
        self.schedule = schedule
        super().__init__(
            subject=f"May the new {model} serve?",
            body="The verdict is shown here when the question is asked.",
            defaults=self.REJECT,
            response_timeout=timedelta(days=schedule.approval_days),
            **kwargs,
        )

    @airflow_step
    def execute(self, context: Any) -> Any:
        """Ask where the verdict needs an approval and the lake holds none."""
        from marquee.run_folder import model_folder
        from release.outcomes import last_outcome
        from steps.release_model import is_approved, verdict_of

        run = current_run(context)
        verdict = verdict_of(run, self.model)
        if not verdict.needs_approval or is_approved(run, self.model):
            self.log.info("nobody was asked: promote is not 'ask', or the yes is there already")
            return None
        last = last_outcome(run.lake, model_folder(run.id, self.model))
        if last and last.kind == "waiting" and context["task_instance"].try_number > 1:
            self._wait_on(context, last)
        self._ask(context, run, verdict)

    def _ask(self, context: Any, run: Run, verdict: Verdict) -> None:
        """Ask the question, and record in the lake that it waits."""
        from marquee.run_folder import degraded_tasks
        from steps.release_model import record_question

        asked_at = datetime.now(UTC)  # the machine's clock, as Airflow's own time-outs
        until = approval_closes(self.schedule.cron, asked_at, self.schedule.approval_days)
        self.response_timeout = max(until - asked_at, timedelta(seconds=1))
        where = self.generate_link_to_ui_from_context(context=context)
        degraded = [str(one) for one in degraded_tasks(run.lake, run.id)]
        self.body = question_text(verdict, report_address(self.model, run.id), iso(until), degraded)
        try:
            super().execute(context)
        except TaskAwaitingInput:  # the question stands in Airflow now
            waiting = record_question(run, self.model, until, where)
            print(f"{verdict.headline} {waiting}", flush=True)
            raise

    def _wait_on(self, context: Any, waiting: Outcome) -> None:
        """Wait for the answer to the question that an earlier attempt asked.

        Airflow keeps that question during the retry, and asking again would delete its answer. A
        worker may not read the answer, so the triggerer waits for it.
        """
        print(f"an earlier attempt asked already. {waiting}", flush=True)
        self.defer(
            trigger=HITLTrigger(
                ti_id=context["task_instance"].id,
                options=self.options,
                defaults=self.defaults,
                params=self.serialized_params,
                multiple=self.multiple,
                timeout_datetime=waiting.until,
            ),
            method_name="execute_complete",
        )

    @airflow_step
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Record the answer in the lake; where the lake is away, `promote` records it later."""
        from steps.release_model import ApprovalAnswer, record_answer

        answer = ApprovalAnswer.of(event)
        try:
            record_answer(current_run(context), self.model, answer)
        except MarqueeError as error:
            if not retry_helps(error):
                raise
            print(f"{error}. The answer is kept in Airflow; promote writes it down.", flush=True)
        print(answer.outcome, flush=True)
        return HITLOperator.execute_complete(self, context, event)


def question_text(verdict: Verdict, report: str, until: str, degraded: Sequence[str] = ()) -> str:
    """The question in Markdown.

    It has the degradations of the run, the verdict's table, the report's address, who may answer,
    and until when.
    """
    without = "".join(f"degraded: {one}\n\n" for one in degraded)
    by = f"{WHO_MAY_ANSWER} by {until}; no answer by then is a no, and the champion stays"
    return f"{without}{verdict.markdown()}\n[The whole report]({report})\n\n{by}.\n"
