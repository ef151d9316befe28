"""The budget model's holdout: the newest films, since it is asked about films to come."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

TRAIN_SHARE = 0.8
USABLE = "type = 'movie' AND budget_usd IS NOT NULL AND year IS NOT NULL AND size(genres) > 0"
"""What a budget can be learnt from."""


def split_sizes(films: int) -> dict[str, int]:
    """How many films each part gets."""
    train = math.ceil(TRAIN_SHARE * films)
    return {"train": train, "holdout": films - train}


def split_by_release(titles: DataFrame, sizes: Mapping[str, int]) -> dict[str, DataFrame]:
    """The oldest usable films as `train`, the newest as `holdout`.

    By (year, release date, title id), so that a split never depends on the order of rows; one
    sorted partition, numbered within.
    """
    by_release = "year", F.asc_nulls_first("release_date"), "title_id"
    ordered = titles.where(USABLE).repartition(1).sortWithinPartitions(*by_release)
    placed = ordered.withColumn("place", F.monotonically_increasing_id())
    is_train = F.col("place") < sizes["train"]
    return {"train": placed.where(is_train), "holdout": placed.where(~is_train)}
