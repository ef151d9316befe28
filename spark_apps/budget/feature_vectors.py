"""The feature vector of a question in Spark: vocabularies, and one SQL expression a feature.

`scoring.budget.lookup.VectorLayout.vector` computes the same features in the same order with NumPy.
The expressions are SQL, because Spark saves SQL with the pipeline. A missing value is null. The
pipeline imputes the mean of the training titles.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

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
    QUESTIONS,
    RECORD_FEATURES,
    WITH_RATING,
    FeatureEncoder,
    column_suffix,
    is_rated,
    number_feature,
)
from spark_apps.budget.families import BudgetRecipe

FEWEST_OF_A_LABEL = 15
FENCE = 3.0
LEAST_SHARE = 0.3
"""Share of the titles that must state an attribute; else it is no feature."""


def make_stages(recipe: BudgetRecipe, titles: Sequence[Row]) -> FeatureEncoder:
    """The vocabularies and ranges of a fold's training titles; rare words are omitted."""
    years = [int(title["year"]) for title in titles]
    counts = Counter(g for title in titles for g in set(title["genres"]))
    wide = titles if recipe.wide else []
    numbers, labels = _stated(wide, "numbers"), _stated(wide, "labels")
    people = [role for role in _stated(wide, "people") if role != DIRECTOR]
    words = {c: _frequent(Counter(t["labels"].get(c) for t in wide)) for c in labels}
    return FeatureEncoder(
        genres=tuple(sorted(g for g, n in counts.items() if n >= FEWEST_OF_A_GENRE)),
        first_year=min(years),
        last_year=max(years),
        director_smoothing=recipe.director_smoothing,
        rating_step=recipe.rating_step,
        record=RECORD_FEATURES,
        people=tuple(people),
        numbers=tuple(numbers),
        labels={c: tuple(frequent) for c, frequent in words.items() if frequent},
        ranges={name: _range(name, wide) for name in numbers}
        | _record_ranges((DIRECTOR, *people), titles),
        chains={q: recipe.plan(q).blank for q in QUESTIONS} if recipe.features else {},
    )


def _stated(titles: Sequence[Row], column: str) -> list[str]:
    counts = Counter(key for title in titles for key in title[column] or ())
    return sorted(key for key, n in counts.items() if n >= LEAST_SHARE * len(titles))


def _frequent(counts: Counter[str | None]) -> list[str]:
    return sorted(w for w, n in counts.items() if w is not None and n >= FEWEST_OF_A_LABEL)


def _range(name: str, titles: Sequence[Row]) -> tuple[float, float]:
    """The least and the greatest value, limited to Tukey's outer fences.

    The fences are FENCE interquartile ranges beyond the quartiles (Exploratory Data Analysis,
    1977).
    """
    values = (number_feature(name, title["numbers"].get(name)) for title in titles)
    seen = np.array([value for value in values if not math.isnan(value)])
    first, third = np.quantile(seen, [0.25, 0.75])
    fence = FENCE * (third - first) or math.inf  # no fence where the quartiles are equal
    return float(max(seen.min(), first - fence)), float(min(seen.max(), third + fence))


def _record_ranges(roles: Sequence[str], titles: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """The least and the greatest value of each feature of a track record.

    A line through records that hardly differ in training would answer any other one with decades.
    """
    ranges = {}
    for role in roles:
        records = [title["record"][role] for title in titles if role in (title["record"] or ())]
        for feature in RECORD_FEATURES if records else ():
            seen = [float(record[feature]) for record in records]
            ranges[f"{role}_{feature}"] = min(seen), max(seen)
    return ranges


def question_column(kind: str, question: str) -> str:
    """The name of a question's column: `features`, `with rating` gives `features_with_rating`."""
    return f"{kind}_{column_suffix(question)}"


def expressions(stages: FeatureEncoder, question: str) -> list[str]:
    """SQL of each feature, double or null, in the order of `Stages.names`."""
    year = f"GREATEST(LEAST(year, {stages.last_year}), {stages.first_year})"
    return [
        f"CAST({year} AS DOUBLE)",
        *(_record(stages, role, name) for role in stages.roles(question) for name in stages.record),
        "CAST(SIZE(ARRAY_DISTINCT(genres)) AS DOUBLE)",
        *([_rating(stages.rating_step)] if is_rated(question) else []),
        *(_number(stages, name) for name in stages.numbers_of(question)),
        *(_label(name, word) for name, word in stages.labels_of(question)),
        *(f"CAST(ARRAY_CONTAINS(genres, {_text(genre)}) AS DOUBLE)" for genre in stages.genres),
    ]


def fill_values(titles: DataFrame, wanted: Mapping[str, Sequence[str]]) -> dict[str, Floats]:
    """The mean [features] of each question's expressions; 0 where every value is null.

    `WITH_RATING` takes the means of the titles with a rating. One query serves all questions.
    """
    averages = {q: [_average(sql, q) for sql in listed] for q, listed in wanted.items()}
    places = {sql: i for i, sql in enumerate(dict.fromkeys(chain(*averages.values())))}
    found = titles.agg(*(F.expr(sql).alias(f"m{i}") for sql, i in places.items())).first() or ()
    means = np.array([0.0 if value is None else float(value) for value in found])
    return {q: means[[places[sql] for sql in listed]] for q, listed in averages.items()}


def _average(sql: str, question: str) -> str:
    rated = " FILTER (WHERE rating IS NOT NULL)" if question == WITH_RATING else ""
    return f"AVG({sql}){rated}"


def vector_stages(question: str, wanted: Sequence[str], fills: Floats) -> tuple[Transformer, ...]:
    """Stages that add the vector column `features_<question>` to featured rows."""
    names = [f"{question_column('x', question)}_{i}" for i in range(len(wanted))]
    filled = [
        f"COALESCE({sql}, {_double(fill)}) AS {name}"
        for sql, fill, name in zip(wanted, fills, names, strict=True)
    ]
    made = SQLTransformer(statement=f"SELECT *, {', '.join(filled)} FROM __THIS__")
    whole = VectorAssembler(inputCols=names, outputCol=question_column("features", question))
    # Hundreds of columns make the plans of later stages slow to analyse.
    tidy = SQLTransformer(statement=f"SELECT * EXCEPT ({', '.join(names)}) FROM __THIS__")
    return made, whole, tidy


def _record(stages: FeatureEncoder, role: str, feature: str) -> str:
    """A feature of a track record; null for a role without people, a beginner's for directors."""
    value = f"record[{_text(role)}].{feature}"
    if role == DIRECTOR:
        value = f"COALESCE({value}, {_double(LONGEST_GAP if feature == 'gap' else 0.0)})"
    return _on_grid(_clipped(stages, f"{role}_{feature}", value))


def _rating(step: float) -> str:
    return f"FLOOR(rating / {_double(step)} + 0.5D) * {_double(step)}" if step else "rating"


def _number(stages: FeatureEncoder, name: str) -> str:
    value = f"numbers[{_text(name)}]"
    # GREATEST skips nulls, so it would turn a missing number into 0.
    count = f"LOG1P(IF({value} < 0.0D, 0.0D, {value}))"
    found = value if name in PLAIN_NUMBERS else count
    return _on_grid(_clipped(stages, name, found))


def _clipped(stages: FeatureEncoder, name: str, value: str) -> str:
    if name not in stages.ranges:
        return value
    low, high = map(_double, stages.ranges[name])
    return f"IF({value} < {low}, {low}, IF({value} > {high}, {high}, {value}))"


def _on_grid(value: str) -> str:
    """`scoring.budget.features.round_to_grid` as SQL."""
    return f"FLOOR({value} * {_double(GRID)} + 0.5D) / {_double(GRID)}"


def _label(name: str, word: str) -> str:
    return f"CAST(labels[{_text(name)}] = {_text(word)} AS DOUBLE)"


def _double(value: float) -> str:
    return f"{float(value)!r}D"


def _text(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
