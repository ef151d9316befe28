"""A person's yes: asked for only where the run's form says `promote: ask`.

An answer that was given counts. It is the task's result, so a lake that is away loses none, and a
retry waits on the question that stands, so a worker that dies asks nobody twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.providers.standard.triggers.hitl import HITLTrigger
from airflow.sdk.exceptions import TaskAwaitingInput

from marquee.artefacts.inputs import degradation
from marquee.artefacts.verdict import Verdict
from marquee.errors import MarqueeError, retry_helps
from marquee.names import iso
from marquee.policy import Model
from marquee.schedule import approval_closes
from marquee.settings import ScheduleSettings
from marquee_airflow.report_link import address
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import step
from release.outcome import Outcome, last_outcome
from steps.approve import Answer, ask, folder_of, is_given, record_answer, verdict_of
from steps.run import Run

WHO = "Whoever may edit this DAG in Airflow may answer"


class PromotionApprovalOperator(ApprovalOperator):
    """Succeeds at once when not asked for; silence until the time-out means no.

    The answer is written into the lake, where promotion looks for it: marking this task as success
    in the UI approves nothing. A no skips nothing here: `promote` does, and says who said it.
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

    @step
    def execute(self, context: Any) -> Any:
        """Ask, where the verdict says that a person must and none has answered."""
        run = current_run(context)
        verdict = verdict_of(run, self.model)
        if not verdict.needs_approval or is_given(run, self.model):
            self.log.info("nobody was asked: promote is not 'ask', or the yes is there already")
            return None
        asked = last_outcome(run.lake, folder_of(run, self.model))
        if asked and asked.kind == "waiting" and context["task_instance"].try_number > 1:
            self._wait_on(context, asked)
        self._ask(context, run, verdict)

    def _ask(self, context: Any, run: Run, verdict: Verdict) -> None:
        """Put the question into words, ask it, and leave word of it for the report."""
        asked = datetime.now(UTC)  # Airflow waits by the machine's clock
        until = approval_closes(self.schedule.cron, asked, self.schedule.approval_days)
        self.response_timeout = max(until - asked, timedelta(seconds=1))
        where = self.generate_link_to_ui_from_context(context=context)
        degraded = [str(one) for one in degradation(run.lake, run.id)]
        self.body = question(verdict, address(self.model, run.id), iso(until), degraded)
        try:
            super().execute(context)
        except TaskAwaitingInput:  # the question stands in Airflow now
            print(f"{verdict.headline} {ask(run, self.model, until, where)}", flush=True)
            raise

    def _wait_on(self, context: Any, asked: Outcome) -> None:
        """Go on waiting for the answer to the question that an earlier attempt asked.

        Airflow hands that question on to the retry; asking again would clear an answer given
        meanwhile. A worker may not read it, the triggerer may.
        """
        print(f"an earlier attempt asked already. {asked}", flush=True)
        self.defer(
            trigger=HITLTrigger(
                ti_id=context["task_instance"].id,
                options=self.options,
                defaults=self.defaults,
                params=self.serialized_params,
                multiple=self.multiple,
                timeout_datetime=asked.until,
            ),
            method_name="execute_complete",
        )

    @step
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write the answer down; where the lake is away, `promote` does so from the result."""
        answer = Answer.of(event)
        try:
            record_answer(current_run(context), self.model, answer)
        except MarqueeError as error:
            if not retry_helps(error):
                raise
            print(f"{error}. The answer is kept in Airflow; promote writes it down.", flush=True)
        print(answer.outcome, flush=True)
        return HITLOperator.execute_complete(self, context, event)


def question(verdict: Verdict, report: str, until: str, degraded: Sequence[str] = ()) -> str:
    """What the person reads who is asked: what the run went without, the verdict's table, the
    report, who and by when."""
    without = "".join(f"degraded: {one}\n\n" for one in degraded)
    by = f"by {until}; no answer by then is a no, and the champion stays"
    return f"{without}{verdict.markdown()}\n[The whole report]({report})\n\n{WHO} {by}.\n"
