"""The job server: a process that answers the routes of the API through Spark Connect.

`ANSWERS` stands here, and not in `worker`, because whoever imports `session` makes pyspark speak to
a server alone.
"""

from __future__ import annotations

__all__ = ["ANSWERS"]

SPARK, BUNDLE, REFUSED, NATIVE = "Spark", "the bundle", "refused (501)", "refused (422)"
ANSWERS: tuple[tuple[str, str, str], ...] = (
    ("stars of a known person", SPARK, "the saved ALS model, clipped to the scale"),
    ("stars where person or title is unknown", BUNDLE, "mean and biases"),
    ("stars for given ratings (fold-in)", BUNDLE, "a solution of the predictor's equations"),
    ("intervals of stars", BUNDLE, "around Spark's stars"),
    ("list of a known person", SPARK, "scores: `ranker/history` joined with `ranker/weights`"),
    ("list for given ratings", SPARK, "scores: the ratings joined with `ranker/weights`"),
    ("list of a ranker other than `ease`", REFUSED, "it has no tables for Spark"),
    ("order by what is rated lately, content, diversity, filters", BUNDLE, "of Spark's scores"),
    ("because", BUNDLE, "the parts of Spark's sums"),
    ("similar titles", SPARK, "weights from the title; by content: the bundle"),
    ("budget, median", SPARK, "the saved pipeline; track records are looked up in the bundle"),
    ("budget, interval", BUNDLE, "around Spark's median"),
    ("budget, contributions, similar films, missing fields, notes", BUNDLE, "as for `native`"),
    ("a batch of pairs", SPARK, "one query over Parquet of the lake: stars, without intervals"),
    ("a batch of films", SPARK, "the saved pipeline, 10,000 rows at a time; intervals: the bundle"),
    ("ratings since the training", NATIVE, "the API alone knows them, and folds them in itself"),
)
"""What is asked, who computes it, and how: the table of docs/reference/engines.md."""
