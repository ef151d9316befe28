"""Content vectors of titles, and the regression that scores cold titles from them.

Spark counts and weighs the words of all titles. In each title, the weights of each kind of word
(genres, cast, plot, ...) have length one, so that a long plot does not outweigh the genres. A
truncated SVD reduces the weights to content vectors.

A ridge regression maps content vectors to the ranker's scores. Its penalty is chosen by generalised
cross-validation (Golub, Heath and Wahba, Technometrics 21(2), 1979) on warm titles and the scores
of seeded people, without the holdout. The scorer (`scoring/recommender/content.py`) solves normal
equations. The golden queries' scores are solved here by an SVD, so that they check the scorer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pyspark.ml import PipelineModel
from pyspark.ml.feature import (
    IDF,
    CountVectorizerModel,
    RegexTokenizer,
    SQLTransformer,
    StopWordsRemover,
)
from pyspark.sql import DataFrame as Frame
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from scoring.arrays import Floats, Ints, Mask, Rows, Singles
from spark_apps.recommender.fitted_order import FittedOrder
from spark_apps.recommender.recipes import ContentRecipe
from spark_apps.recommender.training_data import FeatureTable, truncated_svd

FEWEST_TITLES = 2  # titles that a word must occur in
AT_ONCE = 2_048  # titles made dense at a time: 16 MB of 2,000 words
RIDGES = tuple(float(f"{10**e:.3g}") for e in np.arange(-1.0, 3.01, 0.25))
RIDGE_PEOPLE = 100  # people whose scores choose the penalty
TITLES_PER_COLD = 10  # a list of n titles has at most n / 10 cold ones
LEAST_COSINE = 1e-5  # smaller cosines count as 0, for float32's precision
WORDS_SQL = (
    "SELECT movie_id, concat(names, transform(array_distinct(kept), w -> concat('plot=', w)))"
    " AS words FROM __THIS__"
)


@dataclass(frozen=True)
class WeightedWords:
    """Weights [titles, words] as compressed sparse rows, by ascending `movie_ids`."""

    movie_ids: Ints
    indptr: Ints
    indices: Ints
    values: Floats
    vocabulary: tuple[str, ...]

    def dense(self, start: int) -> Singles:
        """The rows of AT_ONCE titles from `start` on, as a dense array."""
        ends = self.indptr[start : start + AT_ONCE + 1]
        span = slice(ends[0], ends[-1])
        table = np.zeros((len(ends) - 1, len(self.vocabulary)), dtype=np.float32)
        table[np.repeat(np.arange(len(table)), np.diff(ends)), self.indices[span]] = self.values[
            span
        ]
        return table


def content_vectors(
    spark: SparkSession, words: pa.Table, recipe: ContentRecipe, seed: int
) -> FeatureTable:
    """Vectors [titles, columns] by movie id; no columns where no two titles share a word."""
    weighted = weigh_words(spark, words, recipe.words)
    columns = recipe.affordable_columns(words.num_rows)
    starts = range(0, len(weighted.movie_ids), AT_ONCE)
    basis = None
    if len(weighted.vocabulary) > columns:
        gram = sum((d.T @ d).astype(np.float64) for d in map(weighted.dense, starts))
        basis = truncated_svd(np.asarray(gram), columns, seed)[2].astype(np.float32)
    tables = [d if basis is None else d @ basis for d in map(weighted.dense, starts)]
    return FeatureTable(weighted.movie_ids, np.vstack(tables).astype(np.float64))


def weigh_words(spark: SparkSession, words: pa.Table, most: int) -> WeightedWords:
    """Weights of the `most` frequent words; in each title each kind of word has length one."""
    frame = words_of_titles().transform(spark.createDataFrame(words).coalesce(1))
    vocabulary = frequent_words(frame, most)
    if not vocabulary:  # Spark cannot make vectors of no columns
        nothing = np.zeros(len(words) + 1, dtype=np.int64)
        ids = words["movie_id"].to_numpy()
        return WeightedWords(ids, nothing, nothing[:0], np.zeros(0), ())
    counter = CountVectorizerModel.from_vocabulary(list(vocabulary), "words", "counts")
    counts = counter.transform(frame)
    weights = IDF(inputCol="counts", outputCol="weights").fit(counts).transform(counts)
    found = weights.select("movie_id", F.unwrap_udt("weights").alias("w"))
    return _weighted_words(found.toArrow().combine_chunks(), vocabulary)


def words_of_titles() -> PipelineModel:
    """Spark ML's stages from `training_titles.words_table` to the distinct `words` of a title."""
    tokens = RegexTokenizer(
        inputCol="plot", outputCol="tokens", pattern=r"\P{L}+", minTokenLength=3
    )
    kept = StopWordsRemover(inputCol="tokens", outputCol="kept")
    return PipelineModel([tokens, kept, SQLTransformer(statement=WORDS_SQL)])


def frequent_words(frame: Frame, most: int) -> tuple[str, ...]:
    """The `most` frequent words that FEWEST_TITLES have, equally frequent ones by the alphabet.

    Spark's own CountVectorizer takes equally frequent ones in the order in which its tasks end, so
    that a run that is repeated, or loses a worker, would have other vectors.
    """
    counts = frame.select(F.explode("words").alias("word")).groupBy("word").count()
    enough = counts.where(F.col("count") >= FEWEST_TITLES)
    return tuple(
        row["word"] for row in enough.orderBy(F.desc("count"), "word").limit(most).collect()
    )


def _weighted_words(table: pa.Table, vocabulary: tuple[str, ...]) -> WeightedWords:
    vectors = table["w"].combine_chunks()
    lists = vectors.field("indices")
    counts = np.diff(lists.offsets.to_numpy())
    indices = lists.flatten().to_numpy().astype(np.int64)
    values = vectors.field("values").flatten().to_numpy()
    rows = np.repeat(np.arange(len(counts)), counts)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scaled = values / _length_of_kind(rows, indices, values, vocabulary)
    return WeightedWords(table["movie_id"].to_numpy(), indptr, indices, scaled, vocabulary)


def _length_of_kind(
    rows: Rows, indices: Ints, values: Floats, vocabulary: tuple[str, ...]
) -> Floats:
    """For each weight, the Euclidean length of its title's weights of the same kind."""
    names, kinds = np.unique([word.partition("=")[0] for word in vocabulary], return_inverse=True)
    cell = rows * len(names) + kinds[indices]
    squares = np.bincount(cell, weights=values**2)
    lengths: Floats = np.maximum(np.sqrt(squares[cell]), 1e-12)
    return lengths


@dataclass(frozen=True)
class ContentFit:
    """Content `vectors` [I, C], the titles [I] that the ranker has `known`, and the penalty
    `ridge`."""

    recipe: ContentRecipe
    vectors: Singles
    known: Mask
    ridge: float
    explained: float  # share of the scores' variance that content explains, cross-validated

    @property
    def described(self) -> Mask:
        """Titles [I] with a nonzero content vector."""
        described: Mask = np.asarray(self.vectors.any(axis=1))
        return described

    @property
    def optimism(self) -> float:
        """The recipe's optimism; 0 where content explains no variance."""
        return self.recipe.optimism if self.explained > 0.0 else 0.0

    def facts(self) -> dict[str, float]:
        """The value of `content` in `bundle.json`."""
        return {"ridge": self.ridge, "optimism": self.optimism}

    def note(self) -> str:
        """A note for the card."""
        size = self.vectors.nbytes / 1e6
        return (
            f"content: {self.vectors.shape[1]} columns for {len(self.vectors)} titles, "
            f"{size:.1f} MB of at most {self.recipe.most_megabytes:g}; ridge {self.ridge:g}, "
            f"{100 * self.explained:.0f} % of a score's variance follows from content"
        )

    @property
    def cold(self) -> Mask:
        """Titles [I] that have content and are not known to the ranker."""
        cold: Mask = self.described & ~self.known
        return cold

    @cached_property
    def _decomposed(self) -> tuple[Rows, Floats, Floats, Floats, Floats]:
        """The warm titles' rows, their mean vector, and the SVD of their centred vectors."""
        warm = np.flatnonzero(self.known & self.described)
        vectors = self.vectors[warm].astype(np.float64)
        centre = vectors.mean(axis=0)
        return warm, centre, *np.linalg.svd(vectors - centre, full_matrices=False)

    def scores(self, scores: Floats) -> tuple[Floats, float]:
        """Scores [I], the cold titles' by regression, and the regression's standard error."""
        warm, centre, left, values, right = self._decomposed
        mean = float(scores[warm].mean())
        kept = values**2 / (values**2 + self.ridge)
        moment = left.T @ (scores[warm] - mean)
        effect = right.T @ (values / (values**2 + self.ridge) * moment)
        residuals = scores[warm] - mean - left @ (kept * moment)
        freedom = max(len(warm) - 1 - kept.sum(), 1.0)
        filled = scores.copy()
        filled[self.cold] = mean + (self.vectors[self.cold].astype(np.float64) - centre) @ effect
        return filled, float(np.sqrt((residuals**2).sum() / freedom))

    def likeness(self, rated: Rows) -> Floats:
        """The cosine [I] of each title to the sum of the rated titles' unit vectors.

        A cosine below LEAST_COSINE is 0.
        """
        vectors = self.vectors.astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0.0)
        direction = units[rated].sum(axis=0)
        cosines = units @ direction / max(float(np.linalg.norm(direction)), 1e-12)
        return np.where(cosines >= LEAST_COSINE, cosines, 0.0)


def fit_content(
    order: FittedOrder, vectors: Floats, recipe: ContentRecipe, seed: int
) -> ContentFit | None:
    """Choose the penalty; None where no title has both content and a score of the ranker."""
    singles = vectors.astype(np.float32)
    described = singles.any(axis=1)
    warm = np.flatnonzero(order.ranker.known & described)
    if not len(warm):
        return None
    everybody = len(order.ratings.catalogue.user_ids)
    people = np.random.default_rng(seed).permutation(everybody)[:RIDGE_PEOPLE].tolist()
    scores = [order.scores(user, order.history(user))[warm] for user in people]
    ridge, explained = choose_ridge(vectors[warm], np.array(scores).T)
    return ContentFit(recipe, singles, order.ranker.known, ridge, explained)


def choose_ridge(
    vectors: Floats, scores: Floats, ridges: Sequence[float] = RIDGES
) -> tuple[float, float]:
    """The penalty with the least generalised cross-validation error of `scores` [titles, people],
    and the share of the variance that it explains."""
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    residuals = scores - scores.mean(axis=0)
    moments, total, titles = (
        ((left.T @ residuals) ** 2).sum(axis=1),
        (residuals**2).sum(),
        len(vectors),
    )

    def error(ridge: float) -> float:
        kept = values**2 / (values**2 + ridge)
        lost = max(float(total - ((2.0 * kept - kept**2) * moments).sum()), 0.0)
        return lost * titles / max(titles - 1 - float(kept.sum()), 1.0) ** 2

    best = min(ridges, key=lambda ridge: (error(ridge), -ridge))
    plain = float(total) * titles / max(titles - 1, 1) ** 2
    return best, 1.0 - error(best) / plain if plain > 0.0 else 0.0


def best_unseen(scores: Floats, allowed: Mask, seen: Rows, n: int) -> list[int]:
    """The rows of the `n` best titles that are allowed and not seen."""
    free = np.where(allowed, scores, -np.inf)
    free[seen] = -np.inf
    order = np.argsort(-free, kind="stable")[:n]
    return [int(row) for row in order if free[row] > -np.inf]


def list_unseen(
    plain: Floats, known: Mask, seen: Rows, content: ContentFit | None, n: int
) -> tuple[list[int], Floats]:
    """The `n` best unseen titles, warm by `plain` [I] and cold by content; and all scores [I]."""
    if content is None:
        return best_unseen(plain, known, seen, n), plain
    scores, error = content.scores(plain)
    return with_cold(scores, error, seen, content, n), scores


def with_cold(scores: Floats, error: float, seen: Rows, content: ContentFit, n: int) -> list[int]:
    """The `n` best unseen titles, warm and cold, by other code than the scorer's.

    A cold title replaces the last warm title while its score + optimism * error is higher.
    """
    ranked, taken = best_unseen(scores, content.known, seen, n), list[int]()
    for title in best_unseen(scores, content.cold, seen, n // TITLES_PER_COLD):
        full = len(ranked) + len(taken) >= n
        if full and scores[title] + content.optimism * error <= scores[ranked[-1]]:
            break
        ranked = ranked[:-1] if full else ranked
        taken.append(title)
    return sorted(ranked + taken, key=lambda row: -scores[row])
