"""Spark's transformers as the `stages` of a recipe.

A stage reads fields of a title (`scoring.budget.stage_chain.FIELDS`) or the output of an earlier
stage. A question that does not know a field goes without it, and without the stages that read
nothing else. `stage_vector` fits the stages of one question; `StageVector.chain` makes the same
in NumPy from what Spark saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pyspark.ml import Transformer
from pyspark.ml import feature as ml
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from scoring.budget.features import ALL_KNOWN, CORE_QUESTIONS, is_rated
from scoring.budget.spark_stages import Stage
from scoring.budget.stage_chain import (
    FIELDS,
    LABELS,
    NUMBER,
    ROLES,
    TEXT,
    WORDS,
    StageChain,
    Step,
    is_known,
)
from spark_apps.budget.saved_models import SUBSTITUTES

INDEX, VECTOR = "index", "vector"
NUMERIC = (NUMBER, INDEX, VECTOR)
Whole = Annotated[int, Field(ge=1, le=10_000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(min_length=1),
]


class TransformerKind(NamedTuple):
    """The kinds that a transformer reads and writes, its parameters, and how it is made."""

    reads: tuple[str, ...]
    writes: str
    parameters: Mapping[str, bool]
    """The parameters of a stage that belong to it, and whether they are required."""
    make: Callable[[StageRecipe], Any]


class StageRecipe(BaseModel):
    """One stage of a recipe; a parameter of another transformer is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    transformer: str
    """A key of TRANSFORMERS."""
    input: Columns
    """One column; for a scaler also several."""
    output: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    splits: tuple[Finite, ...] | None = None
    """Bounds between the buckets of a Bucketizer; the outer buckets have no end."""
    threshold: Finite | None = None
    n: Whole | None = None
    """Words of a gram."""
    width: Whole | None = None
    """Numbers of a HashingTF's or a Word2Vec's vector."""
    fewest: Whole | None = None
    """Titles that a word of Word2Vec needs at least; by default 5."""

    @model_validator(mode="after")
    def _has_its_parameters(self) -> StageRecipe:
        if self.transformer not in TRANSFORMERS:
            use = SUBSTITUTES.get(self.transformer, f"one of {', '.join(TRANSFORMERS)}")
            raise ValueError(f"there is no transformer '{self.transformer}': use {use}")
        kind, given = TRANSFORMERS[self.transformer], self.parameters
        if strange := sorted(given - set(kind.parameters)):
            raise ValueError(f"{self.transformer} takes no {strange[0]}")
        if absent := sorted({name for name, must in kind.parameters.items() if must} - given):
            raise ValueError(f"{self.transformer} needs {absent[0]}")
        if list(self.splits or ()) != sorted(set(self.splits or ())):
            raise ValueError("splits must rise")
        if len(self.input) > 1 and VECTOR not in kind.reads:
            raise ValueError(f"{self.transformer} reads one column")
        return self

    @property
    def parameters(self) -> set[str]:
        """The names of the parameters that are given."""
        stated = {name for name, value in self if value is not None}
        return stated - {"transformer", "input", "output"}


def _buckets(stage: StageRecipe) -> Any:
    splits = [-math.inf, *(stage.splits or ()), math.inf]
    return ml.Bucketizer(splits=splits, handleInvalid="keep")


def _scaler(make: Callable[[], Any]) -> TransformerKind:
    return TransformerKind(NUMERIC, VECTOR, {}, lambda stage: make())


TRANSFORMERS: dict[str, TransformerKind] = {
    "StringIndexer": TransformerKind(
        (TEXT,), INDEX, {}, lambda stage: ml.StringIndexer(handleInvalid="keep")
    ),
    "OneHotEncoder": TransformerKind(
        (INDEX,), VECTOR, {}, lambda stage: ml.OneHotEncoder(handleInvalid="keep")
    ),
    "StandardScaler": _scaler(lambda: ml.StandardScaler(withMean=True)),
    "MinMaxScaler": _scaler(ml.MinMaxScaler),
    "Binarizer": TransformerKind(
        (NUMBER,),
        NUMBER,
        {"threshold": True},
        lambda stage: ml.Binarizer(threshold=stage.threshold),
    ),
    "Bucketizer": TransformerKind((NUMBER,), INDEX, {"splits": True}, _buckets),
    "NGram": TransformerKind((WORDS,), WORDS, {"n": True}, lambda stage: ml.NGram(n=stage.n)),
    "HashingTF": TransformerKind(
        (WORDS,), VECTOR, {"width": True}, lambda stage: ml.HashingTF(numFeatures=stage.width)
    ),
    "Word2Vec": TransformerKind(
        (WORDS,),
        VECTOR,
        {"width": True, "fewest": False},
        lambda stage: ml.Word2Vec(vectorSize=stage.width, minCount=stage.fewest or 5),
    ),
}
"""Spark's transformers that a recipe may name."""


# One question


@dataclass(frozen=True)
class StagePlan:
    """A question's part of the stages: each with the inputs that the question knows."""

    stages: tuple[StageRecipe, ...]
    features: tuple[str, ...]

    @property
    def inputs(self) -> list[str]:
        """The columns that the stages read."""
        return [name for stage in self.stages for name in stage.input]

    @property
    def numbers(self) -> list[str]:
        """The numbers among the fields that are read."""
        read = dict.fromkeys([*self.inputs, *self.features])
        return [name for name in read if FIELDS.get(name) == NUMBER]

    @property
    def kinds(self) -> Mapping[str, str]:
        """The kind of each field and of each stage's output."""
        made = {stage.output: TRANSFORMERS[stage.transformer].writes for stage in self.stages}
        return {**FIELDS, **made}

    @property
    def blank(self) -> StageChain:
        """A chain without fitted stages, for its features' names."""
        return StageChain(dict.fromkeys(self.features, 0.0), (), self.features)


def plan_stages(stages: Sequence[StageRecipe], features: Sequence[str], question: str) -> StagePlan:
    """What a question keeps of a recipe's stages."""

    def known(name: str) -> bool:
        is_wide, is_released = question not in CORE_QUESTIONS, question == ALL_KNOWN
        rated = is_rated(question)
        return is_known(name, is_wide=is_wide, is_rated=rated, is_released=is_released)

    made = {name for name in FIELDS if known(name)}
    kept = []
    for stage in stages:
        if inputs := tuple(name for name in stage.input if name in made):
            kept.append(stage.model_copy(update={"input": inputs}))
            made.add(stage.output)
    return StagePlan(tuple(kept), tuple(name for name in features if name in made))


@dataclass(frozen=True)
class StageVector:
    """Fitted transformers that add a question's vector, and what `scoring` must repeat."""

    transformers: tuple[Transformer, ...]
    fills: Mapping[str, float]
    steps: tuple[tuple[tuple[str, ...], str, str], ...]  # inputs, output, uid of the transformer
    features: tuple[str, ...]

    def chain(self, read: Callable[[str], Stage]) -> StageChain:
        """The same in NumPy; `read` gives the stage that Spark saved, by its uid."""
        steps = tuple(Step(inputs, output, read(uid)) for inputs, output, uid in self.steps)
        return StageChain(self.fills, steps, self.features)


def stage_vector(
    plan: StagePlan, titles: DataFrame, years: tuple[int, int], output: str, seed: int
) -> StageVector:
    """Fit the plan's stages on featured `titles`; the vector column is `output`.

    `years` are the first and the last year of training.
    """
    fitting = _Fitting(titles, output, seed)
    fills = fitting.read_fields(plan, field_sql(years))
    steps = tuple((stage.input, stage.output, fitting.fit(stage)) for stage in plan.stages)
    fitting.assemble(plan)
    return StageVector(tuple(fitting.stages), fills, steps, plan.features)


class _Fitting:
    """Transformers fitted one after the other, and the rows that the next one is fitted on.

    The questions share one frame later. So each column's name ends in the vector's, and `assemble`
    drops all but the vector.
    """

    def __init__(self, titles: DataFrame, vector: str, seed: int) -> None:
        self.rows = titles
        self.stages: list[Transformer] = []
        self._vector = vector
        self._seed = seed
        self._kept = {*titles.columns, vector}

    def read_fields(self, plan: StagePlan, fields: Mapping[str, str]) -> dict[str, float]:
        """Add a column for each field that is read; the mean of each number, which fills nulls."""
        fills = self._means({name: fields[name] for name in plan.numbers})
        read = [n for n in dict.fromkeys([*plan.inputs, *plan.features]) if n in fields]
        filled = {
            n: f"COALESCE({fields[n]}, {fills[n]!r}D)" if n in fills else fields[n] for n in read
        }
        self._select(["*", *(f"{sql} AS {self._named(name)}" for name, sql in filled.items())])
        return fills

    def fit(self, stage: StageRecipe) -> str:
        """Fit and apply one stage; the fitted transformer's uid."""
        inputs, written = [self._named(name) for name in stage.input], self._named(stage.output)
        kind = TRANSFORMERS[stage.transformer]
        if VECTOR in kind.reads:
            self._add(ml.VectorAssembler(inputCols=inputs, outputCol=f"{written}_in"))
            inputs = [f"{written}_in"]
        made = kind.make(stage).setParams(inputCol=inputs[0], outputCol=written)
        return str(self._add(made.setSeed(self._seed) if made.hasParam("seed") else made).uid)

    def assemble(self, plan: StagePlan) -> None:
        """Add the vector, and drop every other new column."""
        kinds = plan.kinds
        scalars = [self._named(name) for name in plan.features if kinds[name] != VECTOR]
        # Adding zero drops the marks of a category, so that trees split an index like a number.
        self._select(["*", *(f"{name} + 0.0D AS {name}_x" for name in scalars)])
        named = [self._named(name) for name in plan.features]
        columns = [f"{name}_x" if name in scalars else name for name in named]
        self._add(ml.VectorAssembler(inputCols=columns, outputCol=self._vector))
        self._select([f"* EXCEPT ({', '.join(sorted({*self.rows.columns} - self._kept))})"])

    def _named(self, name: str) -> str:
        return f"{name}_{self._vector}"

    def _add(self, stage: Any) -> Transformer:
        fitted: Transformer = stage.fit(self.rows) if hasattr(stage, "fit") else stage
        self.rows = fitted.transform(self.rows)
        self.stages.append(fitted)
        return fitted

    def _select(self, columns: Sequence[str]) -> None:
        self._add(ml.SQLTransformer(statement=f"SELECT {', '.join(columns)} FROM __THIS__"))

    def _means(self, numbers: Mapping[str, str]) -> dict[str, float]:
        """The mean of each number; 0 where every value is null."""
        means = [F.avg(F.expr(sql)).alias(name) for name, sql in numbers.items()]
        row = self.rows.agg(*means).first() if means else None
        return {name: float(row[name] or 0.0) for name in numbers} if row else {}


def field_sql(years: tuple[int, int]) -> dict[str, str]:
    """FIELDS as SQL over featured titles; `stage_chain.title_fields` is the same in Python."""
    none = "CAST(ARRAY() AS ARRAY<STRING>)"
    return {
        "director": "GET(people['director'], 0)",
        "genre": "ARRAY_MIN(genres)",
        **{name: f"labels['{name}']" for name in LABELS},
        "year": f"CAST(GREATEST(LEAST(year, {years[1]}), {years[0]}) AS DOUBLE)",
        "rating": "rating",
        "genre_count": "CAST(SIZE(ARRAY_DISTINCT(genres)) AS DOUBLE)",
        "runtime": "numbers['runtime']",
        "vote_count": "numbers['vote_count']",
        "directors": f"COALESCE(people['director'], {none})",
        "genres": f"COALESCE(genres, {none})",
        **{name: f"COALESCE(people['{role}'], {none})" for name, role in ROLES.items()},
    }
