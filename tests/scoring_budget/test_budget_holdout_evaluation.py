"""The evaluation against slow, separate arithmetic."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from marquee.errors import BundleError, ContractError
from marquee.prices import PriceIndex
from scoring.budget.baselines import fit_ridge, median_by_genre, ridge
from scoring.budget.bundle import write_bundle
from scoring.budget.holdout import BudgetHoldout
from scoring.budget.holdout_evaluation import evaluate_budget, most_voted_titles
from scoring.budget.known_titles import read_titles, read_votes, with_deviations
from scoring.budget.model import BudgetModel, BudgetQuery
from tests.scoring_budget.handmade_bundle import TITLES, bundle, known_title
from tests.scoring_budget.titles_folder import row, write


@pytest.fixture
def split(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(3)
    dollars = 10 ** rng.normal(7.3, 0.5, 50)
    rows = [row(i, 1985 + i // 2, float(d)) for i, d in enumerate(dollars)]
    return write(tmp_path / "train", rows[:40]), write(tmp_path / "holdout", rows[40:])


def test_every_number_by_hand(tmp_path: Path, split: tuple[Path, Path]) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    found = evaluate_budget(folder, folder, folder, *split, seed=1)
    model, prices = BudgetModel.load(folder), PriceIndex.load(2011)
    errors, inside = [], []
    for line in pq.read_table(split[1]).to_pylist():
        actual = line["budget_usd"] * prices.factor(line["year"], 2010)
        query = BudgetQuery(
            tuple(line["directors"]), tuple(line["genres"]), line["year"], line["rating"]
        )
        answer = model.estimate(query)
        errors.append(math.log10(actual) - math.log10(answer.median))
        inside.append(answer.low <= actual <= answer.high)
    metrics = found["metrics"]
    assert metrics["log_rmse"] == pytest.approx(math.sqrt(sum(e * e for e in errors) / 10))
    assert metrics["mae_log"] == pytest.approx(sum(map(abs, errors)) / 10)
    assert metrics["interval_coverage"] == pytest.approx(sum(inside) / 10)
    assert metrics["answered"] == 1.0
    assert found["holdout"] == {"rows": 10, "people": 0, "titles": 10, "directors": 1}
    assert set(found["baselines"]) == {"median_by_genre", "ridge"}
    against = found["versus"]["champion"]["log_rmse"]
    assert against["difference"] == against["upper95"] == 0.0
    assert against["units"] == "directors"
    before = found["versus"]["champion"]["log_rmse_before_release"]
    assert before["challenger"] == pytest.approx(metrics["log_rmse_before_release"], abs=1e-9)
    assert (before["difference"], before["units"]) == (0.0, "directors")
    low, high = found["intervals"]["log_rmse_before_release"]
    assert low <= metrics["log_rmse_before_release"] <= high
    json.dumps(found, allow_nan=False)


def test_residuals_films_and_questions(tmp_path: Path, split: tuple[Path, Path]) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    found = evaluate_budget(folder, folder, None, *split, seed=1)
    assert set(found["questions"]) == {"with rating", "before release"}
    whole = found["questions"]["with rating"]
    assert whole["log_rmse"] == found["metrics"]["log_rmse"]
    assert whole["coverage"] == found["metrics"]["interval_coverage"]
    assert found["questions"]["before release"]["answered_as"] == ["before release"]
    sizes = found["residuals"]["size"]
    assert sum(row["films"] for row in sizes) == 10
    mean = sum(row["films"] * row["bias"] for row in sizes) / 10
    assert mean == pytest.approx(found["metrics"]["bias_log"])
    for name, interval in (("bias", "bias_interval"), ("coverage", "coverage_interval")):
        assert whole[interval][0] <= whole[name] <= whole[interval][1]
    action = next(row for row in found["residuals"]["genre"] if row["name"] == "Action")
    assert action["films"] == sum(i % 3 > 0 for i in range(40, 50))
    assert action["interval"][0] <= action["bias"] <= action["interval"][1]
    assert sum(group["rows"] for group in found["calibration"]) == 10


def test_known_films_are_the_most_voted_and_reasons_multiply(tmp_path: Path) -> None:
    model = BudgetModel(bundle())
    films = [known_title(f"tt{i:07d}", 2000 + i % 9, 7.0 + i / 50, 0.1) for i in range(30)]
    votes = {f.title_id: i for i, f in enumerate(films)}
    held_out = BudgetHoldout.of(films, films)
    answers = held_out.estimates(model)
    shown = most_voted_titles(films, answers, held_out.estimates(model, False), votes)
    assert {row["title_id"] for row in shown} == {f.title_id for f in films[10:]}
    assert [row["actual"] for row in shown] == sorted((r["actual"] for r in shown), reverse=True)
    by_id = {f.title_id: e for f, e in zip(films, answers)}
    for one in shown:
        estimate = by_id[one["title_id"]]
        assert one["interval"] == [estimate.low, estimate.high]
        assert one["reasons"]["director"] == pytest.approx(10 ** estimate.contributions["director"])
        assert one["before_release"] < one["estimate"]
    assert read_votes(tmp_path / "nowhere") == {}


def test_no_champion(tmp_path: Path, split: tuple[Path, Path]) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    assert evaluate_budget(folder, folder, None, *split, seed=1)["versus"]["champion"] is None


def test_a_broken_shipped_bundle_is_an_answer(tmp_path: Path, split: tuple[Path, Path]) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    torn = write_bundle(tmp_path / "torn", bundle())
    (torn / "films.jsonl").unlink()
    shipped = evaluate_budget(folder, torn, None, *split, seed=1)["shipped"]
    assert not shipped["loads"] and "films.jsonl" in shipped["why"]
    with pytest.raises(BundleError):
        evaluate_budget(torn, folder, None, *split, seed=1)


def test_nothing_to_measure_is_refused(tmp_path: Path, split: tuple[Path, Path]) -> None:
    folder = write_bundle(tmp_path / "bundle", bundle())
    empty = write(tmp_path / "empty", [])
    with pytest.raises(ContractError, match="0 in the holdout"):
        evaluate_budget(folder, folder, None, split[0], empty, seed=1)
    unpriced = write(tmp_path / "unpriced", [row(1, 1990, None)])
    with pytest.raises(ContractError, match="without budget"):
        evaluate_budget(folder, folder, None, split[0], unpriced, seed=1)


def test_a_film_is_compared_with_earlier_years_only() -> None:
    films = [
        known_title("tt1", 1990, 7.0, None),
        known_title("tt2", 1990, 8.0, None),
        known_title("tt3", 1992, 7.0, None),
    ]
    above = [f.above_time for f in with_deviations(films)]
    assert above == [None, None, pytest.approx(-0.5)]


def test_median_by_genre_by_hand() -> None:
    train = [
        known_title("tt1", 1990, 7.0, None, genres=("Drama",)),
        known_title("tt2", 1990, 8.0, None, genres=("Drama", "Action")),
        known_title("tt3", 1991, 6.0, None, genres=("Drama",)),
    ]
    later = [
        known_title("tt4", 1999, 0.0, None, genres=("Drama", "Action")),
        known_title("tt5", 1999, 0.0, None, genres=("Western",)),
    ]
    np.testing.assert_allclose(median_by_genre(train, later), [7.5, 7.0])


def test_ridge_finds_a_line_and_shrinks_noise() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 3)) * [1.0, 5.0, 0.1]
    exact = fit_ridge(rows, 2 + rows @ [1.0, -0.2, 3.0])
    np.testing.assert_allclose(exact.coefficients, [1.0, -0.2, 3.0], rtol=2e-3)
    noise = fit_ridge(rows, rng.normal(size=200))
    assert np.abs(noise.coefficients * rows.std(axis=0)).max() < 0.1


def test_ridge_takes_films_without_ratings() -> None:
    unrated = [
        known_title(f.title_id, f.year, f.log_budget, f.above_time, rating=None) for f in TITLES
    ]
    assert np.isfinite(ridge(unrated, unrated)).all()


def test_films_come_in_order_of_release(split: tuple[Path, Path]) -> None:
    films = read_titles(split[0], 2010)
    assert len(films) == 40
    assert [f.year for f in films] == sorted(f.year for f in films)
