"""One run: its name, its as-of, its form, its lake, and the check of the lake's world.

Airflow's tasks and `marquee step` build a `Run` and pass it to a step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from marquee.artefacts.document import dig
from marquee.artefacts.inputs import Inputs
from marquee.artefacts.verdict import RunType
from marquee.clock import iso
from marquee.lake import Lake, World, check_world, claim_world
from marquee.policy import Model
from marquee.schedule import interval
from marquee.settings import Settings
from marquee.state_folders import StateFolders
from steps.form import Form

BACKFILL = "backfill"
NO_TITLES = "no source has brought titles home: there are no budgets to learn from"
OLD_TITLES = "this run's titles could not be loaded: the budget model waits for the next run"


@dataclass(frozen=True)
class Run:
    """One run of `weekly_retrain`; `id` is the name of its folder in the lake."""

    id: str
    as_of: datetime
    run_type: RunType
    form: Form
    settings: Settings
    lake: Lake

    @property
    def is_backfill(self) -> bool:
        """Whether the run is a backfill, by its type and not by its id."""
        return self.run_type == BACKFILL

    @property
    def interval(self) -> timedelta:
        """The schedule's interval at as-of."""
        return interval(self.settings.schedule.cron, self.as_of)

    @property
    def folders(self) -> StateFolders:
        """The folders of this world on this machine."""
        return StateFolders(self.settings.state_folder)

    @property
    def ratings_folder(self) -> Path:
        """The folder of the ratings release: `ratings.source`, else the synthetic world's."""
        source = self.settings.ratings.source
        return Path(source) if source else self.folders.world

    @property
    def crawl_folder(self) -> Path:
        """The output folder of this run's crawl."""
        return self.folders.crawl / "out" / self.id

    def path(self, below: str) -> str:
        """The lake path `below` in the run's folder."""
        return f"runs/{self.id}/{below}"

    def may_fetch(self, moment: datetime) -> bool:
        """Whether this run may fetch titles at `moment`.

        A backfill fetches no titles. A live run fetches titles until one interval after its as-of,
        because a later page holds facts from after as-of.
        """
        return not self.is_backfill and moment - self.as_of < self.interval

    def why_no_fetch(self) -> str:
        """The reason, in a sentence, where `may_fetch` is false."""
        if self.is_backfill:
            return "a backfill fetches no titles: it uses what the lake holds"
        return (
            f"as-of {iso(self.as_of)} lies an interval or more back: no titles are fetched, and "
            "the run knows what was fetched before its as-of"
        )


def claim_lake(run: Run) -> None:
    """Write the run's world to a new lake, or check the world of an existing lake.

    A backfill only checks. Raises ConflictError where the lake holds another world.
    """
    if run.is_backfill:
        check_lake(run)
        return
    drill = run.settings.lake.drill
    fault = _fault(run.ratings_folder) if drill else None
    claim_world(run.lake, World(run.settings.world, drill, fault))


def check_lake(run: Run) -> None:
    """Raise ConflictError where the world of the lake is not the run's."""
    check_world(run.lake, run.settings.world)


def why_skip(inputs: Inputs, models: Sequence[Model]) -> str | None:
    """The reason why none of `models` needs training in this run; None where a model needs it.

    The budget model learns only from titles. A run without titles, or with a failed load of titles,
    trains no budget model.
    """
    reasons = {model: _why_unneeded(inputs, model) for model in models}
    if not all(reasons.values()):
        return None
    if len(models) == 1:
        return reasons[models[0]]
    return "; ".join(f"{model}: {reason}" for model, reason in reasons.items())


def _why_unneeded(inputs: Inputs, model: Model) -> str | None:
    if model == "budget" and not inputs.titles:
        return NO_TITLES
    if model == "budget" and any(one.task == "load_titles" for one in inputs.degraded):
        return OLD_TITLES
    since = inputs.models[model].unchanged_since
    return f"nothing changed since run {since}" if since else None


def _fault(folder: Path) -> str | None:
    """The training fault in the `world.json` of a synthetic world; None without a fault."""
    try:
        found = dig(json.loads((folder / "world.json").read_text("utf-8")), "fault")
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, str) else None
