"""The product's own budget model on the bench: its default recipe, Spark's features and bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from bench.budget_titles import SCHEMA
from bench.budget_titles import Row as TitleRow
from marquee.lake import open_lake
from marquee.prices import PriceIndex
from marquee.settings import load_settings
from scoring.arrays import Floats
from scoring.budget.baselines import median_by_genre
from scoring.budget.features import ALL_BEFORE_RELEASE, ALL_KNOWN, WITH_RATING, KnownTitle
from scoring.budget.holdout import cluster_key
from scoring.budget.model import BudgetModel, BudgetQuery
from spark_apps.budget.families import BudgetRecipe, read_recipe
from spark_apps.budget.feature_vectors import question_column
from spark_apps.budget.features import TARGET, with_attributes, with_target
from spark_apps.budget.folds import Fold, FoldFits, with_place
from spark_apps.budget.trainer import Trainer
from spark_apps.train_budget import SMALL_DATA


@dataclass(frozen=True)
class Data:
    """One origin's titles as the peers see them, [titles, features]; `actual` of the later ones."""

    rows: Floats
    target: Floats
    later: Floats
    actual: Floats
    medians: Floats
    directors: tuple[str, ...]  # of the later titles: the cluster of each


class Champion:
    """Fits by origin; an origin is the first year that is scored."""

    def __init__(
        self,
        rows: Sequence[TitleRow],
        prices: PriceIndex,
        origins: Sequence[int],
        scratch: Path,
        recipe: BudgetRecipe | None = None,
    ) -> None:
        self.spark = _session()
        years = np.array([row[2] for row in rows])
        self.folds = {
            o: Fold(f"origin {o}", int((years < o).sum()), int((years < o + 2).sum()))
            for o in origins
        }
        self.recipe = recipe or default_recipe()
        frame = self.spark.createDataFrame(list(rows), SCHEMA)
        titles = with_place(with_attributes(with_target(self.spark, frame, prices))).cache()
        questions = (WITH_RATING, "before release", ALL_BEFORE_RELEASE, ALL_KNOWN)
        self.fits = FoldFits(self.spark, titles, list(self.folds.values()), 7, questions)
        self.scratch, self.facts = scratch, {"as_of": "", "price_year": prices.last}
        self.seconds = 0.0  # the longest fit of an origin, all of its questions together
        self.models: dict[int, BudgetModel] = {}

    def stop(self) -> None:
        """End Spark."""
        self.spark.stop()

    def data(self, origin: int, question: str) -> Data:
        """The very vectors the champion is fitted on and queried with."""
        recipe, fold = self.recipe, self.folds[origin]
        started = time.perf_counter()
        fitted = self.fits.fit(recipe, fold)
        self.seconds = max(self.seconds, time.perf_counter() - started)
        if question not in fitted.blends:
            return Data(*(np.zeros((0, 0)) for _ in range(5)), ())
        of_fold = self.fits.frame(recipe.director_smoothing).where(F.col("fold") == fold.name)
        for stage in self.fits.vector(recipe, fold, question):
            of_fold = stage.transform(of_fold)
        found = of_fold.where("rating IS NOT NULL") if question == WITH_RATING else of_fold
        kept = found.select(
            question_column("features", question), TARGET, "is_fitted", "genres", "directors",
            "title_id",
        ).collect()  # fmt: skip
        train = [row for row in kept if row["is_fitted"]]
        later = [row for row in kept if not row["is_fitted"]]
        medians = median_by_genre(list(map(_plain, train)), list(map(_plain, later)))
        directors = tuple(cluster_key(row["directors"], row["title_id"]) for row in later)
        return Data(*_arrays(train, question), *_arrays(later, question), medians, directors)

    def answers(self, origin: int, question: str) -> Floats:
        """Spark's estimates for the later titles of an origin."""
        scores = self.fits.score(self.recipe, self.folds[origin])
        answers = scores.answers[question]
        return answers[scores.rated] if question == WITH_RATING else answers

    def from_bundle(
        self, origin: int, question: str, inner: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """Answers and 80 % intervals for the later titles, both from the bundle alone."""
        if origin not in self.models:
            self.models[origin] = self._bundle(origin, inner)
        model, fold = self.models[origin], self.folds[origin]
        titles = self.fits.scored_titles(self.recipe, fold)
        queries = [_query(t, question) for t in titles if t["rating"] or question != WITH_RATING]
        answers = model.log_estimates(queries)
        bounds = [model.interval(q, a) for q, a in zip(queries, answers.tolist(), strict=True)]
        return answers, np.array(bounds)

    def _bundle(self, origin: int, inner: Sequence[int]) -> BudgetModel:
        lake = open_lake((self.scratch / "lake").as_uri())
        trainer = Trainer(lake, self.fits, [self.folds[o] for o in inner], self.facts)
        folder = self.scratch / str(origin)
        trainer.write_fit(self.recipe, self.folds[origin], folder)
        model = BudgetModel.load(folder / "bundle")
        assert model.check_golden().passed, f"the bundle of {origin} differs from Spark"
        return model


def default_recipe() -> BudgetRecipe:
    """The product's default: the first recipe of config/base.toml."""
    return read_recipe(load_settings().recipes.budget[0])


def _session() -> SparkSession:
    builder = SparkSession.builder.master("local[2]").appName("bench budget")
    facts = SMALL_DATA | {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "2",
        "spark.log.level": "ERROR",
    }
    for key, value in facts.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _query(title: Row, question: str) -> BudgetQuery:
    """A title as a query with the columns of one feature set; `FoldFits` checks the question."""
    people = {r: tuple(n) for r, n in title["people"].items() if r != "director"}
    numbers, labels = dict(title["numbers"]), dict(title["labels"])
    directors, genres = tuple(title["directors"]), tuple(title["genres"])[:12]
    if question == WITH_RATING:
        return BudgetQuery(directors, genres, title["year"], title["rating"])
    if question == ALL_BEFORE_RELEASE:
        planned = {n: v for n, v in numbers.items() if n == "runtime"}
        return BudgetQuery(directors, genres, title["year"], None, people, planned, labels)
    return BudgetQuery(directors, genres, title["year"], title["rating"], people, numbers, labels)


def _arrays(rows: Sequence[Row], question: str) -> tuple[Floats, Floats]:
    vectors = [row[question_column("features", question)].toArray() for row in rows]
    return np.array(vectors), np.array([row[TARGET] for row in rows])


def _plain(row: Row) -> KnownTitle:
    genres = tuple(row["genres"])
    return KnownTitle(row["title_id"], "", 0, (), (), genres, None, row[TARGET], None)
