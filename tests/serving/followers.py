"""A follower of the recommender's ledger, and the number of the entry that it serves."""

from __future__ import annotations

from pathlib import Path

from marquee.lake import Lake
from serving.engines import LoadedRecommender, load_recommender
from serving.follower import Follower


def open_follower(lake: Lake, folder: Path, clock: list[float]) -> Follower[LoadedRecommender]:
    """A follower with its cache below `folder`; it reads the time from `clock`."""
    return Follower(lake, "recommender", load_recommender, folder / "cache", lambda: clock[0])


def number(follower: Follower[LoadedRecommender]) -> int | None:
    """The number of the ledger entry whose bundle serves; None before there is one."""
    champion = follower.view.champion
    return champion.entry.number if champion else None
