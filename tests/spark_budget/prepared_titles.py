"""The real job over made-up snapshots, and its output read back."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import SparkSession

from marquee.lake import Lake
from spark_apps import prepare_titles
from tests.spark_budget.budget_lake import RUN, add_ratings, add_snapshot, freeze, make_lake

LINKS = "movieId,imdbId,tmdbId\n1,0000001,\n2,0000002,\n7,1000000,9\n8,,\n"


MOVIES = (
    "movieId,title,genres\n"
    '1,"Harbour, The (2001)",Children|Drama|IMAX\n'
    "2,Second Harbour (2002),Comedy\n"
    '7,"Say ""No"" (1999)",(no genres listed)\n'
    "8,Untitled,Drama\n"
)


class Prepared:
    """One run's output, read back."""

    def __init__(self, lake: Lake, spark: SparkSession) -> None:
        self.frame = spark.read.parquet(lake.uri(f"runs/{RUN}/prepared/titles"))
        self.rows = {row["title_id"] or row["movie_id"]: row for row in self.frame.collect()}
        folder = Path(lake.root.removeprefix("file://")) / f"runs/{RUN}/prepared/quarantine/titles"
        lines = [x for f in folder.glob("part-*.json") for x in f.read_text("utf-8").splitlines()]
        self.quarantine = {x["title_id"]: x for x in map(json.loads, lines) if "title_id" in x}
        self.reasons = {key: x["reason"] for key, x in self.quarantine.items()}
        self.refused = [json.loads(line) for line in lines]
        self.report = lake.read_json(f"runs/{RUN}/data/titles.json")
        self.facts = lake.manifest(f"runs/{RUN}/prepared/titles").facts
        self.split = {
            part: [
                row["title_id"]
                for row in spark.read.parquet(lake.uri(f"runs/{RUN}/split/titles/{part}")).collect()
            ]
            for part in ("train", "holdout")
        }


def prepare(
    tmp_path: Path,
    spark: SparkSession,
    *snapshots: tuple[str, list[str]],
    as_of: str = "2026-11-01T03:00:00Z",
) -> Prepared:
    """Run the real job over snapshots given as (when they were loaded, lines)."""
    lake = make_lake(tmp_path / "lake")
    ratings = add_ratings(lake, MOVIES, LINKS)
    entries = [add_snapshot(lake, lines, at, i) for i, (at, lines) in enumerate(snapshots, 1)]
    freeze(lake, ratings, entries, as_of=as_of)
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 0
    return Prepared(lake, spark)
