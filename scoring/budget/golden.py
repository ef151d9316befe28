"""Golden queries of a budget bundle, asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from marquee.errors import BundleError, SourceError
from scoring.arrays import Floats
from scoring.budget.query import BudgetQuery
from scoring.budget.trees import REMEDY
from scoring.golden import GoldenReport, differences


def check_golden(
    golden: Mapping[str, Any],
    answer: Callable[[Sequence[BudgetQuery]], Floats],
    question: Callable[[BudgetQuery], str],
) -> GoldenReport:
    """Compare answers with what the training job recorded; BundleError where that is torn."""
    try:
        queries = [(q, golden_query(q)) for q in golden["queries"]]
        tolerance = float(golden["tolerance"])
        recorded = np.array([float(q["log10"]) for q, _ in queries])
    except (KeyError, TypeError, ValueError, AttributeError, SourceError) as error:
        raise BundleError(f"golden.json is not complete: {error!r}", REMEDY) from None
    apart = differences(answer([query for _, query in queries]), recorded)
    wrong = [
        f"query {i}: {queries[i][1]}"
        for i, (raw, query) in enumerate(queries)
        if not apart[i] <= tolerance or raw.get("question") != question(query)
    ]
    return GoldenReport(len(queries), tuple(wrong), float(max(apart, default=0.0)))


def golden_query(raw: Mapping[str, Any]) -> BudgetQuery:
    """A query as `golden.json` holds it."""
    return BudgetQuery(
        tuple(raw["directors"]),
        tuple(raw["genres"]),
        int(raw["year"]),
        raw["rating"],
        {role: tuple(names) for role, names in raw.get("people", {}).items()},
        dict(raw.get("numbers", {})),
        dict(raw.get("labels", {})),
    )
