"""What a page knew, by when it was fetched, through the real job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from marquee.lake import Lake
from spark_apps import prepare_titles
from tests.spark_budget.budget_lake import RUN, add_ratings, add_snapshot, freeze, item, make_lake
from tests.spark_budget.prepared_titles import LINKS, MOVIES, Prepared, prepare

WEEK = 7 * 24 * 3600


SUNDAY = "2026-03-01T03:00:00Z"


def page(number: int, rating: float, fetched: str | None) -> str:
    return item(number, rating=rating, keywords=[f"k{rating}"], plot="p", fetched_at=fetched)


def snapshot(lake: Lake, number: int, lines: list[str], **facts: Any) -> dict[str, Any]:
    return add_snapshot(lake, lines, facts.pop("loaded"), number) | facts


def known_at(
    tmp_path: Path, spark: SparkSession, as_of: str, *snapshots: dict[str, Any], **inputs: Any
) -> dict[int, float | None]:
    """The ratings a run as of `as_of` knows, by number of the title."""
    lake = make_lake(tmp_path / as_of[:10] / "lake")
    ratings = add_ratings(lake, MOVIES, LINKS)
    entries = [snapshot(lake, i, **one) for i, one in enumerate(snapshots, 1)]
    freeze(lake, ratings, entries, as_of=as_of, **inputs)
    assert prepare_titles.main(["--lake", lake.root, "--run", RUN]) == 0
    rows = Prepared(lake, spark).frame.where("movie_id IS NULL").collect()
    for row in rows:
        # What goes on changing is known together or not at all.
        assert (row["rating"] is None) == (row["keywords"] == []) == (row["plot"] is None)
        assert row["budget_usd"] == 12e6
    return {int(row["title_id"][2:]): row["rating"] for row in rows}


def test_what_a_page_knew_is_decided_by_when_it_was_fetched(
    tmp_path: Path, spark: SparkSession
) -> None:
    """Last week's page, this run's own, one from between, and pages that do not say when."""
    last_week = {"lines": [page(11, 1.0, "2026-02-22T03:04:00Z")], "loaded": "2026-02-22T03:09:00Z"}
    own = {
        "lines": [
            page(12, 2.0, "2026-03-05T04:00:00Z"),  # the run waited four days for an approval
            page(14, 4.0, "soon"),
            page(15, 5.0, "2031-01-01T00:00:00Z"),  # ahead of the clock
            page(16, 6.0, None),
        ],
        "loaded": "2026-03-05T05:00:00Z",
        "loaded_at": "2026-03-05T05:00:00Z",
        "own": True,
    }
    too_late = {  # an interval after as-of: lent to this run, though it brought it home
        "lines": [page(13, 3.0, "2026-03-08T03:00:00Z"), page(21, 9.7, None)],
        "loaded": "2026-03-08T03:10:00Z",
        "loaded_at": "2026-03-08T03:10:00Z",
        "own": True,
    }
    alien = {
        "lines": [
            page(17, 7.0, "2026-03-01T02:59:59Z"),
            page(18, 8.0, "2026-03-01T03:00:00Z"),
            page(19, 9.0, "2026-03-01T03:30:00+01:00"),  # 02:30 UTC
            page(20, 9.5, None),
        ],
        "loaded": "2026-03-01T03:00:00Z",
        "loaded_at": "2026-03-04T00:00:00Z",
    }
    ratings = known_at(
        tmp_path, spark, SUNDAY, last_week, own, too_late, alien,
        frozen_at="2026-03-08T04:00:00Z", interval_seconds=WEEK,
    )  # fmt: skip
    assert {n for n, rating in ratings.items() if rating is not None} == {
        11,
        12,
        14,
        15,
        16,
        17,
        19,
    }
    earlier = [{**one, "own": False} for one in (own, too_late)]
    next_week = known_at(tmp_path, spark, "2026-03-08T03:00:00Z", last_week, *earlier)
    assert {n: rating for n, rating in next_week.items() if rating is not None} == {
        11: 1.0, 12: 2.0, 14: 4.0, 15: 5.0, 16: 6.0
    }  # fmt: skip


def test_a_run_as_of_long_ago_sees_no_votes_of_today(tmp_path: Path, spark: SparkSession) -> None:
    """Also where 612d7b6 filed them under the as-of of a manual run."""
    lines = [page(30, 8.5, "2026-02-22T03:04:00Z")]
    filed = {"lines": lines, "loaded": "2020-06-07T03:00:00Z", "own": True}
    assert known_at(tmp_path, spark, "2020-06-07T03:00:00Z", filed) == {30: None}


def test_the_year_of_the_fetch_says_what_lies_in_the_future(
    tmp_path: Path, spark: SparkSession
) -> None:
    lines = [
        item(40, year=2026, release_date=None, fetched_at="2025-12-31T00:00:00Z"),
        item(41, year=2026, release_date=None, fetched_at="2026-01-01T00:00:00Z"),
    ]
    found = prepare(tmp_path, spark, ("2026-06-01T00:00:00Z", lines))
    assert found.reasons == {"tt0000040": "year in the future"}


def test_the_page_fetched_last_wins_wherever_it_is_filed(
    tmp_path: Path, spark: SparkSession
) -> None:
    found = prepare(
        tmp_path,
        spark,
        ("2026-10-20T00:00:00Z", [page(50, 7.5, "2026-10-19T00:00:00Z")]),
        ("2026-10-25T00:00:00Z", [page(50, 6.5, "2026-10-12T00:00:00Z")]),
    )
    assert found.rows["tt0000050"]["rating"] == 7.5
