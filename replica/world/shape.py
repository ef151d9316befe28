"""How big a world is and how its numbers fall; written into `world.json` as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from marquee.errors import SourceError

FIRST_RATING = datetime(2020, 1, 5, tzinfo=UTC)
LAST_RATING = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)
LAST_RELEASE = date(2026, 9, 30)
FIRST_YEAR = 1972


@dataclass(frozen=True)
class Shape:
    """Sizes, and the spreads (standard deviations, in stars) ratings are made of."""

    seed: int
    people: int
    titles: int
    latent: int = 8
    mean: float = 3.55
    person_spread: float = 0.35
    title_spread: float = 0.35
    taste_spread: float = 0.55
    noise: float = 0.6
    ratings_a_person: int = 46
    """Median; the mean is about 1.3 times that."""
    choosiness: float = 1.1
    """How far taste outweighs popularity when a person picks what to watch."""
    budget_noise: float = 0.12
    """Standard deviation of log10 dollars that nothing explains."""

    def __post_init__(self) -> None:
        if self.people < 2 or self.titles < 10:
            raise SourceError(
                f"a world of {self.people} people and {self.titles} titles is too small",
                "ask for at least 2 people and 10 titles",
            )

    @property
    def directors(self) -> int:
        return max(3, self.titles // 5)

    def stream(self, part: str) -> np.random.Generator:
        """A random stream for one part of the world: changing one part leaves the others."""
        return np.random.default_rng([self.seed, *part.encode()])
