"""A run keeps the last forecast of its recipe under its code, and fits one of its own otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marquee.artefacts.ledger_entry import Entry
from marquee.artefacts.model_card import forecast_json
from marquee.run_folder import forecast_path, read_forecast
from release.promotion import promote
from steps.run import Run
from steps.run_report import report
from steps.unchanged import reuse_forecast
from tests.steps.test_evaluate_to_gate import RECIPE, judged, trained

Make = Callable[..., Run]
FIGURES = {
    "rows": 120, "people": 9, "since": 883612800, "metrics": {"ndcg@10": 0.21},
    "versus": {
        "popularity": {"ndcg@10": {"challenger": 0.21, "other": 0.08}},
        "bias": {"rmse": {"challenger": 0.91, "other": float("nan")}},
    },
}  # fmt: skip


def with_forecast(run: Run, code: str = "c0de", recipe: Any = None) -> Run:
    value = {"run": run.id, "as_of": "2026-01-04T03:00:00Z", "code": code, "figures": FIGURES}
    run.lake.create_json(forecast_path(run.id), forecast_json(value | {"recipe": recipe or RECIPE}))
    return run


@pytest.fixture
def champion(make_run: Make, tmp_path: Path) -> Entry:
    run = trained(make_run("week-0", at="2026-01-04"), tmp_path, noise=0.3)
    assert judged(run).approved
    assert reuse_forecast(run) is None, "the first model has nothing to reuse"
    with_forecast(run)
    return promote(run.lake, "recommender", run.id, approved=False)


def test_the_same_recipe_and_code_keep_the_forecast_and_name_its_run(
    champion: Entry, make_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3)
    why = reuse_forecast(run)
    assert why is not None and why.startswith("recipe and code are unchanged")
    assert "nDCG@10 0.2100, popularity 0.0800; RMSE 0.9100, the bias model unknown" in why
    assert why.endswith("fitted by run week-0, as of 2026-01-04T03:00:00Z")
    assert read_forecast(run.lake, "week-1") == read_forecast(run.lake, "week-0")
    report(run)
    assert "forecast: nDCG@10 0.2100" in capsys.readouterr().out
    # A third week reads the copy, whatever became of the first run's folder.
    assert judged(run).approved
    promote(run.lake, "recommender", run.id, approved=False)
    run.lake.delete("runs/week-0")
    later = trained(make_run("week-2", at="2026-01-18"), tmp_path, noise=0.3)
    assert "fitted by run week-0" in (reuse_forecast(later) or "")


@pytest.mark.parametrize(
    "changes", [{"code": "newer"}, {"recipe": RECIPE | {"rank": 99}}, {"force": True}]
)
def test_other_code_another_recipe_or_a_forced_run_fit_their_own(
    champion: Entry, make_run: Make, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3, **changes)
    assert reuse_forecast(run) is None
    assert read_forecast(run.lake, run.id) is None


def test_a_backfill_fits_none(champion: Entry, make_run: Make, tmp_path: Path) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3, code="newer")
    assert reuse_forecast(replace(run, run_type="backfill")) == "a backfill fits no forecast"


def test_a_damaged_forecast_is_fitted_again(
    champion: Entry, make_run: Make, tmp_path: Path
) -> None:
    run = trained(make_run("week-1", at="2026-01-11"), tmp_path, noise=0.3)
    run.lake.delete(forecast_path("week-0"))
    run.lake.create(forecast_path("week-0"), b'{"format": 1, "run": 7}')
    assert reuse_forecast(run) is None
