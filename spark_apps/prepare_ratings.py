"""Job: raw ratings and feedback to prepared ratings and their split.

It reads the folders that `inputs.json` names. It writes `prepared/ratings`,
`prepared/quarantine/ratings`, `split/ratings/{train,holdout}` and the figures `data/ratings.json`.
A release whose ids are text also gets `prepared/ids`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from marquee.artefacts.inputs import Inputs
from marquee.clock import iso
from marquee.dataset_contracts import RATINGS
from marquee.errors import SourceError
from spark_apps.job import Job, run_job
from spark_apps.preparation.rating_dataset import (
    FIGURES_FORMAT,
    HELD_OUT,
    RAW_COLUMNS,
    Scale,
    id_tables,
    latest_of_each_pair,
    mark_holdout,
    quarantined_rows,
    ratings_figures,
    reason_counts,
    refuse_collisions,
    rows_before,
    valid_rows,
    validate,
)
from spark_apps.preparation.raw_ratings import read_feedback, read_names, read_ratings
from spark_apps.spark_session import partitions_of, raise_shuffle_partitions


@dataclass(frozen=True)
class RowCounts:
    """Rows read, kept and held out, and rows in quarantine by reason."""

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
    """Validate, merge, split, publish; SourceError where no valid rating is before as-of."""
    as_of = int(job.inputs.as_of.timestamp())
    with job.stopwatch("session"):
        raise_shuffle_partitions(job.spark, partitions_of(job.inputs.ratings.rows))
    with job.stopwatch("judge and merge"):
        validated, seen = validated_rows(job), Observation("validated")
        rows = rows_before(valid_rows(validated.observe(seen, *reason_counts(scale(job)))), as_of)
        ratings = mark_holdout(latest_of_each_pair(rows)).cache()
        count = count_rows(ratings, seen, validated, scale(job))
    if not count.kept:
        raise SourceError(
            f"no rating before {iso(job.inputs.as_of)} is left of {count.read} rows "
            f"({count.refused} quarantined){_reasons(validated, count)}",
            "look at the file, or give a later as-of",
        )
    with job.stopwatch("describe"):
        write_figures(job, ratings)
    with job.stopwatch("ids"):
        publish_ids(job, validated)
    with job.stopwatch("write"):
        publish(job, validated, ratings, count)
    print(
        f"[prepare_ratings] {count.read} rows read, {count.kept} kept, {count.held_out} held out, "
        f"{count.refused} quarantined: {dict(count.quarantined) or 'none'}",
        flush=True,
    )


def write_figures(job: Job, ratings: DataFrame) -> None:
    """Write `runs/R/data/ratings.json`; a retry keeps the first."""
    head = {"format": FIGURES_FORMAT, "as_of": iso(job.inputs.as_of)}
    job.write_once(job.path("data/ratings.json"), lambda: {**head, **ratings_figures(ratings)})


def _reasons(validated: DataFrame, count: RowCounts) -> str:
    """The reasons for quarantine, the most frequent first, with three example rows of each."""
    often = sorted(count.quarantined.items(), key=lambda found: -found[1])
    return "".join(f", {n} because {why} ({_examples(validated, why)})" for why, n in often)


def _examples(validated: DataFrame, reason: str) -> str:
    rows = validated.where(F.col("reason") == reason).select(*RAW_COLUMNS).take(3)
    return "; ".join(",".join(str(v or "")[:30] for v in row) for row in rows)


def scale(job: Job) -> Scale:
    """The lowest and highest stars."""
    return Scale(*job.inputs.ratings.scale)


def validated_rows(job: Job) -> DataFrame:
    """Every row of the release and of the feedback; `reason` says why a row is no rating."""
    release = read_ratings(job.spark, job.lake, job.inputs.ratings.path)
    segments = [job.lake.uri(f"{s.path}/feedback.jsonl") for s in job.inputs.feedback]
    if segments:
        release = release.unionByName(read_feedback(job.spark, segments, complete_by(job.inputs)))
    return validate(release, scale(job), text_ids(job))


def complete_by(inputs: Inputs) -> Mapping[str, int]:
    """UTC seconds by which each segment of feedback was complete, by the name of its folder.

    Where an earlier run froze the segment first, `inputs.json` names that moment. For other
    segments it is the moment of this run's freeze.
    """
    moments = {one.path: one.said_by or inputs.frozen_at for one in inputs.feedback}
    return {path.rsplit("/", 1)[-1]: int(at.timestamp()) for path, at in moments.items() if at}


def text_ids(job: Job) -> Sequence[str]:
    """Which of `users` and `titles` have ids that are text; mostly none."""
    return job.inputs.ratings.text_ids


def count_rows(
    ratings: DataFrame, seen: Observation, validated: DataFrame, scale: Scale
) -> RowCounts:
    """Count the rows. This action reads the input, fills the cache and the observation."""
    row = ratings.agg(F.count(F.lit(1)), F.count_if(F.col(HELD_OUT))).first() or (0, 0)
    # Spark drops the observation from an empty plan; then a second job counts.
    found = seen.get if row[0] else validated.agg(*reason_counts(scale)).first().asDict()
    read = found.pop("rows")
    return RowCounts(read, row[0], row[1], {reason: n for reason, n in found.items() if n})


def publish(job: Job, validated: DataFrame, ratings: DataFrame, count: RowCounts) -> None:
    """Write quarantine, prepared ratings and split, each in one rename."""
    publish_quarantine(job, validated, count)
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


def publish_ids(job: Job, validated: DataFrame) -> None:
    """Write the number of each text id; SourceError where two texts have one number."""
    kinds = text_ids(job)
    if not kinds:
        return
    listed = read_names(job.spark, job.lake, job.inputs.ratings.path)
    tables = id_tables(validated, listed, kinds)
    counts: dict[str, Any] = {kind: refuse_collisions(table) for kind, table in tables.items()}
    job.publish_frames(tables, job.path("prepared/ids"), rows=sum(counts.values()), **counts)


def publish_quarantine(job: Job, validated: DataFrame, count: RowCounts) -> None:
    """Write the refused rows unchanged; without any, one empty file, which needs no Spark job."""
    path = job.path("prepared/quarantine/ratings")
    if count.refused:
        # Not coalesce: it would make one task read and judge the whole release again.
        bad = quarantined_rows(validated).repartition(partitions_of(count.refused))
        job.publish_frames({"": bad}, path, rows=count.refused, format="json")
        return
    folder = job.scratch / "quarantine"
    folder.mkdir()
    (folder / "none.json").touch()
    job.publish_folder(folder, path, rows=0)


if __name__ == "__main__":
    sys.exit(main())
