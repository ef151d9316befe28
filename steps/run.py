"""One run: who it is, up to when it sees, what its form asked for, where its things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from marquee.artefacts.inputs import Inputs
from marquee.artefacts.subject import RunType
from marquee.form import Form
from marquee.lake import Lake
from marquee.names import iso
from marquee.policy import Model
from marquee.schedule import interval
from marquee.settings import Settings
from marquee.state_folders import StateFolders

BACKFILL = "backfill"
NO_TITLES = "no source has brought titles home: there are no budgets to learn from"
OLD_TITLES = "this run's titles could not be loaded: the budget model waits for the next run"


@dataclass(frozen=True)
class Run:
    """One run of `weekly_retrain`; `id` is its folder's name in the lake."""

    id: str
    as_of: datetime
    run_type: RunType
    form: Form
    settings: Settings
    lake: Lake

    @property
    def is_backfill(self) -> bool:
        """Known by the run's type, never by its id."""
        return self.run_type == BACKFILL

    @property
    def interval(self) -> timedelta:
        """The schedule's interval at as-of."""
        return interval(self.settings.schedule.cron, self.as_of)

    def may_fetch(self, moment: datetime) -> bool:
        """Whether this run may bring titles home at `moment`: live, and its as-of less than one
        interval before. What is known later than that, it could not have seen."""
        return not self.is_backfill and moment - self.as_of < self.interval

    def too_late(self) -> str:
        """Why it may not, in a sentence."""
        if self.is_backfill:
            return "a backfill fetches no titles: it uses what the lake holds"
        return (
            f"as-of {iso(self.as_of)} lies an interval or more back: no titles are fetched, and "
            "the run knows what was fetched before its as-of"
        )

    @property
    def places(self) -> StateFolders:
        """The local state folder."""
        return StateFolders(self.settings.state_folder)

    def path(self, below: str) -> str:
        """A lake path inside this run's own folder."""
        return f"runs/{self.id}/{below}"


def why_skip(inputs: Inputs, models: Sequence[Model]) -> str | None:
    """Why no model among `models`, those who need a job, needs it in this run; None where one does.

    The budget model learns from titles alone: a run without them, or whose own could not be
    loaded, leaves it as it is. The recommender goes on with what there is.
    """
    reasons = {model: _why_still(inputs, model) for model in models}
    if not all(reasons.values()):
        return None
    if len(models) == 1:
        return reasons[models[0]]
    return "; ".join(f"{model}: {reason}" for model, reason in reasons.items())


def _why_still(inputs: Inputs, model: Model) -> str | None:
    if model == "budget" and not inputs.titles:
        return NO_TITLES
    if model == "budget" and any(one.task == "load_titles" for one in inputs.degraded):
        return OLD_TITLES
    since = inputs.models[model].unchanged_since
    return f"nothing changed since run {since}" if since else None
