"""The recommender whose stars and scores Spark computes.

Stars are those of the saved ALS model. A ranker's scores are a join and a sum over the tables
`ranker/weights` and `ranker/history` of the shipped model: for a known person from `history`, for
given ratings from a frame made of them. What orders a list then (what is rated lately, content,
diversity, ties) is the code of `scoring` for every engine, so lists are the product's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyspark.ml.recommendation import ALSModel
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.connect.session import SparkSession

from scoring.arrays import Floats, Ints, Mask, Rows, rows_of
from scoring.evaluation_blocks import GoldenReport
from scoring.recommender.bundle import RecommenderBundle
from scoring.recommender.item_weights import ItemWeightRanker
from scoring.recommender.model import Predictions, Recommender
from scoring.recommender.rankers import Ranker
from scoring.recommender.ratings_arrays import History, liking_of
from serving.problems import ProblemError
from spark_connect.session import Held, SessionKeeper

GOLDEN_LISTS = 2
"""Golden lists of each kind that a load repeats: a list takes Spark a second."""


@dataclass(frozen=True)
class RecommenderFrames:
    """The saved models in a session; without tables of a ranker the last two are None."""

    session: SparkSession
    stars: ALSModel
    people: DataFrame
    titles: DataFrame
    weights: DataFrame | None
    history: DataFrame | None


def load_frames(session: SparkSession, place: str, has_weights: bool) -> RecommenderFrames:
    """From `shipped/spark` of a run's recommender, the address `place`."""
    stars = ALSModel.load(f"{place}/predictor")
    people, titles = (session.read.parquet(f"{place}/{name}") for name in ("people", "titles"))
    if not has_weights:
        return RecommenderFrames(session, stars, people, titles, None, None)
    tables = [session.read.parquet(f"{place}/ranker/{name}") for name in ("weights", "history")]
    weights = tables[0].cache()
    weights.count()
    return RecommenderFrames(session, stars, people, titles, weights, tables[1])


class ConnectRecommender(Recommender):
    """A `Recommender` that asks a session of Spark for stars and for scores."""

    def __init__(self, bundle: RecommenderBundle, keeper: SessionKeeper, place: str) -> None:
        super().__init__(bundle)
        native = self.ranker
        has_weights = isinstance(native, ItemWeightRanker)
        self.frames: Held[RecommenderFrames] = keeper.hold(
            lambda session: load_frames(session, place, has_weights)
        )
        self._blend = float(bundle.facts["fold_in"]["predictor"].get("weight", 1.0))
        self.rank_by(
            SparkRanker(native, self.frames, bundle)
            if isinstance(native, ItemWeightRanker)
            else NoRanker(native, str(bundle.facts["fold_in"]["ranker"].get("family")))
        )

    def predict(self, user_ids: Ints, movie_ids: Ints) -> Predictions:
        """Stars by Spark; where the ALS model lacks a person or title, mean and biases."""
        found = super().predict(user_ids, movie_ids)
        users = rows_of(self.user_ids, np.asarray(user_ids, dtype=np.int64))
        items = rows_of(self.movie_ids, np.asarray(movie_ids, dtype=np.int64))
        known = np.flatnonzero((users >= 0) & (items >= 0))
        if not len(known):
            return found
        raw = self.frames.use(lambda frames: als_stars(frames, users[known], items[known]))
        stars = found.values.copy()
        stars[known] = np.where(np.isnan(raw), stars[known], self._whole(raw, users, items, known))
        return Predictions(stars, found.strategies)

    def check_golden(self) -> GoldenReport:
        """All golden predictions, and some lists of each kind."""
        golden = dict(self.bundle.golden)
        for kind in ("rankings", "cold", "fold_in"):
            golden[kind] = golden.get(kind, ())[:GOLDEN_LISTS]
        if isinstance(self.ranker, NoRanker):
            golden |= {"rankings": (), "cold": (), "fold_in": ()}
        everything = self.bundle
        try:
            self.bundle = replace(everything, golden=golden)
            return super().check_golden()
        finally:
            self.bundle = everything

    def scored(self, frames: RecommenderFrames, pairs: DataFrame) -> DataFrame:
        """The pairs of `user_id` and `movie_id` with `predicted_rating`, as one query of Spark."""
        people = frames.people.selectExpr("user_id AS u", "user", "bias AS ub")
        titles = frames.titles.selectExpr("movie_id AS m", "item", "bias AS ib")
        rows = pairs.join(F.broadcast(people), F.col("user_id") == F.col("u"), "left")
        rows = rows.join(F.broadcast(titles), F.col("movie_id") == F.col("m"), "left")
        rows = rows.withColumns({c: F.coalesce(c, F.lit(-1)) for c in ("user", "item")})
        rows = frames.stars.transform(rows)
        bias = F.lit(float(self.bundle.facts["mean"]))
        bias = bias + F.coalesce("ub", F.lit(0.0)) + F.coalesce("ib", F.lit(0.0))
        raw = F.col("prediction").cast("double")
        stars = F.when(F.isnan(raw), bias).otherwise(bias + self._blend * (raw - bias))
        low, high = map(F.lit, self.bundle.scale)
        clipped = F.greatest(low, F.least(high, stars)).alias("predicted_rating")
        return rows.select(*(c for c in pairs.columns if c != "predicted_rating"), clipped)

    def _whole(self, raw: Floats, users: Rows, items: Rows, known: Rows) -> Floats:
        """Clipped stars. An ALS model that is a part of a blend is weighed with the biases."""
        bias = float(self.bundle.facts["mean"]) + self.bundle.user_bias[users[known]]
        bias = bias + self.bundle.item_bias[items[known]]
        whole = raw if self._blend == 1.0 else bias + self._blend * (raw - bias)
        clipped: Floats = whole.clip(*self.bundle.scale)
        return clipped


def als_stars(frames: RecommenderFrames, users: Rows, items: Rows) -> Floats:
    """Unclipped stars [pairs] of the saved ALS model; NaN where it lacks a person or title."""
    columns = {"place": np.arange(len(users)), "user": users, "item": items}
    table = pa.table({name: pa.array(rows, pa.int32()) for name, rows in columns.items()})
    pairs = frames.session.createDataFrame(table)
    answers = frames.stars.transform(pairs).select("place", "prediction").toArrow()
    stars: Floats = np.full(len(users), np.nan)
    stars[answers["place"].to_numpy()] = answers["prediction"].to_numpy().astype(np.float64)
    return stars


class SparkRanker:
    """A `Ranker` by item weights, whose sums Spark makes; see `rankers.py` for the methods."""

    def __init__(
        self, native: ItemWeightRanker, frames: Held[RecommenderFrames], bundle: RecommenderBundle
    ) -> None:
        self._native, self._frames = native, frames
        zero, one = liking_of(np.array([0.0, 1.0]), bundle.scale).tolist()
        self._zero, self._per_star = zero, one - zero

    @property
    def known(self) -> Mask:
        """Titles that have a weight, as the rated or as the scored title."""
        return self._native.known

    def personal(self, user: int, history: History) -> Floats:
        """Scores [I] from the person's rows of the table `history`."""
        liking = F.lit(self._zero) + F.col("stars").cast("double") * self._per_star
        importance = self._importance(liking, history.away)

        def ask(frames: RecommenderFrames) -> pa.Table:
            assert frames.history is not None
            return summed(frames, frames.history.where(F.col("user") == user), importance)

        return self._scores(self._frames.use(ask))

    def fold_in(self, history: History) -> Floats:
        """Scores [I] from a frame of the given ratings."""
        if not len(history.rows):
            return np.zeros(len(self.known))
        ages = np.arange(len(history.rows) - 1, -1, -1, dtype=np.int32)
        columns = [history.rows.astype(np.int32), ages, history.liking]
        table = pa.table([pa.array(column) for column in columns], ["item", "age", "liking"])
        importance = self._importance(F.col("liking"), history.away)
        return self._scores(
            self._frames.use(
                lambda frames: summed(frames, frames.session.createDataFrame(table), importance)
            )
        )

    def liked(self, history: History) -> Mask:
        """From the stars alone."""
        return self._native.liked(history)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """From the bundle's own weights: they are not worth a second query."""
        return self._native.reasons(history, wanted)

    def similarities(self, title: int) -> Floats:
        """The positive weights from `title`."""

        def ask(frames: RecommenderFrames) -> pa.Table:
            assert frames.weights is not None
            near = frames.weights.where((F.col("rated") == title) & (F.col("w") > 0.0))
            return near.select("added", F.col("w").cast("double").alias("score")).toArrow()

        return self._scores(self._frames.use(ask), -np.inf)

    def _importance(self, liking: Column, away: float) -> Column:
        """`Recency.of_ages` times `StarWeights.weights`, as a column."""
        recency, stars = self._native.recency, self._native.stars
        found = F.lit(1.0)
        if recency is not None:
            zero, far = recency.of_ages(np.array([0.0, np.inf]), np.asarray(away)).tolist()
            span = recency.span + away * ((recency.span_back or recency.span) - recency.span)
            found = F.lit(far) + (zero - far) * F.exp(-F.col("age") / F.lit(span))
        if stars is not None:
            found = found * (liking - stars.neutral) / (1.0 - stars.neutral)
        return found

    def _scores(self, table: pa.Table, elsewhere: float = 0.0) -> Floats:
        scores: Floats = np.full(len(self.known), elsewhere)
        scores[table["added"].to_numpy()] = table["score"].to_numpy()
        return scores


def summed(frames: RecommenderFrames, rated: DataFrame, importance: Column) -> pa.Table:
    """The query: (added, score), for every title with a weight from one of the `rated` titles."""
    assert frames.weights is not None
    counted = rated.select("item", importance.alias("importance"))
    joined = frames.weights.join(F.broadcast(counted), on=F.col("rated") == F.col("item"))
    product = F.col("w").cast("double") * F.col("importance")
    return joined.groupBy("added").agg(F.sum(product).alias("score")).toArrow()


class NoRanker:
    """In place of a ranker whose family has no tables for Spark: lists are refused with 501."""

    def __init__(self, native: Ranker, family: str) -> None:
        self._native, self.family = native, family

    @property
    def known(self) -> Mask:
        """Those of the native ranker."""
        return self._native.known

    def personal(self, user: int, history: History) -> Floats:
        """Refused."""
        raise self._refused()

    def fold_in(self, history: History) -> Floats:
        """Refused."""
        raise self._refused()

    def liked(self, history: History) -> Mask:
        """Those of the native ranker."""
        return self._native.liked(history)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """Refused."""
        raise self._refused()

    def similarities(self, title: int) -> Floats:
        """Refused."""
        raise self._refused()

    def _refused(self) -> ProblemError:
        return ProblemError(
            501, f"the ranker {self.family} has no tables for Spark", "ask the native engine"
        )
