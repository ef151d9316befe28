"""The models `bench/budget.py` compares with: the same features, target and search budget.

Each has CONFIGURATIONS configurations, as many as the champion has; which one answers at an origin
is decided on the rolling origins before it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scoring.arrays import Floats

warnings.filterwarnings("ignore", message="X does not have valid feature names")
CONFIGURATIONS = 6
LIGHTGBM = "LightGBM"
Maker = Callable[[], Any]


def _ridge(penalty: float) -> Maker:
    return lambda: make_pipeline(StandardScaler(), Ridge(penalty))


def _forest(depth: int | None, share: float, least: int) -> Maker:
    return lambda: RandomForestRegressor(
        200, max_depth=depth, max_features=share, min_samples_leaf=least, random_state=7, n_jobs=1
    )


def _hist(leaves: int, rate: float, rounds: int, least: int) -> Maker:
    return lambda: HistGradientBoostingRegressor(
        max_leaf_nodes=leaves,
        learning_rate=rate,
        max_iter=rounds,
        min_samples_leaf=least,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=7,
    )


def _light(leaves: int, rate: float, rounds: int, least: int, share: float) -> Maker:
    return lambda: lightgbm.LGBMRegressor(
        num_leaves=leaves,
        learning_rate=rate,
        n_estimators=rounds,
        min_child_samples=least,
        colsample_bytree=share,
        subsample=0.8,
        subsample_freq=1,
        random_state=7,
        n_jobs=1,
        verbose=-1,
    )


PEERS: dict[str, list[Maker]] = {
    "ridge": [_ridge(penalty) for penalty in (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0)],
    "random forest": [
        _forest(depth, share, least)
        for depth, share, least in (
            (None, 0.33, 2), (None, 0.33, 5), (12, 0.33, 3),
            (12, 0.6, 3), (8, 0.33, 3), (8, 0.6, 5),
        )
    ],
    "histogram boosting": [
        _hist(leaves, rate, rounds, least)
        for leaves, rate, rounds, least in (
            (31, 0.1, 100, 20), (15, 0.05, 150, 20), (7, 0.05, 200, 20),
            (7, 0.03, 400, 10), (15, 0.03, 250, 10), (5, 0.05, 300, 10),
        )
    ],
    LIGHTGBM: [
        _light(leaves, rate, rounds, least, share)
        for leaves, rate, rounds, least, share in (
            (31, 0.1, 100, 20, 1.0), (15, 0.03, 200, 10, 0.6), (7, 0.03, 400, 20, 1.0),
            (7, 0.03, 400, 10, 0.5), (15, 0.02, 400, 20, 0.4), (4, 0.05, 400, 10, 0.6),
        )
    ],
}  # fmt: skip


def split_conformal(make: Maker, rows: Floats, target: Floats, later: Floats) -> Floats:
    """Plain split conformal 80 % intervals, [later, 2]: three titles in four, drawn at random, are
    fitted, the errors of the rest give the half-width."""
    order = np.random.default_rng(7).permutation(len(rows))
    fitted, held = np.split(order, [3 * len(rows) // 4])
    model = make().fit(rows[fitted], target[fitted])
    errors = target[held] - model.predict(rows[held])
    return one_width(errors, model.predict(later))


def one_width(errors: Floats, answers: Floats) -> Floats:
    """Plain split conformal 80 % intervals round `answers`, [answers, 2]: one half-width for all,
    from `errors` on titles that the fit had not seen (Vovk et al., 2005)."""
    sizes = np.sort(np.abs(errors))
    half = sizes[min(int(np.ceil(0.8 * (len(sizes) + 1))), len(sizes)) - 1]
    return np.column_stack([answers - half, answers + half])
