"""A question's feature vector in Spark: a fold's vocabularies, and one SQL expression a feature.

The counterpart of `scoring.budget.features.vector`, with the features in the same order. It is SQL,
so that Spark saves it with the pipeline. A missing value is null; the pipeline imputes the mean
over the titles in training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from pyspark.ml import Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from scoring.arrays import Floats
from scoring.budget.features import (
    DIRECTOR,
    FEWEST_OF_A_GENRE,
    GRID,
    LONGEST_GAP,
    PLAIN_NUMBERS,
    RECORD_FEATURES,
    Stages,
    is_rated,
    number,
)
from spark_apps.budget.families import BudgetRecipe

FEWEST_OF_A_LABEL = 15
FENCE = 3.0
LEAST_SHARE = 0.3
"""Of the titles: what fewer of them state is no feature."""


def make_stages(recipe: BudgetRecipe, titles: Sequence[Row]) -> Stages:
    """The feature stages of the titles a fold learns from: what they state often enough."""
    years = [int(title["year"]) for title in titles]
    counts = Counter(g for title in titles for g in set(title["genres"]))
    wide = titles if recipe.wide else []
    numbers, labels = _stated(wide, "numbers"), _stated(wide, "labels")
    words = {c: _frequent(Counter(t["labels"].get(c) for t in wide)) for c in labels}
    return Stages(
        genres=tuple(sorted(g for g, n in counts.items() if n >= FEWEST_OF_A_GENRE)),
        first_year=min(years),
        last_year=max(years),
        director_smoothing=recipe.director_smoothing,
        rating_step=recipe.rating_step,
        record=RECORD_FEATURES,
        people=tuple(role for role in _stated(wide, "people") if role != DIRECTOR),
        numbers=tuple(numbers),
        labels={c: tuple(frequent) for c, frequent in words.items() if frequent},
        ranges={name: _range(name, wide) for name in numbers},
    )


def _stated(titles: Sequence[Row], column: str) -> list[str]:
    counts = Counter(key for title in titles for key in title[column] or ())
    return sorted(key for key, n in counts.items() if n >= LEAST_SHARE * len(titles))


def _frequent(counts: Counter[str | None]) -> list[str]:
    return sorted(w for w, n in counts.items() if w is not None and n >= FEWEST_OF_A_LABEL)


def _range(name: str, titles: Sequence[Row]) -> tuple[float, float]:
    """From the least to the greatest value seen, but no further than three quartile distances from
    the quartiles (Tukey's outer fences, Exploratory Data Analysis, 1977)."""
    values = (number(name, title["numbers"].get(name)) for title in titles)
    seen = np.array([value for value in values if not math.isnan(value)])
    first, third = np.quantile(seen, [0.25, 0.75])
    fence = FENCE * (third - first) or math.inf  # half of the titles have the same value
    return float(max(seen.min(), first - fence)), float(min(seen.max(), third + fence))


def column(kind: str, question: str) -> str:
    """The name of a question's own column."""
    return f"{kind}_{column_suffix(question)}"


def column_suffix(question: str) -> str:
    """How the names of a question's own columns end."""
    return question.replace(",", "").replace(" ", "_")


def expressions(stages: Stages, question: str) -> list[str]:
    """SQL of each feature, double or null, in the order of `Stages.names`."""
    year = f"GREATEST(LEAST(year, {stages.last_year}), {stages.first_year})"
    return [
        f"CAST({year} AS DOUBLE)",
        *(_record(role, feature) for role in stages.roles(question) for feature in stages.record),
        "CAST(SIZE(ARRAY_DISTINCT(genres)) AS DOUBLE)",
        *([_rating(stages.rating_step)] if is_rated(question) else []),
        *(_number(stages, name) for name in stages.numbers_of(question)),
        *(_label(name, word) for name, word in stages.labels_of(question)),
        *(f"CAST(ARRAY_CONTAINS(genres, {_text(genre)}) AS DOUBLE)" for genre in stages.genres),
    ]


def fill_values(titles: DataFrame, wanted: Sequence[str]) -> Floats:
    """The mean of every expression over `titles`, [features]; 0 where all of them lack it."""
    means = [F.avg(F.expr(sql)).alias(f"m{i}") for i, sql in enumerate(wanted)]
    found = titles.agg(*means).first()
    return np.array([0.0 if value is None else float(value) for value in found or ()])


def vector_stages(question: str, wanted: Sequence[str], fills: Floats) -> tuple[Transformer, ...]:
    """From featured rows to the column `features_<question>`, and no other."""
    names = [f"{column('x', question)}_{i}" for i in range(len(wanted))]
    filled = [
        f"COALESCE({sql}, {_double(fill)}) AS {name}"
        for sql, fill, name in zip(wanted, fills, names, strict=True)
    ]
    made = SQLTransformer(statement=f"SELECT *, {', '.join(filled)} FROM __THIS__")
    whole = VectorAssembler(inputCols=names, outputCol=column("features", question))
    # Hundreds of columns would make every later stage's plan slow to analyse.
    tidy = SQLTransformer(statement=f"SELECT * EXCEPT ({', '.join(names)}) FROM __THIS__")
    return made, whole, tidy


def _record(role: str, feature: str) -> str:
    """A title without directors counts as a beginner's; the records of other roles are missing."""
    value = _on_grid(f"record[{_text(role)}].{feature}")
    if role != DIRECTOR:
        return value
    return f"COALESCE({value}, {_double(LONGEST_GAP if feature == 'gap' else 0.0)})"


def _rating(step: float) -> str:
    return f"FLOOR(rating / {_double(step)} + 0.5D) * {_double(step)}" if step else "rating"


def _number(stages: Stages, name: str) -> str:
    value = f"numbers[{_text(name)}]"
    # Not GREATEST: it skips nulls, and a missing number would count as nought.
    count = f"LOG1P(IF({value} < 0.0D, 0.0D, {value}))"
    found = value if name in PLAIN_NUMBERS else count
    if name in stages.ranges:
        low, high = map(_double, stages.ranges[name])
        found = f"IF({found} < {low}, {low}, IF({found} > {high}, {high}, {found}))"
    return _on_grid(found)


def _on_grid(value: str) -> str:
    """`scoring.budget.features.on_grid` as SQL."""
    return f"FLOOR({value} * {_double(GRID)} + 0.5D) / {_double(GRID)}"


def _label(name: str, word: str) -> str:
    return f"CAST(labels[{_text(name)}] = {_text(word)} AS DOUBLE)"


def _double(value: float) -> str:
    return f"{float(value)!r}D"


def _text(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
