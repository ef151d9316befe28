"""Every family and transformer of Spark ML that a recipe may name, from TOML to a served answer.

Each recipe is fitted by Spark, saved, read, and scored in NumPy: equal to the saved pipeline's
`transform` to 1e-9, for known and unknown titles, and to the golden answers of the bundle.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from marquee.errors import RecipeError
from scoring.budget.bundle import write_bundle
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    BEFORE_RELEASE,
    CORE_QUESTIONS,
    NO_COSTS,
    is_rated,
)
from scoring.budget.model import BudgetModel, BudgetQuery
from scoring.budget.predictor import CONSTANT_SPREAD
from scoring.budget.stage_chain import KINDS
from spark_apps.budget.families import FAMILIES, BudgetRecipe, read_recipe
from spark_apps.budget.folds import Fold, FoldFits, with_place
from spark_apps.budget.golden_queries import golden_queries, record_golden
from spark_apps.budget.out_of_sample import Interval
from spark_apps.budget.pipeline import estimate_column
from spark_apps.budget.stage_recipes import TRANSFORMERS
from spark_apps.budget.trainer import BundleContext, Trainer, make_bundle, save_pipeline
from spark_apps.train_budget import SMALL_DATA
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_budget.budget_lake import make_lake

TALK = """
features = ["director_vector", "genre_vector", "rating_vector", "scaled"]
stages = [
  { transformer = "StringIndexer", input = "director", output = "director_index" },
  { transformer = "OneHotEncoder", input = "director_index", output = "director_vector" },
  { transformer = "StringIndexer", input = "genre", output = "genre_index" },
  { transformer = "OneHotEncoder", input = "genre_index", output = "genre_vector" },
  { transformer = "Bucketizer", input = "rating", splits = [5, 6, 7, 8], output = "rating_bucket" },
  { transformer = "OneHotEncoder", input = "rating_bucket", output = "rating_vector" },
  { transformer = "StandardScaler", input = ["year", "rating"], output = "scaled" },
]
"""
TEXTS = """
features = ["hashed", "meaning", "scaled", "is_late", "rating_bucket"]
stages = [
  { transformer = "NGram", input = "genres", n = 2, output = "pairs" },
  { transformer = "HashingTF", input = "pairs", width = 16, output = "hashed" },
  { transformer = "Word2Vec", input = "cast", width = 4, fewest = 2, output = "meaning" },
  { transformer = "Bucketizer", input = "rating", splits = [6.5], output = "rating_bucket" },
  { transformer = "MinMaxScaler", input = ["runtime", "genre_count"], output = "scaled" },
  { transformer = "Binarizer", input = "year", threshold = 1999.5, output = "is_late" },
]
"""
TITLES = 110
SCHEMA = """
    title_id string, title string, year int, release_date string, directors array<string>,
    director_names array<string>, genres array<string>, rating double, log_budget double,
    people map<string,array<string>>, numbers map<string,double>, labels map<string,string>
"""
TREES = "trees = 4\ndepth = 3\nfeature_share = 0.5\n"
ROOT = 'link = "sqrt"\nreg = 0.1\n'
RECIPES = {
    "linear": f'family = "linear"\nreg = 0.1\n{TALK}',
    "generalized gamma": f'family = "generalized_linear"\nreg = 0.1\n{TALK}',
    "generalized poisson": f'family = "generalized_linear"\ndistribution = "poisson"\n{ROOT}{TALK}',
    "survival": 'family = "aft_survival"\ntrend = true\nfeatures = ["year", "genre_count"]\n',
    "isotonic": 'family = "isotonic"\nfeatures = ["genre_count"]\n',
    "tree": f'family = "tree"\n{TREES}{TALK}',
    "forest": f'family = "forest"\ntrend = true\nlinear_share = 0.25\n{TREES}{TALK}',
    "gbt": f'family = "gbt"\n{TREES}{TEXTS}',
    "boosted": f'family = "boosted"\ndirect_share = 0.3\nlinear_share = 0.2\n{TREES}{TEXTS}',
    "survival on track records": 'family = "aft_survival"\n',
}


@pytest.fixture(scope="module")
def trainer(
    spark: SparkSession,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Trainer:
    """Made-up titles, with one rolling origin and one fold to fit and score."""
    for key, value in SMALL_DATA.items():
        spark.conf.set(key, value)
    rows = [_title(number) for number in range(TITLES)]
    titles = with_place(spark.createDataFrame(rows, SCHEMA)).cache()
    folds = [Fold("origin", 60, 80), Fold("all", 80, TITLES)]
    lake = make_lake(tmp_path_factory.mktemp("spark-ml") / "lake")
    facts = {"as_of": "2026-11-01T03:00:00Z", "price_year": 2025}
    return Trainer(lake, FoldFits(spark, titles, folds, 7), folds[:1], facts)


def _title(number: int) -> tuple[Any, ...]:
    """A title whose fields come from its number; some lack a rating, a cast or a certificate."""
    year, director = 1980 + number // 3, f"nm{number % 9:07d}"
    genres = [["Drama"], ["Action", "Drama"], ["Comedy", "Action", "War"], ["Comedy"]][number % 4]
    people = {"director": [director], "cast": [f"nm{number % 5 + k:07d}" for k in range(20, 23)]}
    numbers = {"runtime": 80.0 + number % 50, "vote_count": 100.0 * (1 + number % 7)}
    labels = {"certificate": "PG" if number % 3 else "R", "language": "en"}
    return (
        f"tt{number:07d}",
        f"Title {number}",
        year,
        None,
        [director],
        [f"Director {number % 9}"],
        genres,
        None if number % 11 == 0 else 5.0 + number % 8 / 2,
        6.0 + len(genres) / 3 + number % 9 / 20 + number / 300 + number * 7 % 13 / 30,
        people if number % 10 else {"director": [director]},
        numbers,
        labels if number % 6 else {},
    )


def recipe_of(name: str) -> BudgetRecipe:
    table: dict[str, Any] = tomllib.loads(f"{RECIPES[name]}\ndirector_smoothing = 3.0\n")
    return read_recipe({"name": name, **table})


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_spark_and_answers_alike(
    trainer: Trainer, tmp_path: Path, name: str
) -> None:
    recipe = recipe_of(name)
    assert read_recipe(recipe.model_dump(mode="json")) == recipe
    fold = trainer.fits.folds[-1]
    questions = write_fit(trainer, recipe, fold, tmp_path)
    assert len(questions) == (4 if recipe.reads_more else 2)
    model = BudgetModel.load(tmp_path / "bundle")
    report = model.check_golden()
    assert report.passed and report.count >= 40 and report.worst < 1e-9
    later = trainer.fits.frame(3.0).where((F.col("fold") == fold.name) & ~F.col("is_fitted"))
    saved = PipelineModel.load((tmp_path / "spark").as_uri())
    answers = saved.transform(later).collect()
    assert len(answers) > 20
    found = np.array(
        [_difference(model, row, q) for row in answers for q in questions if _is_asked(row, q)]
    )
    assert len(found) > len(answers) and np.abs(found).max() < 1e-9
    wanted = [row[estimate_column(questions[0])] for row in answers]
    assert max(wanted) > min(wanted)


def write_fit(trainer: Trainer, recipe: BudgetRecipe, fold: Fold, folder: Path) -> list[str]:
    """What `Trainer.write_fit` does, without the rolling origins that give the interval."""
    fits = trainer.fits
    fitted, titles = fits.fit(recipe, fold), fits.rows(recipe, fold)
    queries = golden_queries(titles, recipe.reads_more)
    golden = record_golden(fits.spark, fitted, fits.fitted_titles(recipe, fold), queries)
    saved = save_pipeline(trainer.lake, fitted, folder / "spark")
    intervals = dict.fromkeys(fitted.blends, Interval((-0.3, 0.3), CONSTANT_SPREAD))
    costs = dict.fromkeys(fitted.blends, NO_COSTS)
    context = BundleContext(trainer.facts, intervals, costs, golden)
    write_bundle(folder / "bundle", make_bundle(fitted, saved, titles, context))
    return list(fitted.blends)


def _is_asked(row: Row, question: str) -> bool:
    """Whether a title states enough to be this question."""
    return row["rating"] is not None or question in (BEFORE_RELEASE, ALL_BEFORE_RELEASE)


def _difference(model: BudgetModel, row: Row, question: str) -> float:
    """Our answer less Spark's; asserts that the contributions add up to it."""
    query = _query(row, question)
    ours = model.estimate(query)
    assert ours.question == question
    log = math.log10(ours.median)
    assert sum(ours.contributions.values()) == pytest.approx(log, abs=1e-9)
    return log - float(row[estimate_column(question)])


def _query(row: Row, question: str) -> BudgetQuery:
    """The title as somebody asks the question; with its other fields, so that it is this one."""
    plain = tuple(row["directors"]), tuple(row["genres"]), row["year"]
    rating = row["rating"] if is_rated(question) else None
    if question in CORE_QUESTIONS:
        return BudgetQuery(*plain, rating)
    people = {role: tuple(names) for role, names in row["people"].items() if role != "director"}
    numbers = dict(row["numbers"])
    if question == ALL_BEFORE_RELEASE:
        del numbers["vote_count"]
    return BudgetQuery(*plain, rating, people, numbers, dict(row["labels"]))


def test_the_recipes_above_name_everything_there_is() -> None:
    recipes = [recipe_of(name) for name in RECIPES]
    assert {recipe.family for recipe in recipes} == set(FAMILIES)
    named = {stage.transformer for recipe in recipes for stage in recipe.stages}
    assert named == set(TRANSFORMERS) and len(named) == 9
    assert set(KINDS) - {"Scaler"} == set(TRANSFORMERS) - {"StandardScaler", "MinMaxScaler"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ('family = "isotonic"', "reads one feature"),
        ('family = "linear"\nfeatures = ["director"]', "'director' is text"),
        ('family = "linear"\nfeatures = ["rating"]', "no feature is known before release"),
        ('family = "linear"\nfeatures = ["budget"]', "no field and no earlier output"),
        (
            'family = "linear"\nfeatures = ["x"]\n'
            'stages = [{ transformer = "PCA", input = "year", output = "x" }]',
            "there is no transformer 'PCA': use the columns themselves",
        ),
        (
            'family = "linear"\nfeatures = ["x"]\n'
            'stages = [{ transformer = "Binarizer", input = "year", output = "x" }]',
            "Binarizer needs threshold",
        ),
        (
            'family = "linear"\nfeatures = ["x"]\n'
            'stages = [{ transformer = "NGram", input = "cast", n = 2, width = 3, output = "x" }]',
            "NGram takes no width",
        ),
        (
            'family = "linear"\nfeatures = ["x"]\n'
            'stages = [{ transformer = "NGram", input = "year", n = 2, output = "x" }]',
            "NGram reads words",
        ),
        ('family = "generalized_linear"\nlink = "sqrt"', "the link of gamma is one of"),
    ],
)
def test_a_wrong_recipe_is_refused_in_a_sentence(changes: str, sentence: str) -> None:
    table = tomllib.loads(f"director_smoothing = 3.0\n{changes}")
    with pytest.raises(RecipeError, match=f"recipe odd: .*{sentence}"):
        read_recipe({"name": "odd", **table})
