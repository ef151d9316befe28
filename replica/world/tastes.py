"""What people truly think: latent tastes, biases, and the mean rating no model can beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from replica.world.catalogue import Catalogue
from replica.world.genres import GENRES
from replica.world.shape import Shape

GROUPS = 12
"""People fall into loose groups of taste; a person's own taste scatters around the group's."""


@dataclass(frozen=True)
class Truth:
    """[people, titles] arrays: the mean rating, and the part of it that is taste (in stars)."""

    mean: np.ndarray
    taste: np.ndarray


def make_truth(shape: Shape, catalogue: Catalogue) -> Truth:
    rng = shape.stream("tastes")
    people = _people(shape, rng)
    titles = _titles(shape, catalogue, rng)
    # einsum, not `@`: its sum has one order on every machine, so the files keep their bytes.
    taste = np.einsum("uk,ik->ui", people, titles)
    taste -= taste.mean(axis=0)
    taste *= shape.taste_spread / taste.std()
    person = rng.normal(0.0, shape.person_spread, shape.people)
    title = shape.title_spread * catalogue.quality
    return Truth(shape.mean + person[:, None] + title[None, :] + taste, taste)


def _people(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    groups = rng.normal(size=(GROUPS, shape.latent))
    own = rng.normal(size=(shape.people, shape.latent))
    return np.asarray(groups[rng.integers(0, GROUPS, shape.people)] + 0.5 * own)


def _titles(shape: Shape, catalogue: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """Half genre, a quarter director, a quarter of its own: so content tells something."""
    genre = dict(zip(GENRES, rng.normal(size=(len(GENRES), shape.latent)), strict=True))
    director = rng.normal(size=(shape.directors, shape.latent))
    own = rng.normal(size=(shape.titles, shape.latent))
    content = np.stack([np.mean([genre[g] for g in t.genres], axis=0) for t in catalogue.titles])
    return np.asarray(content + 0.5 * director[catalogue.director] + 0.5 * own)
