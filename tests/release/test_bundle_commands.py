"""evaluate, compare and recommend-all from the shell, on a folder lake with two promoted models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import app
from marquee.errors import BundleError, MarqueeError, NotFoundError, SourceError
from marquee.lake import Lake
from release.promotion import bundle_folder
from scoring.budget.bundle import write_bundle
from scoring.recommender.model import Recommender
from tests.scoring.test_any_bundle import save_csv
from tests.scoring.test_holdout_evaluation import HOLDOUT, TRAIN, bundle_of
from tests.scoring_budget.handmade_bundle import bundle
from tests.serving.serving_bundles import promote_folder

COMMANDS = ("evaluate", "compare", "recommend-all")
TITLES = """title_id,title,year,directors,genres,rating,budget
tt0000011,First,2001,Ada Vogel,Drama|Comedy,7.1,$20 million
tt0000012,Second,2004,Nobody,Action,6.1,"EUR 3,000,000"
tt0000013,Third,2009,Ada Vogel,Comedy,5.0,$9 million
tt0000014,No budget,2009,Ada Vogel,Comedy,5.0,
"""


def run(lake: Lake, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--lake", lake.root], env={"COLUMNS": "140"})


def printed(lake: Lake, *words: str) -> Any:
    result = run(lake, *words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.fixture
def lived(lake: Lake, tmp_path: Path) -> Lake:
    promote_folder(lake, "recommender", bundle_of(tmp_path / "old", TRAIN, noise=2.0, seed=2))
    promote_folder(lake, "recommender", bundle_of(tmp_path / "new", TRAIN, noise=0.3))
    promote_folder(lake, "budget", write_bundle(tmp_path / "budget", bundle()))
    return lake


@pytest.fixture
def ratings(tmp_path: Path) -> str:
    return str(save_csv(tmp_path / "newer.csv", HOLDOUT))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "140"})
    assert result.exit_code == 0
    for said in ("--lake", "--webhdfs", "--json", "champion:recommender", f"marquee {command}"):
        assert said in result.output


def test_a_bundle_is_the_same_by_each_of_its_names(
    lived: Lake, ratings: str, tmp_path: Path
) -> None:
    served = sorted(lived.names("serving/recommender/bundles"))[-1]
    path = f"{bundle_folder('recommender', served)}/bundle"
    names = ["champion:recommender", path, lived.uri(path), str(tmp_path / "new")]
    found = [printed(lived, "evaluate", name, "--on", ratings) for name in names]
    assert all(f["metrics"] == found[0]["metrics"] for f in found)
    assert found[0]["metrics"]["rmse"] < 0.6


def test_evaluate_prints_figures_and_intervals(lived: Lake, ratings: str) -> None:
    text = run(lived, "evaluate", "champion:recommender", "--on", ratings).output
    found = printed(lived, "evaluate", "champion:recommender", "--on", ratings)
    low, high = found["versus"]["bias"]["rmse"]["interval"]
    assert f"{low:+.4f} to {high:+.4f}" in text and f"{found['metrics']['rmse']:.4f}" in text
    assert f"{len(HOLDOUT):,} of {len(HOLDOUT):,} rows used" in text


def test_evaluate_a_budget_model_on_a_users_own_csv(lived: Lake, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TITLES)
    found = printed(lived, "evaluate", "champion:budget", "--on", str(path))
    assert found["file"] | {"path": ""} == {
        "path": "", "rows": 4, "unusable": 1, "learnt": 0, "used": 3,
    }  # fmt: skip
    assert found["questions"]["with rating"]["films"] == 3
    assert {film["title"] for film in found["films"]} == {"First", "Second", "Third"}
    assert "lack budget" in run(lived, "evaluate", "champion:budget", "--on", str(path)).output


def test_compare_names_the_winner(lived: Lake, ratings: str, tmp_path: Path) -> None:
    old = str(tmp_path / "old")
    found = printed(lived, "compare", "champion:recommender", old, "--on", ratings)
    assert len(found["sentences"]) == 2
    assert all("champion:recommender wins by" in s for s in found["sentences"])
    turned = printed(lived, "compare", old, "champion:recommender", "--on", ratings)
    assert all("champion:recommender wins by" in s for s in turned["sentences"])
    same = run(lived, "compare", old, old, "--on", ratings)
    assert "RMSE: no winner" in same.output


def test_recommend_all_is_what_each_is_recommended(lived: Lake, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    said = printed(lived, "recommend-all", "champion:recommender", "--out", str(out), "--n", "5")
    rows = pq.read_table(out).to_pylist()
    model = Recommender.load(tmp_path / "new")
    wanted = [
        (int(user), found.movie_id) for user in model.user_ids for found in model.recommend(user, 5)
    ]
    assert [(row["user_id"], row["movie_id"]) for row in rows] == wanted
    assert (said["people"], said["rows"]) == (len(model.user_ids), len(rows))


def test_recommend_all_varies_lists_as_asked(lived: Lake, tmp_path: Path) -> None:
    out, asked = tmp_path / "all.parquet", ("--n", "5", "--diversity", "0.5")
    said = printed(lived, "recommend-all", "champion:recommender", "--out", str(out), *asked)
    model = Recommender.load(tmp_path / "new")
    wanted = [r.movie_id for u in model.user_ids for r in model.recommend(int(u), 5, diversity=0.5)]
    assert [row["movie_id"] for row in pq.read_table(out).to_pylist()] == wanted
    assert said["diversity"] == 0.5 and said["rows"] == len(wanted) > 0


WRONG: dict[str, tuple[list[str], type[MarqueeError]]] = {
    "no such bundle": (["evaluate", "runs/x/models/recommender"], NotFoundError),
    "no such model": (["evaluate", "champion:oracle"], SourceError),
    "not a bundle": (["evaluate", "FOLDER"], BundleError),
    "two kinds": (["compare", "champion:budget", "champion:recommender"], SourceError),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_with_a_remedy(
    lived: Lake, ratings: str, tmp_path: Path, case: str
) -> None:
    words, error = WRONG[case]
    words = [str(tmp_path) if word == "FOLDER" else word for word in words]
    result = run(lived, *words, "--on", ratings)
    assert isinstance(result.exception, error) and result.exception.remedy


def test_a_budget_model_recommends_nothing(lived: Lake, tmp_path: Path) -> None:
    result = run(lived, "recommend-all", "champion:budget", "--out", str(tmp_path / "x.csv"))
    assert isinstance(result.exception, SourceError) and not (tmp_path / "x.csv").exists()
