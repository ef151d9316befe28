"""What every format writes: the arithmetic of each question, its inputs, and rows with answers.

A row holds one number for each input of a question; NaN is a missing value. The first input is the
year of release as stated: the exported model itself clips it, once for the features and once for
the trend. All other inputs are features as `scoring.budget.features` encodes them.

    log10 dollars = linear model + trees + trend of the year, missing values replaced by the means
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats
from scoring.budget.bundle import BudgetBundle, golden_query
from scoring.budget.features import BudgetQuery
from scoring.budget.flat_trees import LEAF, REMEDY, FlatTrees
from scoring.budget.model import BudgetModel
from scoring.budget.predictor import Predictor, Trend
from scoring.evaluation_blocks import GoldenReport

TOLERANCE = 1e-9
"""The largest accepted difference of an exported model's answer, in log10 dollars."""
YEAR = "year"
ROWS_ON_THRESHOLDS = 24
TRAINING, EXPORTER = "training", "export"


@dataclass(frozen=True)
class ExportedQuestion:
    """One question of a budget bundle, with F inputs."""

    question: str
    inputs: tuple[str, ...]
    means: Floats  # [F]
    first_year: int
    last_year: int  # of the features; the trend has its own
    trend: Trend
    intercept: float  # of the linear model, with the trees that are a lone leaf
    coefficients: Floats  # [F]
    trees: FlatTrees | None  # without lone leaves; weights hold the trees' share
    predictor: Predictor

    def answers(self, rows: Floats) -> Floats:
        """What the native scorer answers for rows [R, F], log10 dollars."""
        whole = np.where(np.isnan(rows), self.means, rows)
        years = whole[:, 0].copy()
        whole[:, 0] = years.clip(self.first_year, self.last_year)
        return self.predictor.predict(whole) + self.trend.at(years)


@dataclass(frozen=True)
class ExportedRow:
    """A row with its answer and interval, log10 dollars."""

    question: str
    source: str
    """TRAINING: a golden query, answered by the training job. EXPORTER: answered natively."""
    values: tuple[float, ...]
    log10: float
    interval: tuple[float, float] | None = None


def exported_questions(bundle: BudgetBundle) -> list[ExportedQuestion]:
    """Every question of a bundle without chains of stages and curves."""
    return [_exported(bundle, question) for question in bundle.predictors]


def _exported(bundle: BudgetBundle, question: str) -> ExportedQuestion:
    predictor, encoder = bundle.predictors[question], bundle.encoder
    names = tuple(encoder.names(question))
    if names[0] != YEAR:
        raise BundleError(f"the first feature of '{question}' is {names[0]}, not the year")
    constant, trees = _without_lone_leaves(predictor.trees, predictor.share_of_trees)
    return ExportedQuestion(
        question=question,
        inputs=names,
        means=predictor.means,
        first_year=encoder.first_year,
        last_year=encoder.last_year,
        trend=bundle.trend,
        intercept=predictor.linear_share * predictor.intercept + constant,
        coefficients=predictor.linear_share * predictor.coefficients,
        trees=trees,
        predictor=predictor,
    )


def _without_lone_leaves(trees: FlatTrees | None, share: float) -> tuple[float, FlatTrees | None]:
    """The sum of the trees that are one leaf, and the others with weights times `share`.

    ONNX cannot express a tree without a split.
    """
    if trees is None:
        return 0.0, None
    is_lone = trees.feature[trees.root] == LEAF
    constant = share * float(trees.weight[is_lone] @ trees.value[trees.root[is_lone]])
    if is_lone.all():
        return constant, None
    kept = {"root": trees.root[~is_lone], "weight": share * trees.weight[~is_lone]}
    return constant, FlatTrees(**(vars_of(trees) | kept))


def vars_of(trees: FlatTrees) -> dict[str, Any]:
    """The arrays of `trees` by name."""
    return {name: getattr(trees, name) for name in FlatTrees.__dataclass_fields__}


def nodes_of(trees: FlatTrees, root: int) -> Iterator[int]:
    """The nodes of one tree in pre-order: a node, its left part, its right part."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if trees.feature[node] != LEAF:
            waiting += [int(trees.right[node]), int(trees.left[node])]


# Rows


def row_of(model: BudgetModel, query: BudgetQuery) -> tuple[float, ...]:
    """The inputs of a query, in the order of its question's `inputs`."""
    return (float(query.year), *model.features(query)[1:].tolist())


def exported_rows(model: BudgetModel, questions: Sequence[ExportedQuestion]) -> list[ExportedRow]:
    """The golden queries as rows, then for each question rows with missing values and rows exactly
    on thresholds. Raises BundleError where the bundle does not repeat its golden answers."""
    require_golden_answers(model.check_golden())
    golden = [_golden_row(model, table) for table in model.bundle.golden["queries"]]
    return golden + [row for one in questions for row in _edge_rows(one, golden)]


def require_golden_answers(report: GoldenReport) -> None:
    """Raise BundleError for a bundle that does not repeat the answers of its training."""
    if not report.passed:
        what = report.failures[0] if report.failures else "it has no golden queries"
        raise BundleError(f"the bundle does not repeat the answers of its training: {what}", REMEDY)


def _golden_row(model: BudgetModel, table: dict[str, Any]) -> ExportedRow:
    query, answer = golden_query(table), float(table["log10"])
    interval = model.interval(query, answer)
    return ExportedRow(model.question(query), TRAINING, row_of(model, query), answer, interval)


def _edge_rows(one: ExportedQuestion, golden: Sequence[ExportedRow]) -> Iterator[ExportedRow]:
    known = [row.values for row in golden if row.question == one.question]
    base = np.array(known[0] if known else one.means.tolist())
    base[0] = round(base[0])
    rows = np.concatenate([missing_rows(base), threshold_rows(one, base)])
    for values, answer in zip(rows.tolist(), one.answers(rows).tolist(), strict=True):
        yield ExportedRow(one.question, EXPORTER, tuple(values), answer)


def missing_rows(base: Floats) -> Floats:
    """`base` without everything but the year, and without each input alone [F, F]."""
    rows = np.tile(base, (len(base), 1))
    rows[0, 1:] = np.nan
    rows[np.arange(1, len(base)), np.arange(1, len(base))] = np.nan
    return rows


def threshold_rows(one: ExportedQuestion, base: Floats, most: int = ROWS_ON_THRESHOLDS) -> Floats:
    """`base` with one value exactly on a split's threshold, and then with the next larger number;
    at most so many splits, evenly chosen [2 * splits, F]."""
    if one.trees is None:
        return np.empty((0, len(base)))
    reached = [n for root in one.trees.root.tolist() for n in nodes_of(one.trees, root)]
    inner = [n for n in reached if one.trees.feature[n] != LEAF]
    chosen = [inner[k] for k in np.linspace(0, len(inner) - 1, min(most, len(inner))).astype(int)]
    rows = np.repeat(base[None, :], 2 * len(chosen), axis=0)
    for place, node in enumerate(chosen):
        feature, threshold = int(one.trees.feature[node]), one.trees.threshold[node]
        rows[2 * place, feature] = threshold
        rows[2 * place + 1, feature] = np.nextafter(threshold, np.inf)
    return rows
