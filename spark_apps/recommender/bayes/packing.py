"""A matrix of expected stars [people, titles] as one factor model, and chains stacked into one.

Row and column means become biases and what is left its leading singular directions. A chain packs
its own mean where it ran, so that only factors travel; the mean of the chains has the factors of
all of them side by side, which QR and a small SVD reduce again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Floats, Singles
from spark_apps.recommender.bayes.sides import leading
from spark_apps.recommender.factor_model import FactorModel


@dataclass(frozen=True)
class Packed:
    """A factor model and the root mean square, in stars, of what it leaves out of the matrix it
    was packed from."""

    model: FactorModel
    loss: float


def pack(stars: Singles | Floats, rank: int, seed: int) -> Packed:
    """The best factor model of this rank in the least-squares sense over all pairs."""
    mean = float(stars.mean(dtype=np.float64))
    user_bias = stars.mean(axis=1, dtype=np.float64) - mean
    item_bias = stars.mean(axis=0, dtype=np.float64) - mean
    rest = stars - user_bias[:, None] - item_bias - mean
    rank = min(rank, *stars.shape)
    left, values, right = leading(rest, rank, seed)
    lost = max(float((rest**2).sum() - (values**2).sum()), 0.0)
    root = np.sqrt(values)
    loss = (lost / stars.size) ** 0.5
    model = FactorModel(mean, user_bias, item_bias, left * root, right * root)
    return Packed(model, loss)


def stack(chains: Sequence[Packed], rank: int) -> Packed:
    """The mean of the chains' models, of this rank at most."""
    models = [chain.model for chain in chains]
    users = np.hstack([m.user_factors for m in models]) / len(models)
    items = np.hstack([m.item_factors for m in models])
    left, values, right = _reduced(users, items)
    root = np.sqrt(values[:rank])
    lost = float((values[rank:] ** 2).sum()) / (len(users) * len(items))
    within = float(np.mean([chain.loss**2 for chain in chains]))
    model = FactorModel(
        float(np.mean([m.mean for m in models])),
        np.mean([m.user_bias for m in models], axis=0),
        np.mean([m.item_bias for m in models], axis=0),
        left[:, :rank] * root,
        right[:, :rank] * root,
    )
    return Packed(model, (lost + within) ** 0.5)


def _reduced(users: Floats, items: Floats) -> tuple[Floats, Floats, Floats]:
    """Singular triplets of users @ items.T without forming it."""
    user_base, user_rest = np.linalg.qr(users)
    item_base, item_rest = np.linalg.qr(items)
    left, values, right = np.linalg.svd(user_rest @ item_rest.T, full_matrices=False)
    return user_base @ left, values, item_base @ right.T
