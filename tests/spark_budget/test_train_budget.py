"""The job as it runs, and its bundle held to Spark's own saved model."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from marquee.identifiers import canonical_json
from marquee.lake import Lake
from marquee.prices import PriceIndex
from scoring.budget.features import BEFORE_RELEASE, RECORD_FEATURES, WITH_RATING
from scoring.budget.holdout_evaluation import evaluate_budget
from scoring.budget.known_titles import read_titles
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.budget.predictor import NO_TREND
from spark_apps import prepare_titles, train_budget
from spark_apps.budget.features import featured, with_attributes, with_target
from spark_apps.budget.folds import Fold, in_folds, with_place
from spark_apps.budget.pipeline import estimate_column
from tests.spark_budget.budget_lake import (
    FOREST,
    GBT,
    LINEAR,
    RUN,
    add_ratings,
    add_snapshot,
    freeze,
    item,
    make_lake,
    run_of,
    title_lines,
)


def test_the_folder_holds_what_architecture_says(model_folder: Path) -> None:
    card = json.loads((model_folder / "card.json").read_text())
    assert {t["name"] for t in card["recipes_tried"]} == {"forest", "linear"}
    assert sum(t["chosen"] for t in card["recipes_tried"]) == 1
    assert card["rows"] == card["titles"] > 100
    for part in ("evaluated", "shipped"):
        assert (model_folder / part / "bundle" / "bundle.json").exists()
        assert (model_folder / part / "spark" / "metadata").is_dir()


def test_the_incumbent_is_the_champions_recipe(model_folder: Path) -> None:
    """Its recipe is `linear` under other code: refitted, or the challenger itself."""
    incumbent = json.loads((model_folder / "incumbent/bundle/bundle.json").read_text())
    assert incumbent["recipe"]["name"] == "linear"
    assert BudgetModel.load(model_folder / "incumbent/bundle").check_golden().passed


@pytest.mark.parametrize("part", ["evaluated", "shipped", "incumbent"])
def test_golden_answers(model_folder: Path, part: str) -> None:
    model = BudgetModel.load(model_folder / part / "bundle")
    report = model.check_golden()
    assert report.passed and report.count >= 40 and report.worst < 1e-9
    queries = model.bundle.golden["queries"]
    assert {q["question"] for q in queries} == {WITH_RATING, BEFORE_RELEASE}
    assert any("nm0000000" in q["directors"] for q in queries)
    assert any("Puppetry" in q["genres"] for q in queries)


def test_every_holdout_row_equals_the_saved_spark_model(
    trained: Lake, model_folder: Path, spark: SparkSession
) -> None:
    """Spark's features and its saved pipeline on one side, the bundle alone on the other."""
    model = BudgetModel.load(model_folder / "evaluated/bundle")
    parts = {
        p: spark.read.parquet(trained.uri(f"runs/{RUN}/split/titles/{p}"))
        for p in ("train", "holdout")
    }
    train, holdout = (parts[p].count() for p in ("train", "holdout"))
    prices = PriceIndex.load(model.price_year + 1)
    both = parts["train"].unionByName(parts["holdout"])
    placed = with_place(with_attributes(with_target(spark, both, prices)))
    rows = in_folds(spark, placed, [Fold("f", train, train + holdout)])
    later = featured(rows, model.bundle.encoder.director_smoothing).where("NOT is_fitted")
    saved = PipelineModel.load((model_folder / "evaluated/spark").as_uri())
    answers = saved.transform(later).collect()
    assert len(answers) == holdout > 20
    for row in answers:
        for question, rating in ((WITH_RATING, row["rating"]), (BEFORE_RELEASE, None)):
            query = BudgetQuery(tuple(row["directors"]), tuple(row["genres"]), row["year"], rating)
            ours = model.estimate(query)
            assert ours.question == question
            assert math.log10(ours.median) == pytest.approx(
                row[estimate_column(question)], abs=1e-9
            )
            assert sum(ours.contributions.values()) == pytest.approx(
                row[estimate_column(question)], abs=1e-9
            )


def test_evaluation_of_the_real_thing(trained: Lake, model_folder: Path) -> None:
    split = model_folder.parents[1] / "split/titles"
    found = evaluate_budget(
        model_folder / "evaluated/bundle",
        model_folder / "shipped/bundle",
        model_folder / "incumbent/bundle",
        split / "train",
        split / "holdout",
        seed=7,
    )
    assert found["metrics"]["answered"] == 1.0
    assert found["metrics"]["log_rmse"] < found["baselines"]["median_by_genre"]["log_rmse"]
    assert found["shipped"]["loads"] and found["shipped"]["golden"]["failures"] == 0
    assert found["shipped"]["error_on_holdout"] <= found["shipped"]["error_evaluated"]


YEARS = range(1890, 2030)


def test_any_year_has_a_price_and_both_sides_state_the_same_dollars(
    spark: SparkSession,
) -> None:
    prices = PriceIndex.load(2028)
    rows = [(year, 1e6) for year in YEARS]
    priced = with_target(spark, spark.createDataFrame(rows, "year int, budget_usd double"), prices)
    found = {row["year"]: row["log_budget"] for row in priced.collect()}
    assert set(found) == set(YEARS)
    for year, log_dollars in found.items():
        assert log_dollars == pytest.approx(math.log10(1e6 * prices.factor(year, prices.last)))


def test_films_outside_the_price_table_stay_on_their_side_of_the_split(
    tmp_path: Path, spark: SparkSession
) -> None:
    """The table starts in 1913 and ends in 2025: one title of 1898, two a year in 2026 and 2027."""
    outside = [1898, 2026, 2026, 2027, 2027]
    lines = title_lines(80) + [
        item(2000 + i, year=year, release_date=None, title=f"Outside {year} {i}")
        for i, year in enumerate(outside)
    ]
    as_of = "2028-01-02T03:00:00Z"
    lake, status = run_of(tmp_path, lines, as_of, recipes=[LINEAR], as_of=as_of)
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    split = Path(lake.root.removeprefix("file://")) / f"runs/{RUN}/split/titles"
    train, holdout = (read_titles(split / part, 2025) for part in ("train", "holdout"))
    assert (len(train), len(holdout)) == (68, 17)
    learnt = BudgetModel.load(folder / "evaluated/bundle").bundle.titles
    assert {f.title_id for f in learnt} == {f.title_id for f in train}
    assert learnt[0].year == 1898 and {2026, 2027} <= {f.year for f in holdout}
    whole = BudgetModel.load(folder / "shipped/bundle").bundle.titles
    assert {f.title_id for f in whole} == {f.title_id for f in [*train, *holdout]}
    by_id = {title.title_id: title.log_budget for title in [*train, *holdout]}
    for title in whole:
        assert title.log_budget == pytest.approx(by_id[title.title_id], abs=1e-12)


def test_a_split_that_is_not_what_its_manifest_states_is_refused(
    tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = make_lake(tmp_path / "lake")
    ratings = add_ratings(
        lake, "movieId,title,genres\n1,A (2000),Drama\n", "movieId,imdbId,tmdbId\n"
    )
    freeze(lake, ratings, [add_snapshot(lake, title_lines(80), "2026-10-31T00:00:00Z")])
    flags = ["--lake", lake.root, "--run", RUN]
    assert prepare_titles.main(flags) == 0
    holdout = Path(lake.root.removeprefix("file://")) / f"runs/{RUN}/split/titles/holdout"
    part = next(holdout.glob("*.parquet"))
    (holdout / f".{part.name}.crc").unlink(missing_ok=True)
    pq.write_table(pq.read_table(part).slice(3), part)
    assert train_budget.main(flags) == 2
    assert "holds 13 films and its manifest states 16" in capsys.readouterr().err


def test_features_do_not_change_when_the_future_is_deleted(
    trained: Lake, spark: SparkSession
) -> None:
    train = spark.read.parquet(trained.uri(f"runs/{RUN}/split/titles/train"))
    placed = with_place(with_attributes(with_target(spark, train, PriceIndex.load(2026))))
    total, half = train.count(), train.count() // 2
    columns = ["title_id", "above_time", *(f"record.director.{x}" for x in RECORD_FEATURES)]

    def early(upto: int) -> list[tuple[object, ...]]:
        rows = featured(in_folds(spark, placed, [Fold("f", upto, upto)]), 3.0)
        chosen = rows.where(F.col("place") <= half).orderBy("title_id").select(*columns)
        return [tuple(row) for row in chosen.collect()]

    assert len(early(half)) == half
    assert sum(row[2] != 0 for row in early(half)) > 10
    assert early(half) == early(total)


def test_a_retry_keeps_what_is_published(trained: Lake) -> None:
    before = trained.manifest(f"runs/{RUN}/models/budget").digest
    assert train_budget.main(["--lake", trained.root, "--run", RUN]) == 0
    assert prepare_titles.main(["--lake", trained.root, "--run", RUN]) == 0
    assert trained.manifest(f"runs/{RUN}/models/budget").digest == before


def test_too_few_films_are_refused_with_their_number(
    tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _, status = run_of(tmp_path, title_lines(20), "2026-10-31T00:00:00Z")
    error = capsys.readouterr().err
    assert status == 2
    assert "error: 16 films in train" in error and "20 with a budget" in error


def test_without_a_crawl_before_as_of_only_before_release_is_answered(
    tmp_path: Path, spark: SparkSession
) -> None:
    lake, status = run_of(tmp_path, title_lines(80), "2026-12-01T00:00:00Z", recipes=[LINEAR])
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    model = BudgetModel.load(folder / "shipped/bundle")
    assert set(model.bundle.predictors) == {BEFORE_RELEASE}
    answer = model.estimate(BudgetQuery(("Director 1",), ("Action",), 1995, 8.0))
    assert answer.question == BEFORE_RELEASE
    assert "answers before release only" in " ".join(
        json.loads((folder / "card.json").read_text())["notes"]
    )


def test_films_that_tell_nothing_still_give_finite_figures(
    tmp_path: Path, spark: SparkSession
) -> None:
    """All of one budget and year, by nobody, of genres too rare to learn, rated by nobody."""
    same = {"amount": 10_000_000, "currency": "USD"}
    same_facts = {
        "year": 2001,
        "release_date": None,
        "directors": [],
        "rating": None,
        "budget": same,
    }
    lines = [
        item(3000 + i, genres=[f"Genre {i}"], title=f"Same {i}", **same_facts) for i in range(60)
    ]
    lake, status = run_of(
        tmp_path, lines, "2026-11-01T03:00:00Z", recipes=[GBT | {"trend": True}], search="none"
    )
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    split = lake.fetch(f"runs/{RUN}/split/titles", tmp_path / "split")
    parts = (folder / "evaluated/bundle", folder / "shipped/bundle")
    found = evaluate_budget(*parts, None, split / "train", split / "holdout", seed=7)
    assert canonical_json(found)  # refuses what is not finite
    assert found["metrics"]["log_rmse"] == pytest.approx(0.0, abs=1e-9)
    assert found["shipped"]["loads"] and found["shipped"]["golden"]["failures"] == 0


@pytest.mark.parametrize(
    "recipe",
    [GBT, GBT | {"trend": True}, FOREST | {"family": "tree", "linear_share": 0.0}],
)
def test_other_families_leave_spark_whole(
    tmp_path: Path, spark: SparkSession, recipe: dict[str, object]
) -> None:
    lake, status = run_of(
        tmp_path, title_lines(80), "2026-10-31T00:00:00Z", recipes=[recipe], search="none"
    )
    assert status == 0
    folder = lake.fetch(f"runs/{RUN}/models/budget", tmp_path / "model")
    model = BudgetModel.load(folder / "shipped/bundle")
    assert model.check_golden().passed
    action, drama = (model.estimate(BudgetQuery((), (g,), 1999)) for g in ("Action", "Drama"))
    assert (model.bundle.trend != NO_TREND) is recipe.get("trend", False)
    assert 4 < action.median / drama.median < 25
    assert action.low <= action.median <= action.high and action.low < action.high
    assert not (folder / "incumbent").exists()


def test_a_wrong_recipe_is_named(
    tmp_path: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    _, status = run_of(
        tmp_path, title_lines(80), "2026-10-31T00:00:00Z", recipes=[LINEAR | {"tress": 3}]
    )
    assert status == 2
    assert "recipe linear: tress" in capsys.readouterr().err
