"""The engine `spark-connect`: which model is where in the lake, and what answers what.

`open_worker` makes the same `Backend` as the API's, with this engine; `serving.app` answers from it.
"""

from __future__ import annotations

from pathlib import Path

from marquee.errors import BundleError
from marquee.lake import Lake
from marquee.run_folder import model_folder
from release.ledger import Ledger
from scoring.budget.bundle import read_bundle as read_budget
from scoring.recommender.bundle import read_bundle as read_recommender
from serving.engines import BudgetEngine, Engine, RecommenderEngine
from spark_connect.budget import ConnectBudget
from spark_connect.recommender import ConnectRecommender
from spark_connect.session import SessionKeeper

NAME = "spark-connect"
SPARK, BUNDLE, REFUSED = "Spark", "the bundle", "refused (501)"
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
    ("budget, contributions, similar films, missing fields, notes", BUNDLE, ""),
    ("batches of pairs and of films", SPARK, "Parquet in the lake; no intervals"),
    ("ratings since the training", REFUSED.replace("501", "422"), "the API folds them in itself"),
)
"""What is asked, who computes it, and how: the table of docs/reference/engines.md."""
REMEDY = "train again: earlier runs saved no tables for Spark; the native engine answers meanwhile"


def connect_engine(lake: Lake, keeper: SessionKeeper) -> Engine:
    """The engine whose models are those that the runs of `lake` saved for Spark."""

    def recommender(folder: Path) -> RecommenderEngine:
        place = spark_place(lake, "recommender", folder.name)
        return ConnectRecommender(read_recommender(folder), keeper, place)

    def budget(folder: Path) -> BudgetEngine:
        return ConnectBudget(read_budget(folder), keeper, spark_place(lake, "budget", folder.name))

    return Engine(recommender, budget, NAME)


def spark_place(lake: Lake, model: str, bundle: str) -> str:
    """The address of the `shipped/spark` that belongs to a promoted bundle.

    Raises BundleError where no run promoted it, or where the run's model lacks it.
    """
    runs = [e.run for e in Ledger(lake, model).entries() if e.bundle == bundle]
    if not runs:
        raise BundleError(f"no run promoted the {model} {bundle}", "restore the ledger")
    path = f"{model_folder(runs[0], model)}/shipped/spark"
    needed = f"{path}/titles" if model == "recommender" else path
    if not lake.exists(needed):
        raise BundleError(f"{lake.uri(needed)} is missing", REMEDY)
    return lake.uri(path)
