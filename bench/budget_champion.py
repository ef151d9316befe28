"""The product's own budget model on the bench: Spark's features, fits and bundle."""

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
from scoring.arrays import Floats
from scoring.budget.baselines import median_by_genre
from scoring.budget.features import ALL_BEFORE_RELEASE, ALL_KNOWN, WITH_RATING, KnownTitle
from scoring.budget.model import BudgetModel, BudgetQuery
from spark_apps.budget.families import BudgetRecipe, read_recipe
from spark_apps.budget.feature_vectors import question_column
from spark_apps.budget.features import TARGET, with_attributes, with_target
from spark_apps.budget.folds import Fold, FoldFits, with_place
from spark_apps.budget.out_of_sample import ScoredRecipe, choose
from spark_apps.budget.trainer import Trainer
from spark_apps.train_budget import SMALL_DATA

SHARES = ((0.2, 0.4), (0.1, 0.3), (0.3, 0.3), (0.1, 0.6), (0.4, 0.0), (0.2, 0.2))
"""(linear, direct): the six configurations; they share their fits. The first answers unless another
is clearly better."""
RECIPE = {
    "name": "boosted",
    "family": "boosted",
    "wide": True,
    "director_smoothing": 2.0,
    "recent": 8.0,
    "reg": 0.05,
    "rounds": 3,
    "step": 1.0,
    "trees": 30,
    "depth": 6,
    "min_instances": 5,
    "feature_share": 0.33,
    "subsample": 0.6,
}


@dataclass(frozen=True)
class Data:
    """One origin's titles as the peers see them, [titles, features]; `actual` of the later ones."""

    rows: Floats
    target: Floats
    later: Floats
    actual: Floats
    medians: Floats


class Champion:
    """Fits by origin; an origin is the first year that is scored."""

    def __init__(
        self,
        rows: Sequence[TitleRow],
        prices: PriceIndex,
        origins: Sequence[int],
        scratch: Path,
        recipes: Sequence[BudgetRecipe] = (),
    ) -> None:
        self.spark = _session()
        years = np.array([row[2] for row in rows])
        self.folds = {
            o: Fold(f"origin {o}", int((years < o).sum()), int((years < o + 2).sum()))
            for o in origins
        }
        self.recipes = list(recipes) or [
            read_recipe(RECIPE | {"linear_share": linear, "direct_share": direct})
            for linear, direct in SHARES
        ]
        frame = self.spark.createDataFrame(list(rows), SCHEMA)
        titles = with_place(with_attributes(with_target(self.spark, frame, prices))).cache()
        questions = (WITH_RATING, "before release", ALL_BEFORE_RELEASE, ALL_KNOWN)
        self.fits = FoldFits(self.spark, titles, list(self.folds.values()), 7, questions)
        self.scratch, self.facts = scratch, {"as_of": "", "price_year": prices.last}
        self.seconds = 0.0  # the longest fit of an origin, all of its questions together
        self.models: dict[tuple[int, BudgetRecipe], BudgetModel] = {}

    def stop(self) -> None:
        """End Spark."""
        self.spark.stop()

    def data(self, origin: int, question: str) -> Data:
        """The very vectors the champion is fitted on and queried with."""
        recipe, fold = self.recipes[0], self.folds[origin]
        started = time.perf_counter()
        fitted = self.fits.fit(recipe, fold)
        self.seconds = max(self.seconds, time.perf_counter() - started)
        if question not in fitted.blends:
            return Data(*(np.zeros((0, 0)) for _ in range(5)))
        of_fold = self.fits.frame(recipe.director_smoothing).where(F.col("fold") == fold.name)
        for stage in self.fits.vector(recipe, fold, question):
            of_fold = stage.transform(of_fold)
        found = of_fold.where("rating IS NOT NULL") if question == WITH_RATING else of_fold
        kept = found.select(
            question_column("features", question), TARGET, "is_fitted", "genres", "title_id"
        ).collect()
        train = [row for row in kept if row["is_fitted"]]
        later = [row for row in kept if not row["is_fitted"]]
        medians = median_by_genre(list(map(_plain, train)), list(map(_plain, later)))
        return Data(*_arrays(train, question), *_arrays(later, question), medians)

    def answers(self, origin: int, question: str) -> list[Floats]:
        """Each configuration's estimates for the later titles of an origin."""
        found = []
        for recipe in self.recipes:
            scores = self.fits.score(recipe, self.folds[origin])
            answers = scores.answers[question]
            found.append(answers[scores.rated] if question == WITH_RATING else answers)
        return found

    def choose(self, question: str, inner: Sequence[int]) -> int:
        """The configuration that answers after the `inner` origins, by the product's own rule:
        another takes the first one's place only if clearly better on them."""
        scores = [[self._scores(r, o, question) for o in inner] for r in self.recipes]
        tried = [
            ScoredRecipe(
                recipe,
                np.concatenate([errors for errors, _ in found]),
                tuple(name for _, names in found for name in names),
            )
            for recipe, found in zip(self.recipes, scores, strict=True)
        ]
        return self.recipes.index(choose(tried, self.recipes[0]).recipe)

    def _scores(
        self, recipe: BudgetRecipe, origin: int, question: str
    ) -> tuple[Floats, tuple[str, ...]]:
        """Errors of a question at an origin, and the first director of each title."""
        scores = self.fits.score(recipe, self.folds[origin])
        found = np.isfinite(scores.answers[question])
        names = tuple(name for name, kept in zip(scores.directors, found, strict=True) if kept)
        return scores.errors(question), names

    def from_bundle(
        self, origin: int, question: str, number: int, inner: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """Answers and 80 % intervals for the later titles, both from the bundle alone."""
        recipe = self.recipes[number]
        if (origin, recipe) not in self.models:
            self.models[origin, recipe] = self._bundle(origin, recipe, inner)
        model = self.models[origin, recipe]
        fold = self.folds[origin]
        titles = self.fits.scored_titles(recipe, fold)
        queries = [_query(t, question) for t in titles if t["rating"] or question != WITH_RATING]
        answers = model.log_estimates(queries)
        bounds = [model.interval(q, a) for q, a in zip(queries, answers.tolist(), strict=True)]
        return answers, np.array(bounds)

    def _bundle(self, origin: int, recipe: BudgetRecipe, inner: Sequence[int]) -> BudgetModel:
        lake = open_lake((self.scratch / "lake").as_uri())
        trainer = Trainer(lake, self.fits, [self.folds[o] for o in inner], self.facts)
        folder = self.scratch / f"{origin}-{recipe.linear_share}-{recipe.direct_share}"
        trainer.write_fit(recipe, self.folds[origin], folder)
        model = BudgetModel.load(folder / "bundle")
        assert model.check_golden().passed, f"the bundle of {origin} differs from Spark"
        return model


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
