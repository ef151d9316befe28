"""Budget bundles made for exports: random trees of any size, a trend, and golden queries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, write_bundle
from scoring.budget.features import QUESTIONS, FeatureEncoder, FieldCosts
from scoring.budget.flat_trees import LEAF, FlatTrees
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.budget.predictor import ErrorSpread, Predictor, Trend
from tests.scoring_budget.handmade_bundle import TITLES

ENCODER = FeatureEncoder(
    ("Action", "Drama", "Sci-Fi", "Film-Noir"),
    1990,
    2010,
    director_smoothing=2.0,
    rating_step=1.0,
    record=("mean", "last", "most", "films", "gap"),
    people=("writer", "cast"),
    numbers=("runtime", "vote_count"),
    labels={"certificate": ("PG-13", "R", "PG_13")},
)
TREND = Trend(0.0213, 2001.5, 1992, 2020)
QUERIES = (
    BudgetQuery(("nm0000001",), ("Drama",), 2004),
    BudgetQuery(("Ada Lane", "nobody"), ("Action", "Sci-Fi"), 2031, 7.4),
    BudgetQuery((), (), 1950, 6.5),
    BudgetQuery(("bo zell",), ("Drama",), 2008, None, {"cast": ("x", "y")}, {"runtime": 95.0}),
    BudgetQuery(("bo zell",), ("Drama",), 2008, 8.0, {}, {"vote_count": 1e5}, {"certificate": "R"}),
)


def random_trees(rng: np.random.Generator, spread: Floats, trees: int, depth: int) -> FlatTrees:
    """Trees over features whose values lie around `spread` [features]; every ninth is a leaf."""
    rows: dict[str, list[Any]] = {k: [] for k in ("feature", "threshold", "left", "right", "value")}
    roots = []

    def grow(level: int) -> int:
        node = len(rows["feature"])
        for name, value in zip(rows, (LEAF, 0.0, node, node, float(rng.normal(0, 0.3)))):
            rows[name].append(value)
        if level and rng.random() < 0.9:
            feature = int(rng.integers(len(spread)))
            rows["feature"][node] = feature
            # Few thresholds, so that rows often lie exactly on one.
            rows["threshold"][node] = float(np.round(spread[feature] * rng.normal(1, 0.01), 1))
            rows["left"][node], rows["right"][node] = grow(level - 1), grow(level - 1)
        return node

    for number in range(trees):
        roots.append(grow(0 if number % 9 == 8 else depth))
    whole = ("feature", "left", "right")
    arrays = {n: np.array(v, np.int32 if n in whole else np.float64) for n, v in rows.items()}
    return FlatTrees(**arrays, root=np.array(roots, np.int32), weight=rng.uniform(0.05, 0.9, trees))


def made_up(trees: int = 20, depth: int = 4, seed: int = 3, **changes: Any) -> BudgetBundle:
    """A bundle of all four questions; no golden queries yet."""
    rng = np.random.default_rng(seed)

    def predictor(question: str) -> Predictor:
        width = len(ENCODER.names(question))
        means = rng.normal(1.0, 0.5, width)
        means[0] = 2000.7
        return Predictor(
            linear_share=0.2,
            intercept=-11.0,
            coefficients=np.concatenate([[0.009], rng.normal(0, 0.1, width - 1)]),
            trees=random_trees(rng, means, trees, depth) if trees else None,
            means=means,
            residuals=(-0.4, 0.5),
            spread=ErrorSpread(1.1, -0.2, 0.3, 7.0),
            tree_share=0.8 if trees else 0.0,
            costs=FieldCosts({"rating": 1.2, "director": 1.4, "runtime": 1.1}, 1.5),
        )

    facts = {"as_of": "2026-01-04T03:00:00Z", "price_year": 2025, "recipe": {"name": "made up"}}
    bundle = BudgetBundle(ENCODER, {q: predictor(q) for q in QUESTIONS}, TITLES, facts, {}, TREND)
    return replace(bundle, **changes)


def golden_of(bundle: BudgetBundle) -> dict[str, Any]:
    """QUERIES with the bundle's own answers."""
    model = BudgetModel(bundle)
    found = []
    for query, answer in zip(QUERIES, model.log_estimates(QUERIES).tolist(), strict=True):
        fields = {name: list(value) for name, value in query.people.items()}
        found.append(
            {
                "directors": list(query.directors),
                "genres": list(query.genres),
                "year": query.year,
                "rating": query.rating,
                "people": fields,
                "numbers": dict(query.numbers),
                "labels": dict(query.labels),
                "question": model.question(query),
                "log10": answer,
            }
        )
    return {"tolerance": 1e-9, "queries": found}


def written(folder: Path, bundle: BudgetBundle) -> Path:
    """The folder of the bundle with golden answers."""
    return write_bundle(folder, replace(bundle, golden=golden_of(bundle)))


def random_rows(rng: np.random.Generator, means: Floats, count: int) -> Floats:
    """Rows near the thresholds of `random_trees`, many exactly on one; a tenth is missing."""
    rows = np.round(means * rng.normal(1, 0.01, (count, len(means))), 1)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:, 0] = rng.integers(1900, 2060, count)
    return rows
