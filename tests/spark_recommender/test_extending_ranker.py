"""A ranker and a predictor added from outside: registered, trained, shipped in a bundle, asked.

This is `docs/guides/extending.md`, "To add a ranker", run: nothing but the two registrations of a
family is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from marquee.errors import BundleError, RecipeError
from scoring.arrays import Floats, Mask, Rows
from scoring.recommender import fold_in, rankers
from scoring.recommender.fold_in import AlsFoldIn
from scoring.recommender.model import Recommender
from scoring.recommender.rankers import RankArrays
from scoring.recommender.rankers import RankerReader as ScoringFamily
from scoring.recommender.ratings_arrays import History
from scoring.recommender.top_n import top_lists
from spark_apps.recommender import families
from spark_apps.recommender.families import FittedRanker, PredictorFamily, RankerFamily
from spark_apps.recommender.indexed_ratings import Frame, IndexedRatings
from spark_apps.recommender.predictor_als_bias import AlsBiasRecipe, BlendedAls, fit_als_bias
from spark_apps.recommender.recipe_search import choose
from spark_apps.recommender.recipes import Positive, RankerRecipe, read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import history_of, make_ratings
from tests.spark_recommender.made_up import RECIPE

ROWS = make_ratings(30, 40)
TOY: dict[str, Any] = {"family": "toy", "power": 0.5}


# The training side: a recipe, what is fitted, and the fit -----------------------------------------


class ToyRecipe(RankerRecipe):
    """Titles by how many rated them, to a power; half as much for those near what was rated."""

    family: Literal["toy"]
    power: Positive


@dataclass(frozen=True)
class FittedToy(FittedRanker):
    """`counts` [I] of ratings."""

    recipe: ToyRecipe
    counts: Floats

    @property
    def known(self) -> Mask:
        return self.counts > 0

    def scores(self, user: int, history: History) -> Floats:
        return self.folded(history)

    def folded(self, history: History) -> Floats:
        worth = self.counts**self.recipe.power
        for title in range(self.titles):
            if any(title in (row - 1, row + 1) for row in history.rows.tolist()):
                worth[title] *= 1.5
        return worth

    def facts(self) -> dict[str, Any]:
        return {"family": "toy", "power": self.recipe.power}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"counts": self.counts}


def fit_toy(ratings: IndexedRatings, frame: Frame, recipe: ToyRecipe, seed: int) -> FittedToy:
    titles = ratings.catalogue.shape[1]
    found = np.zeros(titles)
    for row in frame().groupBy("item").count().collect():
        found[row["item"]] = row["count"]
    return FittedToy(*ratings.catalogue.shape, recipe, found)


def toy_cost(recipe: ToyRecipe, ratings: IndexedRatings) -> str:
    if recipe.power > 9.0:
        raise RecipeError("a toy to the power of more than nine would not fit", "lower `power`")
    return f"a toy over {ratings.catalogue.shape[1]} titles costs nothing"


# The scoring side: a ranker made of the bundle's arrays and the recipe's facts --------------------


class ToyRanker:
    """The same by other arithmetic."""

    def __init__(self, arrays: RankArrays, power: float) -> None:
        self._worth = arrays.others["counts"] ** power

    @property
    def known(self) -> Mask:
        return np.asarray(self._worth > 0)

    def personal(self, user: int, history: History) -> Floats:
        return self.fold_in(history)

    def fold_in(self, history: History) -> Floats:
        near = np.zeros(len(self._worth) + 2, dtype=np.bool_)
        near[history.rows], near[history.rows + 2] = True, True
        return np.asarray(self._worth * np.where(near[1:-1], 1.5, 1.0))

    def liked(self, history: History) -> Mask:
        return np.ones(len(history.rows), dtype=np.bool_)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        return (np.abs(wanted[:, None] - history.rows[None]) == 1).astype(np.float64)

    def similarities(self, title: int) -> Floats:
        nearness = -np.abs(np.arange(len(self._worth)) - title).astype(np.float64)
        nearness[title] = -np.inf
        return nearness


def toy_fault(arrays: rankers.Arrays, titles: int) -> str:
    return "" if arrays["counts"].shape == (titles,) else "rank_counts does not fit"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two registrations."""
    monkeypatch.setitem(families.RANKERS, "toy", RankerFamily(ToyRecipe, fit_toy, toy_cost))
    scoring = ScoringFamily(ToyRanker, {"counts": np.float64}, toy_fault)
    monkeypatch.setitem(rankers.RANKERS, "toy", scoring)


def trained(spark, folder, recipe: dict[str, Any]) -> Recommender:  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    typed = read_recipe(recipe)
    trainer.fit(ROWS, typed, choose(trainer, ROWS, [typed]).blend_share, folder)
    return Recommender.load(folder / "bundle")


@pytest.mark.usefixtures("toy")
def test_a_ranker_from_outside_is_trained_shipped_and_asked(spark, tmp_path, capsys):  # noqa: F811
    model = trained(spark, tmp_path, RECIPE | {"iterations": 2, "ranker": TOY})
    assert "a toy over 40 titles costs nothing" in capsys.readouterr().out
    assert model.bundle.facts["fold_in"]["ranker"] == TOY
    assert model.bundle.facts["recipe"]["ranker"] == TOY
    assert (tmp_path / "bundle" / "rank_counts.npy").exists()
    golden = model.check_golden()
    assert golden.failures == ()
    assert len(model.bundle.golden["rankings"]) == 10
    user = int(model.user_ids[3])
    known = model.recommend(user, 5)
    assert [r.strategy for r in known] == ["personal"] * 5
    assert any(r.because for r in known)
    folded = model.recommend_for(model.ratings_of(user), 5)
    assert [(r.movie_id, r.score) for r in folded] == [(r.movie_id, r.score) for r in known]
    assert model.similar(7, 2)
    lists = next(top_lists(model, 5))
    assert lists.movie_ids[3].tolist() == [r.movie_id for r in known]


TOY_MODULES = {
    "spark_apps": "FAMILY = toy.RankerFamily(toy.ToyRecipe, toy.fit_toy, toy.toy_cost)",
    "scoring": "FAMILY = toy.ScoringFamily(toy.ToyRanker, {'counts': float}, toy.toy_fault)",
}


@pytest.fixture
def toy_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two modules `ranker_toy.py`, as a folder beside each package's own."""
    for room, line in TOY_MODULES.items():
        folder, package = tmp_path / room, import_module(f"{room}.recommender")
        folder.mkdir()
        text = f"from tests.spark_recommender import test_extending_ranker as toy\n{line}\n"
        (folder / "ranker_toy.py").write_text(text, "utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield
    for room, table in (("spark_apps", families.RANKERS), ("scoring", rankers.RANKERS)):
        sys.modules.pop(f"{room}.recommender.ranker_toy", None)
        table.pop("toy", None)


@pytest.mark.usefixtures("toy_by_name")
def test_a_ranker_in_two_new_modules_is_found_by_its_name():
    assert read_recipe(RECIPE | {"ranker": TOY}).ranker.model_dump() == TOY
    facts = {"fold_in": {"ranker": TOY}}
    factors = np.zeros((2, 0), dtype=np.float32)
    arrays = RankArrays(factors, factors, {"counts": np.array([4.0, 9.0])})
    assert rankers.read_ranker(facts, arrays).fold_in(history_of([1])).tolist() == [3.0, 3.0]


@pytest.mark.usefixtures("toy")
def test_a_ranker_from_outside_is_searched_and_compared(spark):  # noqa: F811
    trainer = Trainer(spark, {}, (0.5, 5.0), "x", seed=7)
    short = RECIPE | {"iterations": 2, "ranker": RECIPE["ranker"] | {"iterations": 2}}
    recipes = [read_recipe(short), read_recipe(short | {"name": "toy", "ranker": TOY})]
    tried = choose(trainer, ROWS, recipes).tried()
    assert [line["name"] for line in tried] == ["als-bias-4", "toy"]
    assert all(0.0 < line["inner_ndcg@10"] <= 1.0 for line in tried)


@pytest.mark.usefixtures("toy")
def test_its_recipe_its_cost_and_its_arrays_are_checked(spark, tmp_path):  # noqa: F811
    with pytest.raises(RecipeError, match=r"ranker\.power: .*greater than 0"):
        read_recipe(RECIPE | {"ranker": TOY | {"power": 0.0}})
    with pytest.raises(RecipeError, match=r"ranker\.speed: "):
        read_recipe(RECIPE | {"ranker": TOY | {"speed": 1}})
    with pytest.raises(RecipeError, match="would not fit"):
        trained(spark, tmp_path / "dear", RECIPE | {"ranker": TOY | {"power": 10.0}})
    trained(spark, tmp_path, RECIPE | {"iterations": 2, "ranker": TOY})
    file = tmp_path / "bundle" / "rank_counts.npy"
    np.save(file, np.load(file)[:-1])
    with pytest.raises(BundleError, match="rank_counts does not fit"):
        Recommender.load(tmp_path / "bundle")


def test_a_family_nobody_registered_is_refused_in_a_sentence():
    with pytest.raises(RecipeError, match=r"ranker: no ranker of the family 'toy' is known.*ease"):
        read_recipe(RECIPE | {"ranker": TOY})
    with pytest.raises(RecipeError, match=r"family: no predictor of the family 'toy' .*als_bias"):
        read_recipe(RECIPE | {"family": "toy"})
    facts = {"fold_in": {"ranker": TOY}}
    nothing = np.zeros((1, 0), dtype=np.float32)
    with pytest.raises(BundleError, match="no ranker of the family 'toy' is known here"):
        rankers.read_ranker(facts, RankArrays(nothing, nothing))


@pytest.mark.parametrize("name", ["implicit_als", "ease", "ease_als"])
def test_a_family_is_found_by_the_name_of_its_module(name):
    assert families.ranker_family(name).fit.__module__.endswith(f"ranker_{name}")
    assert name in rankers.RANKERS


class PlainRecipe(AlsBiasRecipe):
    """ALS and the biases by another name."""

    family: Literal["plain"]  # type: ignore[assignment]


def fit_plain(task: families.PredictorTask, recipe: PlainRecipe) -> BlendedAls:
    return fit_als_bias(task, recipe)


def test_a_predictor_from_outside_does_too(spark, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setitem(families.PREDICTORS, "plain", PredictorFamily(PlainRecipe, fit_plain))
    monkeypatch.setitem(fold_in.PREDICTORS, "plain", AlsFoldIn)
    model = trained(spark, tmp_path, RECIPE | {"family": "plain", "iterations": 2})
    assert model.bundle.facts["fold_in"]["predictor"]["family"] == "plain"
    assert model.check_golden().failures == ()
    assert {*model.predict_for({3: 4.0}, model.movie_ids).strategies} <= {"fold-in", "bias"}
