"""Job: raw ratings and feedback to prepared ratings and their split.

Reads the folders that `inputs.json` froze; writes `prepared/ratings`, `prepared/quarantine/ratings`
and `split/ratings/{train,holdout}`; where the release's ids are text, also `prepared/ids`; and
`data/ratings.json`, what the ratings are like. One pass over the rows: what is refused is counted
on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from marquee.artefacts.inputs import Inputs
from marquee.contracts import RATINGS
from marquee.errors import SourceError
from marquee.names import iso
from spark_apps.job import Job, run_job
from spark_apps.ratings.figures import FORMAT, describe_ratings
from spark_apps.ratings.judging import (
    RAW,
    Scale,
    count_reasons,
    good_rows,
    judge,
    quarantined_rows,
)
from spark_apps.ratings.merging import before, latest_of_each_pair
from spark_apps.ratings.reading import read_feedback, read_names, read_release
from spark_apps.ratings.split import HELD_OUT, mark_holdout
from spark_apps.ratings.text_ids import id_tables, refuse_collisions

ROWS_A_PARTITION = 500_000


@dataclass(frozen=True)
class Count:
    """What became of the rows."""

    read: int
    kept: int
    held_out: int
    quarantined: Mapping[str, int]

    @property
    def refused(self) -> int:
        """Rows in quarantine."""
        return sum(self.quarantined.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("prepare_ratings", argv, prepare)


def prepare(job: Job) -> None:
    """Judge, merge, split, publish; raises SourceError where no row is left."""
    as_of = int(job.inputs.as_of.timestamp())
    with job.stopwatch("session"):
        widen_shuffles(job)
    with job.stopwatch("judge and merge"):
        judged, seen = judged_rows(job), Observation("judged")
        rows = before(good_rows(judged.observe(seen, *count_reasons(scale(job)))), as_of)
        ratings = mark_holdout(latest_of_each_pair(rows)).cache()
        count = count_rows(ratings, seen, judged, scale(job))
    if not count.kept:
        raise SourceError(
            f"no rating before {iso(job.inputs.as_of)} is left of {count.read} rows "
            f"({count.refused} quarantined){_reasons(judged, count)}",
            "look at the file, or give a later as-of",
        )
    with job.stopwatch("describe"):
        report(job, ratings)
    with job.stopwatch("ids"):
        publish_ids(job, judged)
    with job.stopwatch("write"):
        publish(job, judged, ratings, count)
    print(
        f"[prepare_ratings] {count.read} rows read, {count.kept} kept, {count.held_out} held out, "
        f"{count.refused} quarantined: {dict(count.quarantined) or 'none'}",
        flush=True,
    )


def report(job: Job, ratings: DataFrame) -> None:
    """Leave `runs/R/data/ratings.json`; a retry keeps it."""
    head = {"format": FORMAT, "as_of": iso(job.inputs.as_of)}
    job.write_once(job.path("data/ratings.json"), lambda: {**head, **describe_ratings(ratings)})


def _reasons(judged: DataFrame, count: Count) -> str:
    """Why rows were refused, the most frequent reason first, with three examples of each."""
    often = sorted(count.quarantined.items(), key=lambda found: -found[1])
    return "".join(f", {n} because {why} ({_examples(judged, why)})" for why, n in often)


def _examples(judged: DataFrame, reason: str) -> str:
    rows = judged.where(F.col("reason") == reason).select(*RAW).take(3)
    return "; ".join(",".join(str(v or "")[:30] for v in row) for row in rows)


def widen_shuffles(job: Job) -> None:
    """More partitions than the configured few where rows are many: each is sorted in memory."""
    key, rows = "spark.sql.shuffle.partitions", job.inputs.ratings.rows
    partitions = max(int(job.spark.conf.get(key) or 1), -(-rows // ROWS_A_PARTITION))
    job.spark.conf.set(key, str(partitions))


def scale(job: Job) -> Scale:
    """The lowest and highest stars."""
    return Scale(*job.inputs.ratings.scale)


def judged_rows(job: Job) -> DataFrame:
    """Every row of the release and of the feedback, with its verdict."""
    release = read_release(job.spark, job.lake, job.inputs.ratings.path)
    segments = [job.lake.uri(f"{s.path}/feedback.jsonl") for s in job.inputs.feedback]
    if segments:
        release = release.unionByName(read_feedback(job.spark, segments, said_by(job.inputs)))
    return judge(release, scale(job), text_ids(job))


def said_by(inputs: Inputs) -> Mapping[str, int]:
    """UTC seconds by which each segment had been said, at the latest the freeze; by folder name."""
    moments = {one.path: one.said_by or inputs.frozen_at for one in inputs.feedback}
    return {path.rsplit("/", 1)[-1]: int(at.timestamp()) for path, at in moments.items() if at}


def text_ids(job: Job) -> Sequence[str]:
    """Which of `users` and `titles` the release names by text; usually neither."""
    return job.inputs.ratings.text_ids


def count_rows(ratings: DataFrame, seen: Observation, judged: DataFrame, scale: Scale) -> Count:
    """The one action that reads the input: it fills the cache and the observation."""
    row = ratings.agg(F.count(F.lit(1)), F.count_if(F.col(HELD_OUT))).first() or (0, 0)
    # Spark drops the observation from a plan that turns out empty: then it is asked by itself.
    found = seen.get if row[0] else judged.agg(*count_reasons(scale)).first().asDict()
    read = found.pop("rows")
    return Count(read, row[0], row[1], {reason: n for reason, n in found.items() if n})


def publish(job: Job, judged: DataFrame, ratings: DataFrame, count: Count) -> None:
    """Write the three folders; each appears whole."""
    publish_quarantine(job, judged, count)
    everything, train, holdout = (
        ratings.where(chosen).select(*RATINGS.names)
        for chosen in (F.lit(True), ~F.col(HELD_OUT), F.col(HELD_OUT))
    )
    RATINGS.check_types(dict(everything.dtypes))
    job.publish_frames(
        {"": everything},
        job.path("prepared/ratings"),
        rows=count.kept,
        read=count.read,
        quarantined=dict(count.quarantined),
    )
    split = {"train": train, "holdout": holdout}
    job.publish_frames(split, job.path("split/ratings"), rows=count.kept, held_out=count.held_out)


def publish_ids(job: Job, judged: DataFrame) -> None:
    """What number each text has; nothing where ids are numbers already."""
    kinds = text_ids(job)
    if not kinds:
        return
    listed = read_names(job.spark, job.lake, job.inputs.ratings.path)
    tables = id_tables(judged, listed, kinds)
    counts: dict[str, Any] = {kind: refuse_collisions(table) for kind, table in tables.items()}
    job.publish_frames(tables, job.path("prepared/ids"), rows=sum(counts.values()), **counts)


def publish_quarantine(job: Job, judged: DataFrame, count: Count) -> None:
    """The refused rows as they came; one empty file where there are none, without a Spark job."""
    path = job.path("prepared/quarantine/ratings")
    if count.refused:
        bad = quarantined_rows(judged).coalesce(1)
        job.publish_frames({"": bad}, path, rows=count.refused, format="json")
        return
    folder = job.scratch / "quarantine"
    folder.mkdir()
    (folder / "none.json").touch()
    job.publish_folder(folder, path, rows=0)


if __name__ == "__main__":
    sys.exit(main())
