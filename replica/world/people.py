"""Those who make films: directors with a career and a scale, writers, actors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.world.budgets import COUNTRIES, Country
from replica.world.genres import GENRES
from replica.world.shape import FIRST_YEAR, LAST_RELEASE, Shape
from replica.world.title import Name
from replica.world.words import FAMILY, GIVEN


@dataclass(frozen=True)
class Director:
    name: Name
    country: Country
    favourites: tuple[str, ...]
    scale: float
    """How big this director's films tend to be: about -0.6 (small) to 0.6 (big)."""
    first_year: int
    last_year: int


def draw_names(rng: np.random.Generator, count: int, first_id: int) -> list[Name]:
    """`count` people, their names different while the lists last."""
    pairs = rng.permutation(len(GIVEN) * len(FAMILY))
    return [
        Name(
            name_id=f"nm{first_id + k:07d}",
            name=f"{GIVEN[pair % len(GIVEN)]} {FAMILY[pair // len(GIVEN)]}",
        )
        for k, pair in enumerate(pairs[np.arange(count) % len(pairs)].tolist())
    ]


def draw_directors(shape: Shape) -> list[Director]:
    rng = shape.stream("directors")
    names = draw_names(rng, shape.directors, 5_000_001)
    return [_director(name, rng) for name in names]


def _director(name: Name, rng: np.random.Generator) -> Director:
    share = np.array([c.share for c in COUNTRIES])
    last = min(LAST_RELEASE.year, int(rng.integers(FIRST_YEAR + 18, LAST_RELEASE.year + 14)))
    return Director(
        name=name,
        country=COUNTRIES[rng.choice(len(COUNTRIES), p=share / share.sum())],
        favourites=tuple(rng.choice(list(GENRES), size=2, replace=False).tolist()),
        scale=float(rng.choice([-0.6, 0.0, 0.55], p=[0.35, 0.35, 0.3]) + rng.normal(0, 0.06)),
        first_year=max(FIRST_YEAR, last - int(rng.integers(15, 30))),
        last_year=last,
    )
