"""A person's yes: asked for only where the run's form says `promote: ask`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from marquee.schedule import time_to_answer
from marquee.steps.approve import is_given, record_approval, verdict_of
from marquee.steps.run import Model
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import step


class PromotionApprovalOperator(ApprovalOperator):
    """Succeeds at once when not asked for; silence until the time-out means no.

    The yes is written into the lake, where promotion looks for it: marking this task as success
    in the UI approves nothing.
    """

    def __init__(self, *, model: Model, days: int, **kwargs: Any) -> None:
        self.model = model
        super().__init__(
            subject=f"May the new {model} serve?",
            body="Its verdict is in the gate task's log; that task's Report button opens the page.",
            defaults=self.REJECT,
            response_timeout=timedelta(days=days),
            **kwargs,
        )

    @step
    def execute(self, context: Any) -> Any:
        """Ask, where the verdict says that a person must."""
        run = current_run(context)
        schedule = run.settings.schedule
        left = time_to_answer(schedule.cron, datetime.now(UTC), schedule.approval_days)
        self.response_timeout = left
        if not verdict_of(run, self.model).needs_approval or is_given(run, self.model):
            self.log.info("nobody was asked: promote is not 'ask', or the yes is there already")
            return None
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write a yes down before the rest of the graph goes on."""
        if self.APPROVE in (event.get("chosen_options") or []):
            by = event.get("responded_by_user") or {}
            record_approval(current_run(context), self.model, str(by.get("name") or "unknown"))
        return super().execute_complete(context, event)
