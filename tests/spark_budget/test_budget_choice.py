"""Choosing a recipe, folds, intervals and saved trees, without a fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.errors import BundleError, RecipeError
from marquee.settings import load_settings
from scoring.budget.features import BEFORE_RELEASE
from spark_apps.budget.families import read_recipe, read_recipes
from spark_apps.budget.folds import make_folds
from spark_apps.budget.out_of_sample import ScoredRecipe, choose, interval_of, squared_errors
from spark_apps.budget.saved_models import read_saved_trees
from spark_apps.train_budget import candidates
from tests.spark_budget.budget_lake import FOREST, GBT, LINEAR

RNG = np.random.default_rng(11)
ERRORS = RNG.normal(0, 0.4, 100)
ALONE = tuple(str(i) for i in range(100))
FEW_DIRECTORS = tuple(str(i % 60) for i in range(120))


def tried(recipe: dict[str, object], errors: np.ndarray) -> ScoredRecipe:
    return ScoredRecipe(read_recipe(recipe), errors, ALONE)


def test_the_best_is_chosen_where_there_is_no_champion() -> None:
    best = tried(FOREST, ERRORS * 0.999)
    assert choose([tried(LINEAR, ERRORS), best], None) is best


def test_without_a_search_what_serves_is_trained_again() -> None:
    known = [read_recipe(recipe) for recipe in (GBT, LINEAR)]
    assert candidates(known, None, "none") == known[:1]
    assert candidates(known, known[1], "none") == known[1:]
    assert candidates(known, read_recipe(FOREST), "none") == known[:1], "config names it no longer"
    assert candidates(known, read_recipe(FOREST), "quick") == [*known, read_recipe(FOREST)]
    moved = [known[0], known[1].model_copy(update={"tried_in": "full"})]
    assert candidates(moved, known[1], "none") == known[1:], "only its search is another"
    assert candidates(moved, known[1], "full") == known


def test_a_recipe_beside_the_model_is_no_candidate_unless_it_is_the_only_one() -> None:
    line, late = read_recipe(LINEAR), read_recipe(GBT | {"tried_in": "full"})
    beside = read_recipe(FOREST | {"beside": True})
    for search, wanted in (("none", [line]), ("quick", [line]), ("full", [line, late])):
        assert candidates([beside, line, late], None, search) == wanted
    assert candidates([beside], None, "quick") == [beside]
    assert candidates([late, beside], line, "quick") == [late], "a run named it"
    assert beside.without_shares == read_recipe(FOREST).without_shares, "they share their fits"


def test_the_shipped_recipes_are_read_and_the_talks_stands_beside() -> None:
    recipes = {r.name: r for r in read_recipes(load_settings("local").recipes.budget)}
    talk = recipes["talk"]
    assert talk.beside and not next(iter(recipes.values())).beside
    named = {stage.transformer for stage in talk.stages}
    assert named == {"StringIndexer", "OneHotEncoder", "Bucketizer", "StandardScaler"}
    read = {name for stage in talk.stages for name in stage.input}
    assert {"director", "genre", "rating"} <= read and talk.family == "forest"
    assert list(talk.plan(BEFORE_RELEASE).features) == [
        "director_vector",
        "genre_vector",
        "scaled",
    ]
    shipped = {recipe.family for recipe in recipes.values()}
    assert {"generalized_linear", "aft_survival", "isotonic"} <= shipped


def test_of_equals_the_cheaper() -> None:
    cheap = tried(LINEAR, ERRORS)
    assert choose([tried(GBT, ERRORS), cheap], None) is cheap


def test_the_champion_stays_unless_clearly_beaten() -> None:
    held = tried(LINEAR, ERRORS)
    shuffled = tried(FOREST, RNG.permutation(ERRORS) * 0.99)
    clearly = tried(FOREST, ERRORS * 0.7)
    assert choose([shuffled, held], held.recipe) is held
    assert choose([clearly, held], held.recipe) is clearly


def test_whole_directors_are_resampled_as_at_the_gate() -> None:
    directors = tuple(str(i // 4) for i in range(100))
    gained = ERRORS * np.where(RNG.random(25) < 0.7, 0.95, 1.04).repeat(4)
    pair = [
        ScoredRecipe(read_recipe(r), e, directors) for r, e in ((LINEAR, ERRORS), (GBT, gained))
    ]
    found = squared_errors(pair)
    assert found.weights.tolist() == [4.0] * 25
    assert sorted(found.sums[0]) == pytest.approx(
        sorted((ERRORS**2).reshape(25, 4).sum(axis=1).tolist())
    )


def test_the_least_error_alone_dethrones_nobody() -> None:
    """Equal recipes: the luckiest of three beats the champion's in more than half of the weeks."""
    rng = np.random.default_rng(17)
    champion, switched, looks_better = read_recipe(LINEAR), 0, 0
    recipes = [champion, *(read_recipe(r) for r in (GBT, FOREST, GBT | {"trees": 7}))]
    for _ in range(40):
        errors = rng.normal(0, 0.4, 120)
        found = [ScoredRecipe(r, errors + rng.normal(0, 0.1, 120), FEW_DIRECTORS) for r in recipes]
        looks_better += min(found, key=lambda t: t.log_rmse).recipe != champion
        switched += choose(found, champion).recipe != champion
    assert looks_better > 20
    assert switched <= 7, "five in a hundred are 2; more than 7 come once in a thousand"


def test_errors_that_are_not_numbers_are_never_the_least() -> None:
    broken = tried(FOREST, np.where(np.arange(100) == 3, np.nan, ERRORS * 0.1))
    good = tried(LINEAR, ERRORS)
    assert choose([broken, good], None) is good
    assert choose([broken, good], good.recipe) is good


def test_folds_are_scored_on_later_titles_only() -> None:
    origins, kept = make_folds(200, 50)
    assert [(f.fitted, f.scored) for f in origins] == [(110, 140), (140, 170), (170, 200)]
    assert [(f.name, f.fitted, f.scored) for f in kept] == [
        ("evaluated", 200, 250),
        ("shipped", 250, 250),
    ]


def test_intervals() -> None:
    # 99 errors of as many directors: (0.10505 - 0.03057) / 1.0101 = 0.074 of 100, the 7th.
    assert interval_of(np.arange(-49.0, 50.0), 99) == (-43.0, 43.0)
    # Of nine directors: (0.15556 - 0.11440) / 1.1111 = 0.037, the 3rd.
    assert interval_of(np.arange(-49.0, 50.0), 9) == (-47.0, 47.0)
    # Of so many that little is left to chance: just under a tenth, the 9th.
    assert interval_of(np.arange(-49.0, 50.0), 10**9) == (-41.0, 41.0)
    assert interval_of(np.array([0.2, 0.3, 0.4]), 3)[0] == 0.0
    low, high = interval_of(ERRORS, 100)
    assert 0.8 <= np.mean((low <= ERRORS) & (high >= ERRORS)) <= 0.89


def test_an_interval_seldom_covers_too_few_though_directors_err_alike() -> None:
    """Twenty directors of five titles each, over and over; counted as titles they mislead."""
    rng = np.random.default_rng(2)
    pairs = [(_of_directors(rng), _of_directors(rng)) for _ in range(300)]

    def covered(directors: int) -> np.ndarray:
        bounds = [interval_of(errors, directors) for errors, _ in pairs]
        return np.array(
            [np.mean((a <= new) & (new <= b)) for (_, new), (a, b) in zip(pairs, bounds)]
        )

    assert 0.8 <= covered(20).mean() <= 0.93
    assert np.mean(covered(20) < 0.7) < 0.6 * np.mean(covered(10**9) < 0.7)


def _of_directors(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(rng.normal(0, 0.3, 20), 5) + rng.normal(0, 0.2, 100)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family": "mlp"}, "family"),
        ({"trees": 0}, "trees"),
        ({"step": float("nan")}, "step"),
        ({"linear_share": 2}, "linear_share"),
        ({"unknown": 1}, "unknown"),
        ({"director_smoothing": 0}, "director_smoothing"),
    ],
)
def test_recipes_that_cannot_be(change: dict[str, object], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        read_recipe(FOREST | change)


def test_no_recipe_at_all() -> None:
    with pytest.raises(RecipeError, match="no budget recipe"):
        read_recipes([])


def saved(folder: Path, categories: int, left: list[float]) -> Path:
    """One tree with one split on feature 3, as Spark saves it."""
    leaf = {"featureIndex": -1, "leftCategoriesOrThreshold": [], "numCategories": -1}
    split = {"featureIndex": 3, "leftCategoriesOrThreshold": left, "numCategories": categories}
    nodes = [(0, 5.0, 1, 2, split), (1, 1.0, -1, -1, leaf), (2, 9.0, -1, -1, leaf)]
    rows = [
        {"id": i, "prediction": p, "leftChild": a, "rightChild": b, "split": s}
        for i, p, a, b, s in nodes
    ]
    (folder / "data").mkdir(parents=True)
    (folder / "metadata").mkdir()
    (folder / "metadata" / "part-00000").write_text("DecisionTreeRegressionModel")
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "part-0.parquet")
    return folder


@pytest.mark.parametrize(
    ("categories", "left", "zero", "one"),
    [(-1, [0.5], 1.0, 9.0), (2, [0.0], 1.0, 9.0), (2, [1.0], 9.0, 1.0)],
)
def test_splits_of_both_kinds(
    tmp_path: Path, categories: int, left: list[float], zero: float, one: float
) -> None:
    trees = read_saved_trees(saved(tmp_path / "m", categories, left))
    rows = np.zeros((2, 4))
    rows[1, 3] = 1.0
    np.testing.assert_array_equal(trees.predict(rows), [zero, one])


def test_a_split_that_cannot_leave_spark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="5 categories"):
        read_saved_trees(saved(tmp_path / "m", 5, [0.0, 3.0]))
