"""What a fold's films tell often enough to learn from: its genres, roles, numbers and labels, and
between which values a number means something."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from pyspark.sql import Row

from scoring.budget.features import DIRECTOR, Stages, number
from scoring.budget.records import RECORD
from spark_apps.budget.recipes import BudgetRecipe

FEWEST_OF_A_GENRE = 3
FEWEST_OF_A_LABEL = 15
FENCE = 3.0
LEAST_TOLD = 0.3
"""Of the films: what fewer tell is left out."""


def make_stages(recipe: BudgetRecipe, films: Sequence[Row]) -> Stages:
    """The feature stages of the films a fold learns from."""
    years = [int(film["year"]) for film in films]
    counts = Counter(g for film in films for g in set(film["genres"]))
    wide = films if recipe.wide else []
    numbers = _told(wide, "numbers")
    labels = _told(wide, "labels")
    words = {c: Counter(f["labels"].get(c) for f in wide) for c in labels}
    return Stages(
        genres=tuple(sorted(g for g, n in counts.items() if n >= FEWEST_OF_A_GENRE)),
        first_year=min(years),
        last_year=max(years),
        director_smoothing=recipe.director_smoothing,
        rating_step=recipe.rating_step,
        record=RECORD,
        people=tuple(role for role in _told(wide, "people") if role != DIRECTOR),
        numbers=tuple(numbers),
        labels={c: tuple(often) for c in labels if (often := _often(words[c]))},
        ranges={name: _range(name, wide) for name in numbers},
    )


def _range(name: str, films: Sequence[Row]) -> tuple[float, float]:
    """From the least to the greatest value seen, but no further than three quartile distances from
    the quartiles (Tukey's outer fences, Exploratory Data Analysis, 1977)."""
    told = (number(name, film["numbers"].get(name)) for film in films)
    seen = np.array([value for value in told if not math.isnan(value)])
    first, third = np.quantile(seen, [0.25, 0.75])
    fence = FENCE * (third - first) or math.inf  # half of the films tell the same
    return float(max(seen.min(), first - fence)), float(min(seen.max(), third + fence))


def _told(films: Sequence[Row], column: str) -> list[str]:
    counts = Counter(key for film in films for key in film[column] or ())
    return sorted(key for key, n in counts.items() if n >= LEAST_TOLD * len(films))


def _often(counts: Counter[str | None]) -> Iterable[str]:
    return sorted(w for w, n in counts.items() if w is not None and n >= FEWEST_OF_A_LABEL)
