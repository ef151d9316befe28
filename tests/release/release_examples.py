"""Made-up evaluations, runs and lakes for the release tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from marquee.artefacts.model_card import read_figures
from marquee.artefacts.verdict import Subject
from marquee.clock import iso
from marquee.identifiers import canonical_json
from marquee.lake import Lake
from marquee.policy import BudgetPolicy, RecommenderPolicy
from release.same_world import DataComparison
from tests.frozen_inputs import frozen

RECOMMENDER = RecommenderPolicy(
    rmse_ceiling=1.1, coverage_floor=0.5, margin_rmse=0.01, margin_ndcg=0.03, fewest_people=30
)
BUDGET = BudgetPolicy(
    log_rmse_ceiling=1.0, margin_log_rmse=0.03, margin_ridge=0.02, fewest_titles=20
)
POLICY_VALUES = {"recommender": vars(RECOMMENDER), "budget": vars(BUDGET)}
FIRST_SUNDAY = datetime(2026, 1, 4, 3, tzinfo=UTC)
RECIPE = {"name": "als-32", "rank": 32}


RATINGS_FIGURES: dict[str, Any] = {
    "format": 1, "as_of": "2026-01-04T03:00:00Z", "rows": 100_000, "people": 600, "titles": 9000,
    "mean": 3.5,
    "counts": {
        "stars": {"3.0": 20_000, "3.5": 30_000, "4.0": 30_000, "5.0": 20_000},
        "activity": {"20-49": 300, "50-99": 200, "100-199": 100},
    },
}  # fmt: skip
TITLES_FIGURES: dict[str, Any] = {
    "format": 2, "as_of": "2026-01-04T03:00:00Z", "rows": 1200, "films": 900, "with_budget": 950,
    "missing": {"year": 0.0, "runtime_minutes": 0.05, "plot": 0.2},
    "counts": {
        "decade": {"1990": 300, "2000": 400, "2010": 200},
        "genre": {"Drama": 500, "Comedy": 400, "Action": 200},
        "budget_class": {"0": 200, "1": 400, "2": 300},
    },
}  # fmt: skip
DATA = {"ratings": RATINGS_FIGURES, "titles": TITLES_FIGURES}


def data_comparison(**now: Any) -> DataComparison:
    """Equal training data but for what a test changes: `ratings` or `titles` values."""
    ours = {name: value | now.get(name, {}) for name, value in DATA.items()}
    return DataComparison(read_figures(ours), read_figures(DATA))


def comparison(challenger: float, other: float, spread: float, units: str = "people") -> dict:
    """A paired comparison whose 95 % bounds lie `spread` around the difference."""
    difference = challenger - other
    return {
        "challenger": challenger,
        "other": other,
        "difference": difference,
        "interval": [difference - 1.2 * spread, difference + 1.2 * spread],
        "upper95": difference + spread,
        "lower95": difference - spread,
        "units": units,
    }


def shipped(error: float) -> dict:
    """What a sound shipped bundle says of itself."""
    return {
        "loads": True,
        "why": "",
        "golden": {"count": 40, "failures": 0, "worst": 1e-7},
        "error_on_holdout": error * 0.9,
        "error_evaluated": error,
    }


def recommender_evaluation(
    rmse: float = 0.88, ndcg: float = 0.18, champion: tuple[float, float] | None = None
) -> dict[str, Any]:
    """An evaluation that passes; `champion` is the retrained champion's RMSE and nDCG@10."""
    return {
        "model": "recommender",
        "holdout": {"rows": 20000, "people": 600, "titles": 3000},
        "metrics": {
            "rmse": rmse, "mae": 0.67, "answered": 1.0, "coverage": 0.98, "ndcg@10": ndcg,
        },
        "baselines": {"bias": {"rmse": 0.9}, "popularity": {"ndcg@10": 0.11},
                      "popularity_lately": {"ndcg@10": 0.12}},
        "versus": {
            "bias": {"rmse": comparison(rmse, 0.90, 0.004)},
            "popularity": {"ndcg@10": comparison(ndcg, 0.11, 0.01)},
            "popularity_lately": {"ndcg@10": comparison(ndcg, 0.12, 0.01)},
            "champion": champion and {
                "rmse": comparison(rmse, champion[0], 0.002),
                "ndcg@10": comparison(ndcg, champion[1], 0.002),
            },
        },
        "turned_stars": {"people": 190, "changed": 0.98, "overlap": 0.3, "disliked_reasons": 0},
        "shipped": shipped(rmse),
    }  # fmt: skip


def question(bias: float = 0.02, coverage: float = 0.8) -> dict[str, Any]:
    """How one question of the budget model is answered."""
    return {
        "log_rmse": 0.55, "bias": bias, "bias_interval": [bias - 0.05, bias + 0.05],
        "coverage": coverage, "coverage_interval": [coverage - 0.06, coverage + 0.06],
    }  # fmt: skip


def record(challenger: float, other: float, spread: float, matched: int = 500) -> dict[str, Any]:
    """`versus.record` of a recommender: RMSE as given, the ranking equal."""
    return {
        "matched": matched, "units": 600,
        "rmse": comparison(challenger, other, spread), "ndcg@10": comparison(0.17, 0.17, 0.002),
    }  # fmt: skip


def budget_evaluation(error: float = 0.55, champion: float | None = None) -> dict[str, Any]:
    """An evaluation of the budget model that passes."""
    return {
        "model": "budget",
        "holdout": {"rows": 120, "titles": 120},
        "metrics": {
            "log_rmse": error, "log_rmse_before_release": error + 0.02,
            "mae_log": 0.4, "answered": 1.0, "interval_coverage": 0.8,
        },
        "baselines": {"median_by_genre": {"log_rmse": 0.79}, "ridge": {"log_rmse": 0.56}},
        "versus": {
            "median_by_genre": {"log_rmse": comparison(error, 0.79, 0.05, "titles")},
            "ridge": {"log_rmse": comparison(error, 0.56, 0.05, "titles")},
            "champion": champion and {
                "log_rmse": comparison(error, champion, 0.005, "titles"),
                "log_rmse_before_release": comparison(
                    error + 0.02, champion + 0.02, 0.005, "titles"
                ),
            },
        },
        "questions": {"with rating": question(), "before release": question()},
        "shipped": shipped(error),
    }  # fmt: skip


def subject(**changes: Any) -> Subject:
    """Who is judged, unless a test says otherwise."""
    values: dict[str, Any] = {
        "run": "manual-1", "model": "recommender", "as_of": FIRST_SUNDAY, "run_type": "manual",
        "promote": "yes", "recipe": RECIPE, "code": "c0de", "fingerprint": "f" * 64,
        "bundle_digest": "b" * 64,
    }  # fmt: skip
    return Subject(**values | changes)


def week(number: int) -> datetime:
    """The as-of of the n-th weekly run."""
    return FIRST_SUNDAY + timedelta(weeks=number)


def clock_at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands."""
    return lambda: moment


def publish_run(
    lake: Lake,
    scratch: Path,
    run: str,
    *,
    as_of: datetime = FIRST_SUNDAY,
    champion: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
    recipe: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    **inputs: Any,
) -> None:
    """What a run leaves in the lake before its gate: inputs, a model folder, an evaluation."""
    recipe = recipe or RECIPE
    folder = scratch / run
    bundle = folder / "shipped" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "bundle.json").write_bytes(canonical_json({"model": "recommender", "run": run}))
    (bundle / "user_factors.npy").write_bytes(run.encode() * 100)
    (folder / "card.json").write_bytes(canonical_json({"model": "recommender", "recipe": recipe}))
    asked = {"policy": POLICY_VALUES["recommender"], "champion": champion}
    values = {"code": "c0de", "models": {"recommender": asked}} | inputs
    lake.create_json(f"runs/{run}/inputs.json", frozen(run, iso(as_of), **values))
    for name, figures in (DATA if data is None else data).items():
        lake.create_json(f"runs/{run}/data/{name}.json", figures)
    lake.publish(folder, f"runs/{run}/models/recommender")
    text = json.dumps(evaluation or recommender_evaluation()).encode()
    lake.create(f"runs/{run}/models/recommender/evaluation.json", text)


def champion_of(lake: Lake) -> dict[str, Any] | None:
    """The ledger's head as `inputs.json` spells it."""
    from release.ledger import Ledger

    head = Ledger(lake, "recommender").head()
    return head and {
        "number": head.number, "digest": head.digest, "bundle": head.bundle,
        "recipe": dict(head.recipe), "code": head.code,
    }  # fmt: skip
