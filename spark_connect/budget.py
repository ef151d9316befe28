"""The budget model whose estimates the saved Spark pipeline computes.

The bundle looks up what a query says of people: their keys and track records. The pipeline gets
these with the stated facts as one row, and computes the features, the models, their blend and the
trend. The interval lies around its answer. What an answer explains (contributions, similar films,
notes) comes from the bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.sql.connect.session import SparkSession

from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle
from scoring.budget.features import RECORD_FEATURES, column_suffix, role_features
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from spark_connect.session import Held, SessionKeeper

RECORD = pa.struct([(name, pa.float64()) for name in RECORD_FEATURES])
SCHEMA = pa.schema(
    [
        ("place", pa.int32()),
        ("year", pa.int32()),
        ("genres", pa.list_(pa.string())),
        ("rating", pa.float64()),
        ("people", pa.map_(pa.string(), pa.list_(pa.string()))),
        ("numbers", pa.map_(pa.string(), pa.float64())),
        ("labels", pa.map_(pa.string(), pa.string())),
        ("record", pa.map_(pa.string(), RECORD)),
    ]
)
"""The columns that the saved pipeline reads, and the row's place among the queries."""


@dataclass(frozen=True)
class BudgetFrames:
    """The saved pipeline in a session."""

    session: SparkSession
    pipeline: PipelineModel


class ConnectBudget(BudgetModel):
    """A `BudgetModel` that asks a session of Spark for estimates."""

    def __init__(self, bundle: BudgetBundle, keeper: SessionKeeper, place: str) -> None:
        super().__init__(bundle)
        self.frames: Held[BudgetFrames] = keeper.hold(
            lambda session: BudgetFrames(session, PipelineModel.load(place))
        )

    def estimate(self, query: BudgetQuery) -> BudgetEstimate:
        """The bundle's estimate, with the pipeline's median and the interval around it."""
        found = super().estimate(query)
        answer = float(self.log_estimates([query])[0])
        low, high = self.interval(query, answer)
        return replace(found, median=10**answer, low=10**low, high=10**high)

    def log_estimates(self, queries: Sequence[BudgetQuery]) -> Floats:
        """Estimates [queries] in log10 dollars of the price year, by the pipeline."""
        if not queries:
            return np.empty(0)
        rows = pa.Table.from_pylist(
            [self.row(place, query) for place, query in enumerate(queries)], SCHEMA
        )
        questions = np.array([self.question(query) for query in queries])
        columns = {q: f"estimate_{column_suffix(q)}" for q in dict.fromkeys(questions.tolist())}

        def ask(frames: BudgetFrames) -> pa.Table:
            answers = frames.pipeline.transform(frames.session.createDataFrame(rows))
            return answers.select("place", *columns.values()).toArrow()

        answers = self.frames.use(ask)
        places = answers["place"].to_numpy()
        found: Floats = np.empty(len(queries))
        for question, column in columns.items():
            chosen = questions[places] == question
            found[places[chosen]] = answers[column].to_numpy()[chosen]
        return found

    def row(self, place: int, query: BudgetQuery) -> dict[str, Any]:
        """The query as a row of SCHEMA."""
        read = self.read(query)
        records = {
            role: dict(zip(RECORD_FEATURES, role_features(found, RECORD_FEATURES, False)))
            for role, found in read.records.items()
            if found
        }
        people = {role: list(keys) for role, keys in read.keys.items() if keys}
        stated = {"numbers": query.numbers, "labels": query.labels}
        return {
            "place": place,
            "year": query.year,
            "genres": list(query.genres),
            "rating": query.rating,
            "people": list(people.items()),
            **{name: list(values.items()) for name, values in stated.items()},
            "record": list(records.items()),
        }
