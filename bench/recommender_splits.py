"""The splits that recommenders are compared on: `u1`-`u5` (MovieLens 100K's own), `session`,
`global`, `last20`, `random75`. Train and holdout hold different rows; no split depends on a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import SourceError
from scoring.arrays import Mask
from scoring.recommender.holdout import global_time, last_session, last_share, random_share
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import OFFICIAL_SPLITS, Release, read_official_split

RULES: dict[str, Callable[[Ratings, int], Mask]] = {
    "session": lambda rows, seed: last_session(rows),
    "global": lambda rows, seed: global_time(rows.times),
    "last20": lambda rows, seed: last_share(rows),
    "random75": random_share,
}
SEEDED = ("random75",)
"""Splits that the seed changes; on the others a seed changes the models alone."""


def is_late(name: str) -> bool:
    """Whether a split holds out what came later, rather than rows drawn by lot."""
    return name in ("session", "global", "last20")


def inner_rule(name: str) -> Callable[[Ratings, int], Mask]:
    """The rule by which a model is tuned inside train: that of the split, or rows drawn by lot."""
    return RULES.get(name, random_share)


@dataclass(frozen=True)
class Split:
    """One split: train rows and holdout rows."""

    name: str
    train: Ratings
    holdout: Ratings


def make_split(folder: Path, release: Release, name: str, seed: int) -> Split:
    """A split of the release in `folder`; SourceError where it has none of that name, or the split
    holds out nothing."""
    if name in OFFICIAL_SPLITS:
        return Split(name, *read_official_split(folder, name))
    if name not in RULES:
        raise SourceError(
            f"no split is called {name}", f"use {', '.join([*OFFICIAL_SPLITS, *RULES])}"
        )
    held = RULES[name](release.ratings, seed)
    if not held.any() or held.all():
        raise SourceError(
            f"{name} leaves {int((~held).sum())} rows to learn from and {int(held.sum())} to ask",
            "give a release with more ratings a person",
        )
    return Split(name, release.ratings.take(~held), release.ratings.take(held))


def seed_list(text: str) -> list[int]:
    """Seeds joined by commas, for a command line."""
    return [int(part) for part in text.split(",") if part.strip()]
