"""To add an engine: one module that loads both models, and one line in `engines.ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.errors import SourceError
from marquee.lake import Lake
from scoring.arrays import Ints
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from scoring.evaluation_blocks import GoldenReport
from scoring.recommender.model import Predictions, Recommendation, Recommender, Similar
from serving.__main__ import main
from serving.backend import Backend, open_backend
from serving.engines import ENGINES, BudgetEngine, Engine, RecommenderEngine


# What the new module would hold: it recommends by number and rounds its stars to halves.
class ToyRecommender:
    def __init__(self, folder: Path) -> None:
        self.native = Recommender.load(folder)
        self.bundle = self.native.bundle

    def check_golden(self) -> GoldenReport:
        return self.native.check_golden()

    def knows_user(self, user_id: int) -> bool:
        return self.native.knows_user(user_id)

    def ratings_of(self, user_id: int) -> dict[int, float]:
        return self.native.ratings_of(user_id)

    def strategy_for(self, ratings: Mapping[int, float]) -> str:
        return "toy"

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions:
        found = self.native.predict(user_ids, movie_ids)
        return Predictions(np.round(found.values * 2) / 2, np.full(len(found.values), "toy"))

    def predict_for(self, ratings: Mapping[int, float], movie_ids: Ints) -> Predictions:
        return self.predict(np.full(len(movie_ids), -1), movie_ids)

    def recommend(
        self,
        user_id: int,
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        diversity: float = 0.0,
    ) -> list[Recommendation]:
        return self.recommend_for(self.ratings_of(user_id), n, allowed=allowed, exclude=exclude)

    def recommend_for(
        self,
        ratings: Mapping[int, float],
        n: int = 10,
        *,
        allowed: Collection[int] | None = None,
        exclude: Collection[int] = (),
        diversity: float = 0.0,
    ) -> list[Recommendation]:
        known = self.bundle.movie_ids.tolist() if allowed is None else sorted(allowed)
        found = [m for m in known if m not in ratings and m not in exclude]
        return [Recommendation(m, -float(m), "toy") for m in found[:n]]

    def similar(self, movie_id: int, n: int = 10) -> list[Similar]:
        return [Similar(movie_id + 1, 1.0, "toy")]


class ToyBudget:
    def __init__(self, folder: Path) -> None:
        self.native = BudgetModel.load(folder)
        self.bundle = self.native.bundle

    def check_golden(self) -> GoldenReport:
        return self.native.check_golden()

    def estimate(self, query: BudgetQuery) -> BudgetEstimate:
        return replace(self.native.estimate(query), notes=("a toy computed this",))


class WrongBudget(ToyBudget):
    def check_golden(self) -> GoldenReport:
        return replace(self.native.check_golden(), failures=("estimate of a comedy",))


def load_recommender(folder: Path) -> RecommenderEngine:
    return ToyRecommender(folder)


def load_budget(folder: Path) -> BudgetEngine:
    return ToyBudget(folder)


@pytest.fixture
def backend(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Engine], Backend]:
    """Both models, served by a new engine."""

    def build(engine: Engine) -> Backend:
        monkeypatch.setitem(ENGINES, "toy", engine)  # the new line of the table
        promote_recommender(lake, tmp_path / "one")
        promote_budget(lake, tmp_path / "two")
        found = open_backend(lake, tmp_path / "cache", tmp_path / "feedback", engine="toy")
        for follower in found.followers.values():
            follower.poll()
        return found

    return build


def test_every_route_answers_by_the_new_engine(
    backend: Callable[[Engine], Backend], serve: Callable[[Backend], httpx.Client]
) -> None:
    client = serve(backend(Engine(load_recommender, load_budget)))
    listed = client.get("/v1/users/999/recommendations", params={"n": 3}).json()
    assert [r["movie_id"] for r in listed["recommendations"]] == [1, 2, 3]
    assert {r["strategy"] for r in listed["recommendations"]} == {listed["strategy"]} == {"toy"}
    one = client.get("/v1/users/10/predictions/5").json()
    assert one["strategy"] == "toy" and (one["predicted_rating"] * 2).is_integer()
    near = client.get("/v1/titles/5/similar").json()
    assert [s["movie_id"] for s in near["similar"]] == [6]
    rated = client.post("/v1/users/p-ada/ratings", json={"ratings": [{"movie_id": 1, "rating": 4}]})
    assert (rated.status_code, rated.json()["strategy"]) == (202, "toy")
    after = client.get("/v1/users/p-ada/recommendations", params={"n": 1}).json()
    assert after["recommendations"][0]["movie_id"] == 2
    estimate = client.post("/v1/budget-estimates", json={"genres": ["Comedy"], "year": 2020})
    assert estimate.json()["notes"] == ["a toy computed this"]
    assert client.get("/").status_code == 200


def test_an_engine_with_other_answers_than_the_golden_ones_never_serves(
    backend: Callable[[Engine], Backend], serve: Callable[[Backend], httpx.Client]
) -> None:
    client = serve(backend(Engine(load_recommender, WrongBudget)))
    refused = client.post("/v1/budget-estimates", json={"year": 2020})
    assert refused.status_code == 503
    assert "answers otherwise than its training job" in refused.json()["detail"]
    assert client.get("/v1/users/10/recommendations").status_code == 200


def test_an_unknown_engine_is_refused_with_the_names_there_are(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SourceError, match="choose one of native"):
        open_backend(lake, tmp_path / "cache", tmp_path / "feedback", engine="abacus")
    with pytest.raises(SystemExit) as ended:
        main(["--cache", str(tmp_path), "--engine", "abacus"])
    assert ended.value.code == 2 and "native" in capsys.readouterr().err
