"""A question's feature vector as SQL, so that it is saved with the pipeline and read off a frame.

One expression a feature, in the order of `Stages.names`; null where something is not told, which
the pipeline replaces with the mean over the films it learns from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pyspark.ml import Transformer
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from scoring.arrays import Floats
from scoring.budget.features import DIRECTOR, GRID, PLAIN_NUMBERS, Stages, is_rated
from scoring.budget.records import LONGEST_GAP


def column(kind: str, question: str) -> str:
    """The name of a question's own column."""
    return f"{kind}_{question.replace(',', '').replace(' ', '_')}"


def expressions(stages: Stages, question: str) -> list[str]:
    """SQL of each feature, double or null."""
    year = f"GREATEST(LEAST(year, {stages.last_year}), {stages.first_year})"
    return [
        f"CAST({year} AS DOUBLE)",
        *(_record(role, stat) for role in stages.roles(question) for stat in stages.record),
        "CAST(SIZE(ARRAY_DISTINCT(genres)) AS DOUBLE)",
        *([_rating(stages.rating_step)] if is_rated(question) else []),
        *(_number(stages, name) for name in stages.numbers_of(question)),
        *(_label(name, word) for name, word in stages.labels_of(question)),
        *(f"CAST(ARRAY_CONTAINS(genres, {_text(genre)}) AS DOUBLE)" for genre in stages.genres),
    ]


def fill_values(films: DataFrame, wanted: Sequence[str]) -> Floats:
    """The mean of every expression over `films`; 0 where none of them tells it."""
    means = [F.avg(F.expr(sql)).alias(f"m{i}") for i, sql in enumerate(wanted)]
    found = films.agg(*means).first()
    return np.array([0.0 if value is None else float(value) for value in found or ()])


def vector_stages(question: str, wanted: Sequence[str], fills: Floats) -> tuple[Transformer, ...]:
    """From featured rows to the column `features_<question>`, and no other."""
    names = [f"{column('x', question)}_{i}" for i in range(len(wanted))]
    told = [
        f"COALESCE({sql}, {_double(fill)}) AS {name}"
        for sql, fill, name in zip(wanted, fills, names, strict=True)
    ]
    made = SQLTransformer(statement=f"SELECT *, {', '.join(told)} FROM __THIS__")
    whole = VectorAssembler(inputCols=names, outputCol=column("features", question))
    # Hundreds of columns would make every later stage's plan slow to analyse.
    tidy = SQLTransformer(statement=f"SELECT * EXCEPT ({', '.join(names)}) FROM __THIS__")
    return made, whole, tidy


def _record(role: str, stat: str) -> str:
    """A film without directors counts as a beginner's; other roles are then not told."""
    value = _on_grid(f"record[{_text(role)}].{stat}")
    if role != DIRECTOR:
        return value
    return f"COALESCE({value}, {_double(LONGEST_GAP if stat == 'gap' else 0.0)})"


def _rating(step: float) -> str:
    return f"FLOOR(rating / {_double(step)} + 0.5D) * {_double(step)}" if step else "rating"


def _number(stages: Stages, name: str) -> str:
    value = f"numbers[{_text(name)}]"
    # Not GREATEST: it passes over nulls, and what nobody told would count as nought.
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
