"""One run: who it is, up to when it sees, what its form asked for, where its things are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from marquee.form import Form
from marquee.lake import Lake
from marquee.names import iso
from marquee.release.subject import RunType
from marquee.schedule import interval
from marquee.settings import Settings
from marquee.stack.environment import Places

Model = Literal["recommender", "budget"]
MODELS: tuple[Model, ...] = ("recommender", "budget")
BACKFILL = "backfill"
NO_TITLES = "no source has brought titles home: there are no budgets to learn from"


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
    def places(self) -> Places:
        """The local state folder."""
        return Places(self.settings.state_folder)

    def path(self, below: str) -> str:
        """A lake path inside this run's own folder."""
        return f"runs/{self.id}/{below}"
