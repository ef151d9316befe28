"""How fast is Spark's ALS as we set it, beside its own defaults, at equal quality?

    python bench/als_speed.py --data FOLDER [--split last20] [--rounds 7] [--json FILE]

One session, warm (one fit of each is thrown away), in turn, the same rows, the same rank. Stock is
`ALS()` as it comes on a cached frame: ten blocks, ten iterations, regularisation 0.1. Ours:

- one block for up to 500,000 ratings instead of ten: an iteration is 2 shuffles of blocks x blocks
  messages, and on small data the messages and the tasks that carry them are the work;
- dense ids, cached in one partition: no second shuffle to find out who is who;
- no more iterations than pay: with the regularisation they are chosen on an inner split of train,
  the fewest whose error is not above stock's there; never on the holdout.

Quality is the holdout RMSE of the pairs ALS can answer, averaged over the rounds (a round is a
seed); it is printed beside the seconds, so that the ratio can be read with it.
"""

from __future__ import annotations

from bench_environment import enter

enter()

import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from pyspark.ml.recommendation import ALS, ALSModel  # noqa: E402
from pyspark.sql import DataFrame, SparkSession  # noqa: E402

from bench.recommender_splits import Split, make_split  # noqa: E402
from bench.resource_use import measured  # noqa: E402
from bench.spark_session import spark_session  # noqa: E402
from scoring.recommender.holdout import last_share, rmse  # noqa: E402
from scoring.recommender.ratings_arrays import Ratings  # noqa: E402
from scoring.recommender.ratings_files import read_any_release  # noqa: E402
from spark_apps.recommender.als import blocks_for  # noqa: E402

RANK, STOCK_REG, STOCK_ITERATIONS = 10, 0.1, 10
REGS, ITERATIONS = (0.1, 0.12, 0.15, 0.2), (3, 4, 5, 6, 8, 10)
INNER_SEEDS = range(101, 107)  # not those of the rounds


def main() -> None:
    """Alternate, then print."""
    options = _options()
    split = make_split(options.data, read_any_release(options.data), options.split, seed=1)
    with spark_session("als speed") as spark:
        tuned = choose_tuned(spark, split.train)
        found = alternate(spark, split, tuned, options.rounds)
    ratio = statistics.median(s / o for s, o in zip(found["stock"], found["ours"]))
    quality = {name: statistics.mean(found[f"{name} rmse"]) for name in ("stock", "ours")}
    print(f"rank {RANK}; stock: {STOCK_ITERATIONS} iterations, reg {STOCK_REG}; ours: {tuned}")
    for name in ("stock", "ours"):
        seconds = statistics.median(found[name])
        print(f"{name:<6} median {seconds:6.2f} s   holdout RMSE {quality[name]:.4f}")
    print(f"median of {options.rounds} paired ratios: {ratio:.2f} times as fast")
    if options.json:
        value = {"tuned": vars(tuned), "ratio": ratio, "rmse": quality, **found}
        options.json.write_text(json.dumps(value, indent=1) + "\n")


@dataclass(frozen=True)
class Tuned:
    """Our settings."""

    iterations: int
    reg: float


def choose_tuned(spark: SparkSession, train: Ratings) -> Tuned:
    """The fewest iterations, then the least error, that are as good as stock on an inner split."""
    late = last_share(train)
    inner = Split("inner", train.take(~late), train.take(late))
    raw = _frame(spark, inner.train).cache()
    bound = statistics.mean(error_of(_stock(seed).fit(raw), inner) for seed in INNER_SEEDS)
    print(f"stock's inner RMSE {bound:.4f}", flush=True)
    for iterations in ITERATIONS:
        errors = {
            reg: statistics.mean(
                error_of(fit_ours(spark, inner.train, Tuned(iterations, reg), seed), inner)
                for seed in INNER_SEEDS
            )
            for reg in REGS
        }
        print(iterations, "iterations:", {r: round(e, 4) for r, e in errors.items()}, flush=True)
        best = min(errors, key=lambda reg: errors[reg])
        if errors[best] <= bound:
            break
    return Tuned(iterations, best)


def alternate(
    spark: SparkSession, split: Split, settings: Tuned, rounds: int
) -> dict[str, list[float]]:
    """Seconds and errors of each round; the first round is thrown away."""
    raw = _frame(spark, split.train).repartition(2).cache()
    raw.count()
    found: dict[str, list[float]] = {s: [] for s in ("stock", "ours", "stock rmse", "ours rmse")}
    for seed in range(rounds + 1):
        with measured() as stock:
            theirs = _stock(seed).fit(raw)
        with measured() as tuned:
            ours = fit_ours(spark, split.train, settings, seed)
        if not seed:
            continue
        for name, value in (("stock", stock.seconds), ("ours", tuned.seconds)):
            found[name].append(round(value, 3))
        found["stock rmse"].append(error_of(theirs, split))
        found["ours rmse"].append(error_of(ours, split))
    return found


def fit_ours(spark: SparkSession, train: Ratings, tuned: Tuned, seed: int) -> ALSModel:
    """From the rows in the driver's memory: making the frame is part of what is timed."""
    blocks = blocks_for(len(train))
    frame = _frame(spark, train).coalesce(blocks)
    als = _stock(seed).setNumUserBlocks(blocks).setNumItemBlocks(blocks).setCheckpointInterval(-1)
    return als.setMaxIter(tuned.iterations).setRegParam(tuned.reg).fit(frame)


def error_of(model: ALSModel, split: Split) -> float:
    """RMSE over the holdout's pairs that ALS can answer; both models know the same pairs."""
    users, items = (
        {r[0]: r[1] for r in f.collect()} for f in (model.userFactors, model.itemFactors)
    )
    rows = [
        (np.dot(users[u], items[i]), v)
        for u, i, v in zip(
            split.holdout.user_ids.tolist(),
            split.holdout.movie_ids.tolist(),
            split.holdout.values.tolist(),
        )
        if u in users and i in items
    ]
    predicted, actual = (np.array(column, dtype=np.float64) for column in zip(*rows))
    return rmse(predicted, actual)


def _stock(seed: int) -> ALS:
    return ALS(
        rank=RANK,
        maxIter=STOCK_ITERATIONS,
        regParam=STOCK_REG,
        userCol="user",
        itemCol="item",
        ratingCol="rating",
        seed=seed,
    )


def _frame(spark: SparkSession, rows: Ratings) -> DataFrame:
    columns = {
        "user": rows.user_ids.astype(np.int32),
        "item": rows.movie_ids.astype(np.int32),
        "rating": rows.values.astype(np.float32),
    }
    return spark.createDataFrame(pa.table(columns))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a ratings release")
    parser.add_argument("--split", default="last20")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
