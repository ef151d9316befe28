"""Spark's own regression family, each as it comes, on the splits and vectors of `bench/budget.py`.

    python bench/budget_spark_family.py --titles movie_metadata.csv [--beside FILE] [--json FILE]

One sensible configuration each ("stock"), nothing chosen: what a person gets who takes a regressor
off Spark's shelf. `--beside` names what `bench/budget.py --json` wrote, so that its peers and
champion stand in the same table. "fit s" is the longest fit, seconds of the clock. `--quick` takes
the last origin alone.
"""

from __future__ import annotations

from bench_environment import enter

enter()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from pyspark.ml import regression as R  # noqa: E402
from pyspark.ml.linalg import Vectors  # noqa: E402
from pyspark.sql import DataFrame, SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402

from bench.budget import SETS, YEARS, usable  # noqa: E402
from bench.budget_champion import Champion, Data, default_recipe  # noqa: E402
from bench.budget_table import print_errors  # noqa: E402
from bench.budget_titles import read_budget_titles  # noqa: E402
from marquee.errors import MarqueeError, SourceError  # noqa: E402
from marquee.prices import PriceIndex  # noqa: E402
from scoring.arrays import Floats  # noqa: E402
from spark_apps.budget.families import read_recipe  # noqa: E402

LABEL, MILLIONS, MEDIAN = "label", "millions", "median"
STEADY = "director_most"
"""The one feature isotonic regression reads: the greatest budget of the director before."""


def stock(names: list[str]) -> dict[str, Any]:
    """Every regressor for vectors of these features."""
    trees = {"labelCol": LABEL, "seed": 7}
    return {
        "linear": R.LinearRegression(labelCol=LABEL, regParam=0.05),
        "generalized linear": R.GeneralizedLinearRegression(labelCol=LABEL, regParam=0.05),
        "decision tree": R.DecisionTreeRegressor(minInstancesPerNode=10, **trees),
        "random forest": R.RandomForestRegressor(numTrees=100, maxDepth=10, **trees),
        "gradient boosting": R.GBTRegressor(**trees),
        f"isotonic ({STEADY})": R.IsotonicRegression(
            labelCol=LABEL, featureIndex=names.index(STEADY)
        ),
        # Its median, of dollars: survival to a budget, with no title censored.
        "AFT survival": R.AFTSurvivalRegression(
            labelCol=MILLIONS, quantileProbabilities=[0.5], quantilesCol=MEDIAN
        ),
    }


def main() -> int:
    """Run; 2 with one line on standard error where the input cannot be used."""
    options = _options()
    try:
        result = run(options)
    except (MarqueeError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, found in result["sets"].items():
        print(f"\n{name}: RMSE of log10 dollars")
        if found["rmse"]:
            print_errors(result["origins"], found)
        else:
            print("  skipped: the file does not tell enough")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    prices = PriceIndex.load(2100)
    rows = read_budget_titles(options.titles, prices).rows
    years = np.array([row[2] for row in rows])
    origins = usable(YEARS[-1:] if options.quick else YEARS, years)
    if not origins:
        raise SourceError(f"{options.titles} has no origin to score from", "give more films")
    kept = {"name", "wide", "director_smoothing", "recent", "reg"}
    recipe = read_recipe(default_recipe().model_dump(include=kept) | {"family": "linear"})
    with tempfile.TemporaryDirectory() as scratch:
        source = Champion(rows, prices, origins, Path(scratch), recipe)
        try:
            sets = {name: _measure(source, origins, question) for name, question in SETS.items()}
        finally:
            source.stop()
    return {"origins": origins, "sets": _beside(options.beside, origins, sets)}


def _measure(source: Champion, origins: list[int], question: str) -> dict[str, Any]:
    errors: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    for origin in origins:
        data = source.data(origin, question)
        if not len(data.rows):
            return {"rmse": {}, "seconds": {}}
        names = source.fits.stages(source.recipe, source.folds[origin]).names(question)
        train, later = _frame(source.spark, data.rows, data.target), data.later
        for name, regressor in stock(names).items():
            started = time.perf_counter()
            model = regressor.fit(train)
            seconds[name] = max(seconds.get(name, 0.0), round(time.perf_counter() - started, 2))
            answers = _answers(model.transform(_frame(source.spark, later, data.actual)))
            errors.setdefault(name, []).append(_rms(data, answers))
        train.unpersist()
        print(f"[{question}] origin {origin} fitted", flush=True)
    return {"rmse": errors, "seconds": seconds}


def _frame(spark: SparkSession, rows: Floats, target: Floats) -> DataFrame:
    """In one partition and in order, as the champion has them."""
    pairs = [(Vectors.dense(row), float(y)) for row, y in zip(rows, target, strict=True)]
    frame = spark.createDataFrame(pairs, ["features", LABEL]).coalesce(1)
    dollars = {MILLIONS: F.pow(F.lit(10.0), F.col(LABEL) - 6.0), "censor": F.lit(1.0)}
    return frame.withColumns(dollars).cache()


def _answers(answers: DataFrame) -> Floats:
    """log10 dollars, whatever the regressor was taught."""
    if MEDIAN in answers.columns:
        found = [6.0 + np.log10(row[MEDIAN][0]) for row in answers.select(MEDIAN).collect()]
    else:
        found = [row["prediction"] for row in answers.select("prediction").collect()]
    return np.array(found)


def _rms(data: Data, answers: Floats) -> float:
    return float(np.sqrt(np.mean((data.actual - answers) ** 2)))


def _beside(path: Path | None, origins: list[int], sets: dict[str, Any]) -> dict[str, Any]:
    """The other bench's lines above these, where it was run on the same origins."""
    if path is None:
        return sets
    other: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    if other["origins"] != origins:
        raise SourceError(f"{path} has other origins: {other['origins']}", "run both alike")
    return {
        name: {
            key: other["sets"][name].get(key, {})
            | {f"Spark: {model}": value for model, value in found.get(key, {}).items()}
            for key in ("rmse", "seconds")
        }
        for name, found in sets.items()
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=Path, required=True)
    parser.add_argument("--beside", type=Path, help="what bench/budget.py --json wrote")
    parser.add_argument("--json", type=Path, help="keep the figures")
    parser.add_argument("--quick", action="store_true", help="the last origin alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
