"""What both models answer, as JSON: `python -m tests.drill.arm64_answers RECOMMENDER BUDGET`.

The drill `arm64` runs it on this machine and in the emulated one, over the same two bundles. It
needs what serving needs, and no more: no Spark, no Airflow.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from scoring.budget.bundle import golden_query
from scoring.budget.model import BudgetModel
from scoring.recommender.model import Recommender

PEOPLE, PAIRS, LISTED, LATEST = 60, 20_000, 10, 20


def main() -> int:
    """Print the answers."""
    recommender, budget = (Path(word) for word in sys.argv[1:3])
    found = {"machine": platform.machine(), **of_recommender(Recommender.load(recommender))}
    print(json.dumps(found | of_budget(BudgetModel.load(budget))))
    return 0


def of_recommender(model: Recommender) -> dict[str, Any]:
    """Stars of random pairs; lists of people, of newcomers with their ratings, of a stranger."""
    rng = np.random.default_rng(7)
    pairs = rng.choice(model.user_ids, PAIRS), rng.choice(model.movie_ids, PAIRS)
    people = [int(user) for user in rng.choice(model.user_ids, PEOPLE)]
    given = [dict(list(model.ratings_of(person).items())[-LATEST:]) for person in people]
    lists = [model.recommend(person, n=LISTED) for person in [*people, -1]]
    lists += [model.recommend_for(ratings, n=LISTED) for ratings in given]
    return {
        "golden": model.check_golden().passed,
        "stars": model.predict(*pairs).values.tolist(),
        "folded": [model.predict_for(r, model.movie_ids[:50]).values.tolist() for r in given],
        "lists": [[[one.movie_id for one in each], [one.score for one in each]] for each in lists],
    }


def of_budget(model: BudgetModel) -> dict[str, Any]:
    """The logarithms of the budgets of its golden queries, and how far those lie from recorded."""
    recorded = model.bundle.golden["queries"]
    return {
        "budget_golden": model.check_golden().worst,
        "budgets": model.log_estimates([golden_query(one) for one in recorded]).tolist(),
    }


if __name__ == "__main__":
    sys.exit(main())
