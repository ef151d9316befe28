"""Words to vectors: Spark counts and weighs the words, a thin SVD keeps what most titles share.

Each kind of word (genres, cast, plot, ...) has length one where a title has any, weighted by
inverse document frequency: a long plot does not drown the genres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import (
    IDF,
    CountVectorizer,
    RegexTokenizer,
    SQLTransformer,
    StopWordsRemover,
)
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from scoring.arrays import Floats, Ints, Rows, Singles
from spark_apps.recommender.bayes.sides import Facts, leading
from spark_apps.recommender.content.recipe import ContentRecipe

FEWEST_TITLES = 2  # that share a word; what one title has alone tells nothing of others
AT_ONCE = 2_048  # titles made dense at a time: 16 MB of 2,000 words
ONE_SPELLING = (
    "SELECT movie_id, concat(names, transform(array_distinct(told), w -> concat('plot=', w)))"
    " AS words FROM __THIS__"
)


@dataclass(frozen=True)
class Weighed:
    """Weights of words [titles, words] in compressed rows; titles by ascending `movie_ids`."""

    movie_ids: Ints
    indptr: Ints
    indices: Ints
    values: Floats
    vocabulary: tuple[str, ...]

    def dense(self, start: int) -> Singles:
        """The rows of `AT_ONCE` titles from `start` on."""
        ends = self.indptr[start : start + AT_ONCE + 1]
        part = slice(ends[0], ends[-1])
        table = np.zeros((len(ends) - 1, len(self.vocabulary)), dtype=np.float32)
        table[np.repeat(np.arange(len(table)), np.diff(ends)), self.indices[part]] = self.values[
            part
        ]
        return table


def content_vectors(
    spark: SparkSession, words: pa.Table, recipe: ContentRecipe, seed: int
) -> Facts:
    """Vectors [titles, columns] by movie id; of no columns where no two titles share a word."""
    weighed = weigh(spark, words, recipe.words)
    columns = recipe.affordable_columns(words.num_rows)
    starts = range(0, len(weighed.movie_ids), AT_ONCE)
    basis = None
    if len(weighed.vocabulary) > columns:
        gram = sum((d.T @ d).astype(np.float64) for d in map(weighed.dense, starts))
        basis = leading(np.asarray(gram), columns, seed)[2].astype(np.float32)
    parts = [d if basis is None else d @ basis for d in map(weighed.dense, starts)]
    return Facts(weighed.movie_ids, np.vstack(parts).astype(np.float64))


def weigh(spark: SparkSession, words: pa.Table, most: int) -> Weighed:
    """The `most` frequent words, weighted, each kind of length one in each title."""
    frame = spark.createDataFrame(words).coalesce(1)
    model = pipeline(most).fit(frame)
    if not vocabulary_of(model):  # what follows refuses vectors of no columns
        nothing = np.zeros(len(words) + 1, dtype=np.int64)
        ids = words["movie_id"].to_numpy()
        return Weighed(ids, nothing, nothing[:0], np.zeros(0), ())
    found = model.transform(frame).select("movie_id", F.unwrap_udt("weights").alias("w"))
    return _weighed(found.toArrow().combine_chunks(), vocabulary_of(model))


def pipeline(most: int) -> Pipeline:
    """Spark ML's stages from a table of words to weights."""
    return Pipeline(
        stages=[
            RegexTokenizer(inputCol="plot", outputCol="said", pattern=r"\P{L}+", minTokenLength=3),
            StopWordsRemover(inputCol="said", outputCol="told"),
            SQLTransformer(statement=ONE_SPELLING),
            CountVectorizer(
                inputCol="words", outputCol="counts", vocabSize=most, minDF=FEWEST_TITLES
            ),
            IDF(inputCol="counts", outputCol="weights"),
        ]
    )


def vocabulary_of(model: PipelineModel) -> tuple[str, ...]:
    """The words that counted, by column."""
    return tuple(model.stages[3].vocabulary)


def _weighed(table: pa.Table, vocabulary: tuple[str, ...]) -> Weighed:
    vectors = table["w"].combine_chunks()
    lists = vectors.field("indices")
    counts = np.diff(lists.offsets.to_numpy())
    indices = lists.flatten().to_numpy().astype(np.int64)
    values = vectors.field("values").flatten().to_numpy()
    rows = np.repeat(np.arange(len(counts)), counts)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scaled = values / _length_of_kind(rows, indices, values, vocabulary)
    return Weighed(table["movie_id"].to_numpy(), indptr, indices, scaled, vocabulary)


def _length_of_kind(
    rows: Rows, indices: Ints, values: Floats, vocabulary: tuple[str, ...]
) -> Floats:
    """For each weight, the length of its title's weights of the same kind."""
    names, kinds = np.unique([word.partition("=")[0] for word in vocabulary], return_inverse=True)
    cell = rows * len(names) + kinds[indices]
    squares = np.bincount(cell, weights=values**2)
    lengths: Floats = np.maximum(np.sqrt(squares[cell]), 1e-12)
    return lengths
