"""A budget bundle small enough to work out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import BEFORE_RELEASE, WITH_RATING, FeatureEncoder, KnownTitle
from scoring.budget.predictor import Predictor

ENCODER = FeatureEncoder(("Action", "Drama"), 1990, 2010, director_smoothing=1.0, rating_step=1.0)


def known_title(
    title_id: str, year: int, log_budget: float, above: float | None, **changes: Any
) -> KnownTitle:
    """A drama by Ada Lane."""
    facts: dict[str, Any] = {
        "title": title_id,
        "directors": ("nm0000001",),
        "director_names": ("Ada Lane",),
        "genres": ("Drama",),
        "rating": 7.0,
    }
    return KnownTitle(
        title_id=title_id, year=year, log_budget=log_budget, above_time=above, **facts | changes
    )


TITLES = (
    known_title("tt0000001", 1990, 7.0, None),
    known_title("tt0000002", 1995, 7.6, 0.6),
    known_title("tt0000003", 2000, 7.2, -0.3),
    known_title("tt0000004", 2005, 6.8, 0.2, directors=("bo zell",), director_names=("Bo  Zell",)),
)


def linear(question: str, intercept: float, **weights: float) -> Predictor:
    """A fit that is all linear; `weights` by feature name, `_` for its space."""
    names = ENCODER.names(question)
    by_name = {name.replace(" ", "_"): value for name, value in weights.items()}
    return Predictor(
        linear_share=1.0,
        intercept=intercept,
        coefficients=np.array([by_name.get(name.replace(" ", "_"), 0.0) for name in names]),
        trees=None,
        means=np.zeros(len(names)),
        residuals=(-0.2, 0.3),
    )


def bundle(golden: dict[str, Any] | None = None) -> BudgetBundle:
    """log10 = 7 + director_mean + 0.5 if it is action (+ 0.1 a point of rating)."""
    return BudgetBundle(
        encoder=ENCODER,
        predictors={
            WITH_RATING: linear(WITH_RATING, 7.0, director_mean=1.0, genre_Action=0.5, rating=0.1),
            BEFORE_RELEASE: linear(BEFORE_RELEASE, 7.0, director_mean=1.0, genre_Action=0.5),
        },
        titles=TITLES,
        facts={"as_of": "2011-01-01T00:00:00Z", "price_year": 2010, "recipe": {"name": "hand"}},
        golden=golden or {"tolerance": 1e-9, "queries": []},
    )
