"""What the app answers from: two followers and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from marquee.lake import Lake
from marquee.scoring.budget.model import BudgetModel
from serving.follower import Champion, Follower
from serving.journal import Journal
from serving.loading import LoadedRecommender, load_budget, load_recommender
from serving.problems import NothingServesError

M = TypeVar("M")


@dataclass(frozen=True)
class Source:
    """Everything behind the routes; one a process."""

    recommender: Follower[LoadedRecommender]
    budget: Follower[BudgetModel]
    journal: Journal
    lake: Lake
    """Where runs keep their reports."""
    scale: tuple[float, float] = (0.5, 5.0)
    """Lowest and highest rating a person may give."""
    poll_seconds: float = 1.0

    @property
    def followers(self) -> dict[str, Follower[Any]]:
        """By the model's name."""
        return {f.name: f for f in (self.recommender, self.budget)}

    def start(self) -> None:
        for follower in self.followers.values():
            follower.start(self.poll_seconds)

    def stop(self) -> None:
        for follower in self.followers.values():
            follower.stop()


def open_source(
    lake: Lake,
    cache: Path,
    feedback: Path,
    server: str = "local",
    scale: tuple[float, float] = (0.5, 5.0),
    poll_seconds: float = 1.0,
) -> Source:
    """Followers of both models in `lake`, and the journal kept in the folder `feedback`."""
    return Source(
        Follower(lake, "recommender", load_recommender, cache),
        Follower(lake, "budget", load_budget, cache),
        Journal(feedback, server),
        lake,
        scale,
        poll_seconds,
    )


def serving_now(follower: Follower[M]) -> Champion[M]:
    """The champion to answer one whole request from; NothingServesError (503) without one."""
    view = follower.view
    if view.champion is None:
        raise NothingServesError(follower.name, view.trouble)
    return view.champion
