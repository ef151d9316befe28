"""A person's yes: asked for only where the run's form says `promote: ask`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from marquee.names import iso
from marquee.schedule import approval_closes
from marquee.settings import ScheduleSettings
from marquee.steps.approve import is_given, record_approval, verdict_of
from marquee.steps.run import Model
from marquee_airflow.runs import current_run
from marquee_airflow.tasks import step


class PromotionApprovalOperator(ApprovalOperator):
    """Succeeds at once when not asked for; silence until the time-out means no.

    The yes is written into the lake, where promotion looks for it: marking this task as success
    in the UI approves nothing.
    """

    def __init__(self, *, model: Model, schedule: ScheduleSettings, **kwargs: Any) -> None:
        self.model = model
        self.schedule = schedule
        super().__init__(
            subject=f"May the new {model} serve?",
            body="Its verdict is in the gate task's log; that task's Report button opens the page.",
            defaults=self.REJECT,
            response_timeout=timedelta(days=schedule.approval_days),
            **kwargs,
        )

    @step
    def execute(self, context: Any) -> Any:
        """Ask, where the verdict says that a person must."""
        run = current_run(context)
        if not verdict_of(run, self.model).needs_approval or is_given(run, self.model):
            self.log.info("nobody was asked: promote is not 'ask', or the yes is there already")
            return None
        asked = datetime.now(UTC)
        closes = approval_closes(self.schedule.cron, asked, self.schedule.approval_days)
        self.response_timeout = max(closes - asked, timedelta(seconds=1))
        self.log.info("silence means no from %s on", iso(closes))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write a yes down before the rest of the graph goes on."""
        if self.APPROVE in (event.get("chosen_options") or []):
            by = event.get("responded_by_user") or {}
            record_approval(current_run(context), self.model, str(by.get("name") or "unknown"))
        return super().execute_complete(context, event)
