"""Job: one typed row a title with its budget in dollars, and the budget model's split.

spark-submit spark_apps/prepare_titles.py --lake URI --webhdfs URL --run R
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from marquee.clock import iso
from marquee.dataset_contracts import TITLES
from marquee.errors import SourceError
from marquee.normalise.dates import FIRST_FILM
from marquee.prices import PriceIndex, RateTable
from marquee.run_folder import figures_paths, json_at, read_all_runs
from sources.ratings_forms import TITLES_FILE
from spark_apps.job import Job, run_job
from spark_apps.preparation.listed_titles import (
    as_contract,
    is_released,
    join_movielens,
    read_movielens,
    with_linked_directors,
)
from spark_apps.preparation.raw_ratings import read_listed
from spark_apps.preparation.title_dataset import (
    USABLE,
    rate_frame,
    repeats,
    split_by_release,
    split_sizes,
    titles_figures,
    with_dollars,
)
from spark_apps.preparation.title_items import (
    ALONE,
    CORRUPT,
    KEY,
    merged_per_title,
    only_states_budget,
    read_items,
    with_reason,
)
from spark_apps.spark_session import partitions_of, raise_shuffle_partitions

ROWS_PER_PARTITION = 100_000
"""Titles that one task merges or writes; a title takes about a kilobyte in memory."""
BYTES_OF_A_ROW = 50
LISTS_OF_TITLES = (TITLES_FILE, "movies.csv")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; the exit status."""
    return run_job("prepare_titles", argv, prepare)


def prepare(job: Job) -> None:
    """Read, merge, convert, describe, split, publish."""
    as_of = iso(job.inputs.as_of)
    with job.stopwatch("start"):
        partitions = partitions_of(rows_to_read(job), ROWS_PER_PARTITION)
        raise_shuffle_partitions(job.spark, partitions)
        # Columns of titles are read a few times: to compress them costs more than it saves.
        job.spark.conf.set("spark.sql.inMemoryColumnarStorage.compressed", "false")
    with job.stopwatch("read"):
        is_text = "titles" in job.inputs.ratings.text_ids
        listed = read_listed(job.spark, job.lake, job.inputs.ratings.path, is_text)
        movielens = read_movielens(listed, is_text)
        items = with_reason(read_items(job.spark, job.inputs, job.lake.root), movielens).cache()
        seen = count_items(items)
    with job.stopwatch("merge"):
        merged = merged_per_title(items.where("reason IS NULL"))
        if seen.pop("names_without_id"):
            merged = with_linked_directors(merged, is_small=partitions == 1)
        every = with_dollar_budgets(join_movielens(merged, movielens), as_of)
        named = every.where("title IS NOT NULL").withColumn("is_released", is_released(as_of))
        named = named.coalesce(partitions).cache()
        titles = named.where("is_released").drop("is_released")
        facts = count_titles(titles) | seen | money_facts(as_of) | unreleased(named)
        if seen["budget_lenders"]:
            facts["budgets_without_a_title"] = every.where("title IS NULL").count()
    with job.stopwatch("publish"):
        publish(job, titles, items, facts)
    with job.stopwatch("describe"):
        write_figures(job, titles)
    print(
        f"[prepare_titles] {facts['titles']} titles, {facts['with_budget']} with a budget",
        flush=True,
    )


def rows_to_read(job: Job) -> int:
    """About how many rows the sources hold; prints the size of each.

    A source whose manifest states no rows, such as the release's list, is counted by its bytes.
    """
    release = job.inputs.ratings.path
    sizes = {one.path: job.lake.manifest(one.path) for one in job.inputs.titles}
    found = {
        path: (one.rows or one.size // BYTES_OF_A_ROW, one.size) for path, one in sizes.items()
    }
    files = [f for f in job.lake.manifest(release).files if f.name in LISTS_OF_TITLES]
    found[release] = sum(f.bytes for f in files) // BYTES_OF_A_ROW, sum(f.bytes for f in files)
    for path, (rows, size) in found.items():
        print(f"[prepare_titles] {path}: about {rows} rows, {size / 1e6:.1f} MB", flush=True)
    return sum(rows for rows, _ in found.values())


def write_figures(job: Job, titles: DataFrame) -> None:
    """Write `runs/R/data/titles.json`, with the drift since the run before."""

    def figures() -> dict[str, Any]:
        last = earlier_figures(job)
        compared = {"as_of": iso(job.inputs.as_of), "compared_with": last and last["as_of"]}
        return {**compared, **titles_figures(titles, last)}

    job.write_once(job.path("data/titles.json"), figures)


def earlier_figures(job: Job) -> dict[str, Any] | None:
    """The figures of the run with the latest as-of before this run's; None without one.

    A damaged file of an earlier run counts as none: it must not end every later run.
    """
    as_of = iso(job.inputs.as_of)

    def read(run: str) -> dict[str, Any] | None:
        found = json_at(job.lake, figures_paths(run)["titles"]) if run != job.run else None
        is_earlier = isinstance(found, dict) and "" < str(found.get("as_of", "")) < as_of
        return found if is_earlier else None

    return max(read_all_runs(job.lake, read), key=lambda one: str(one["as_of"]), default=None)


def count_items(items: DataFrame) -> dict[str, Any]:
    """Count the items: all, refused, with a budget but no title, with a director who has no id."""
    nameless = "exists(directors, p -> p.name_id IS NULL AND p.name IS NOT NULL)"
    counts = items.agg(
        F.count("*").alias("items"),
        F.count("reason").alias("items_refused"),
        F.count_if(F.col("reason").isNull() & only_states_budget()).alias("budget_lenders"),
        F.count_if(F.expr(nameless)).alias("names_without_id"),
    )
    return dict(counts.collect()[0].asDict())


def with_dollar_budgets(titles: DataFrame, as_of: str) -> DataFrame:
    """Add the budget in dollars, at the exchange rates known at `as_of`."""
    rates = RateTable.load(int(as_of[:4]))
    frame = rate_frame(titles.sparkSession, rates, range(FIRST_FILM, int(as_of[:4]) + 1))
    return with_dollars(titles, frame, [*rates.rates, "USD"])


def money_facts(as_of: str) -> dict[str, Any]:
    """The tables of the conversion: number of currencies, newest rate, sources, newest price."""
    found = RateTable.load(int(as_of[:4])).coverage()
    return {
        "currencies": len(found),
        "rates_to": max((one.last for one in found.values()), default=None),
        "rate_sources": sorted({source for one in found.values() for source in one.sources}),
        "prices_to": PriceIndex.load(int(as_of[:4])).last,
    }


def count_titles(titles: DataFrame) -> dict[str, Any]:
    """Count the titles: all, and those with a rating, a director, a budget and so on.

    SourceError where there is no title, ContractError where two titles have one key.
    """
    is_earlier = F.expr("budget_usd IS NOT NULL AND NOT is_exact")
    counts = titles.agg(
        F.count("*").alias("titles"),
        F.count_if(F.expr("movie_id IS NOT NULL")).alias("rated_titles"),
        F.count_if(F.expr("size(directors) > 0")).alias("with_director"),
        F.count("rating").alias("with_rating"),
        F.count("budget_usd").alias("with_budget"),
        F.count_if(F.expr(USABLE)).alias("usable"),
        F.count("budget_reason").alias("budgets_refused"),
        F.count_if(is_earlier).alias("budgets_at_an_earlier_rate"),
    )
    facts: dict[str, Any] = counts.collect()[0].asDict()
    TITLES.check_unique(repeats(titles, {key: F.col(key) for key in TITLES.unique}))
    if not facts["titles"]:
        raise SourceError(
            "no title was released before as-of",
            "load a ratings release with a movies.csv, or choose a later as-of",
        )
    return facts


def unreleased(named: DataFrame) -> dict[str, int]:
    """Count the titles released after as-of: all, and those that the ratings release lists."""
    later = named.where("NOT is_released").agg(F.count("*"), F.count("movie_id")).collect()[0]
    if later[0]:
        print(
            f"[prepare_titles] left out: {later[0]} titles that come out after as-of, "
            f"{later[1]} of them in the release",
            flush=True,
        )
    return {"not_out": later[0], "not_out_but_listed": later[1]}


def publish(job: Job, titles: DataFrame, items: DataFrame, facts: dict[str, Any]) -> None:
    """Write the prepared titles, the quarantine and the split."""
    rows, refused = facts["titles"], facts["items_refused"] + facts["budgets_refused"]
    job.publish_frames({"": as_contract(titles)}, job.path("prepared/titles"), rows, **facts)
    aside = quarantine(titles, items).repartition(partitions_of(refused, ROWS_PER_PARTITION))
    job.publish_frames({"": aside}, job.path("prepared/quarantine/titles"), format="json")
    sizes: dict[str, Any] = split_sizes(facts["usable"])
    files = partitions_of(facts["usable"], ROWS_PER_PARTITION)
    split = {
        name: as_contract(frame).coalesce(files)
        for name, frame in split_by_release(titles, sizes).items()
    }
    job.publish_frames(split, job.path("split/titles"), facts["usable"], **sizes)


def quarantine(titles: DataFrame, items: DataFrame) -> DataFrame:
    """Refused items, and refused budgets of titles that are kept; each with its reason."""
    refused = items.where("reason IS NOT NULL").select("reason", "title_id", _row(items))
    unpriced = titles.where("budget_reason IS NOT NULL").select(
        F.col("budget_reason").alias("reason"),
        "title_id",
        F.to_json(F.struct("title", "year", "budget_amount", "budget_currency", "countries")).alias(
            "row"
        ),
    )
    return refused.unionByName(unpriced)


def _row(items: DataFrame) -> Any:
    """The item as JSON; the unchanged line where it is no title item."""
    fields = [
        name
        for name in items.columns
        if name not in (ALONE, CORRUPT, KEY, "reason", "fetched", "known")
    ]
    return F.coalesce("corrupt", F.to_json(F.struct(*fields))).alias("row")


if __name__ == "__main__":
    sys.exit(main())
