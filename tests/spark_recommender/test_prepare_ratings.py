"""prepare_ratings, whole, on a folder lake: what is kept, what is refused and counted.

One release holds a case of everything; each test looks at one of them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from marquee.clock import parse_moment
from marquee.errors import SourceError
from marquee.identifiers import person_id, text_id
from marquee.lake import Lake
from scoring.recommender.holdout import last_share
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings
from sources.ratings_forms import recognise
from sources.ratings_reading import read_release
from spark_apps.preparation.rating_dataset import activity_counts, refuse_collisions
from spark_apps.prepare_ratings import main
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.made_up import AS_OF, flags, make_lake, ratings_lines

EDGE = int(parse_moment(AS_OF).timestamp())
WIDE, HEAVY, REPEATER, ANN = 2**40 + 1, 700, 701, person_id("p-ann")
GOOD = ratings_lines()
HEAVY_LINES = [f"{HEAVY},{m},{(m % 10 + 1) / 2},{1_000_000_000 + m}" for m in range(10_000)]
CASES = [
    f"{WIDE},{WIDE},3.5,1000000000123",
    f"702,50,4.0,{EDGE - 1}",
    f"702,51,4.0,{EDGE}",
    f"{REPEATER},1,4.0,1500000000",
    f"{REPEATER},1,2.0,1700000000",
    f"{REPEATER},1,3.0,1600000000",
    f"{REPEATER},2,4.0,1500000000",
    f"{REPEATER},2,4.0,1500000000",
]
BAD = {
    ",7,4.0,1000": "an id is missing",
    "1,,4.0,1000": "an id is missing",
    "abc,7,4.0,1000": "an id is not a whole number",
    "1,NaN,4.0,1000": "an id is not a whole number",
    "1,99999999999999999999,4.0,1000": "an id is not a whole number",
    "caf\u00e9,7,4.0,1000": "an id is not a whole number",
    "-5,7,4.0,1000": "user_id is negative",
    "1,-7,4.0,1000": "movie_id is negative",
    "1,7,great,1000": "the rating is not a number",
    "1,7,NaN,1000": "the rating is not a number",
    "1,7,,1000": "the rating is not a number",
    "1,7,5.5,1000": "the rating is outside 0.5 to 5",
    "1,7,0,1000": "the rating is outside 0.5 to 5",
    "1,7,Infinity,1000": "the rating is outside 0.5 to 5",
    "1,7,4.0,yesterday": "the time is not a whole number of seconds",
    "1,7,4.0": "the time is not a whole number of seconds",
    "1,7,4.0,-1": "the time is not between 1970 and 2100",
    "1,7,4.0,5000000000": "the time is not between 1970 and 2100",
}
FEEDBACK = [
    '{"person": "p-ann", "movie_id": 1, "rating": 5.0, "time": 1600000000}',
    '{"person": "p-ann", "movie_id": 2, "rating": 1.0, "time": 1600000000}',
    '{"person": "p-ann", "movie_id": 2, "rating": null, "time": 1600000001}',
    '{"person": "p-ann", "movie_id": 3, "rating": 2.0, "time": 1600000002}',
    '{"person": "p-ann", "movie_id": 3, "rating": 4.5, "time": 1600000003}',
    '{"person": "p-ann", "movie_id": 4, "rating": 9.0, "time": 1600000003}',
    "torn",
]
BAD_FEEDBACK = ["an id is missing", "the rating is outside 0.5 to 5"]


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory) -> Lake:  # noqa: F811
    """The prepared lake. Its file is in Latin-1, as MovieLens' older ones are."""
    folder = tmp_path_factory.mktemp("prepare")
    lines = [*GOOD, *CASES, *HEAVY_LINES, *BAD]
    lake = make_lake(folder, lines, encoding="latin-1", feedback=FEEDBACK)
    assert main(flags(lake)) == 0
    return lake


def in_order(rows: Ratings) -> Ratings:
    return rows.take(np.lexsort((rows.movie_ids, rows.user_ids)))


@pytest.fixture(scope="module")
def rows(lake, tmp_path_factory) -> Ratings:
    """Prepared ratings by person and title."""
    folder = tmp_path_factory.mktemp("prepared")
    return in_order(read_ratings(lake.fetch("runs/r-1/prepared/ratings", folder)))


def of(rows: Ratings, user_id: int) -> list[tuple[int, float]]:
    own = rows.take(rows.user_ids == user_id)
    return list(zip(own.movie_ids.tolist(), own.values.tolist()))


def triples(rows: Ratings) -> list[tuple[int, int, float]]:
    return list(zip(rows.user_ids.tolist(), rows.movie_ids.tolist(), rows.values.tolist()))


def test_valid_rows_are_unchanged(rows):
    wanted = {(int(u), int(m), float(r)) for u, m, r, _ in (line.split(",") for line in GOOD)}
    assert len(wanted) == len(GOOD) > 300
    assert wanted == {t for t in triples(rows) if 0 < t[0] <= 30}


def test_the_split_is_the_rule_of_the_scoring_library(lake, rows, tmp_path):
    lake.fetch("runs/r-1/split/ratings", tmp_path)
    train, holdout = (in_order(read_ratings(tmp_path / name)) for name in ("train", "holdout"))
    late = last_share(rows)
    assert triples(train) == triples(rows.take(~late))
    assert triples(holdout) == triples(rows.take(late))
    assert (holdout.user_ids == HEAVY).sum() == 2_000
    facts = lake.manifest("runs/r-1/split/ratings")
    assert (facts.rows, facts.facts["held_out"]) == (len(rows), late.sum())


def test_bad_rows_are_quarantined_with_reasons_and_counted(lake):
    path = "runs/r-1/prepared/quarantine/ratings"
    names = [f.name for f in lake.manifest(path).files]
    lines = [line for n in names for line in lake.read_bytes(f"{path}/{n}").splitlines()]
    found = [json.loads(line) for line in lines]
    assert sorted(r["reason"] for r in found) == sorted([*BAD.values(), *BAD_FEEDBACK])
    text = next(r for r in found if r.get("user_id") == "abc")
    assert text == {
        "user_id": "abc",
        "movie_id": "7",
        "rating": "4.0",
        "time": "1000",
        "reason": "an id is not a whole number",
    }
    manifest = lake.manifest("runs/r-1/prepared/ratings")
    quarantined = manifest.facts["quarantined"]
    assert quarantined["an id is missing"] == 3
    assert sum(quarantined.values()) == len(BAD) + len(BAD_FEEDBACK) == lake.manifest(path).rows
    came = len(GOOD) + len(CASES) + len(HEAVY_LINES) + len(BAD) + len(FEEDBACK)
    assert manifest.facts["read"] == came


def test_milliseconds_become_seconds_and_wide_ids_stay(rows):
    assert of(rows, WIDE) == [(WIDE, 3.5)]
    assert rows.times[rows.user_ids == WIDE].tolist() == [1_000_000_000]


def test_only_rows_before_as_of_are_seen(rows):
    assert of(rows, 702) == [(50, 4.0)]


def test_the_latest_of_repeated_ratings_counts(rows):
    assert of(rows, REPEATER) == [(1, 2.0), (2, 4.0)]


def test_feedback_adds_changes_and_takes_back(rows):
    assert ANN < 0
    assert of(rows, ANN) == [(1, 5.0), (3, 4.5)]


def test_running_twice_is_running_once(lake):
    before = lake.manifest("runs/r-1/split/ratings")
    figures = lake.read_bytes("runs/r-1/data/ratings.json")
    assert main(flags(lake)) == 0
    assert lake.manifest("runs/r-1/split/ratings") == before
    assert lake.read_bytes("runs/r-1/data/ratings.json") == figures


def test_figures_describe_the_merged_ratings(lake, rows):
    found = lake.read_json("runs/r-1/data/ratings.json")
    given = Counter(rows.user_ids.tolist())
    assert (found["format"], found["as_of"]) == (1, AS_OF)
    assert (found["rows"], found["people"]) == (len(rows), len(given))
    assert found["titles"] == len(set(rows.movie_ids.tolist()))
    assert found["mean"] == pytest.approx(rows.values.mean(), abs=1e-6)
    stars = Counter(f"{value:g}" for value in rows.values.tolist())
    assert found["counts"]["stars"] == stars
    classes = found["counts"]["activity"]
    assert set(classes) == {
        "1-4", "5-9", "10-19", "20-49", "50-99", "100-199", "200-499", "500+",
    }  # fmt: skip
    assert classes["500+"] == sum(n >= 500 for n in given.values()) == 1
    assert classes["1-4"] == sum(n < 5 for n in given.values()) > 2
    assert classes["10-19"] == sum(10 <= n < 20 for n in given.values()) > 5
    assert sum(classes.values()) == len(given)


def test_each_person_is_in_one_class_of_activity():
    edges = [1, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100, 199, 200, 499, 500, 10**6]
    assert set(activity_counts((n, 1) for n in edges).values()) == {2}
    assert activity_counts([(7, 3), (6, 2)])["5-9"] == 5


@pytest.mark.usefixtures("spark")
def test_text_ids_become_the_kernels_numbers_and_are_kept_to_look_up(tmp_path: Path):
    lines = ["alice,tt1,4,1000", "alice,tt2,3,1001", "Zoë,tt1,5,1002", ",tt1,5,1002", "bob,tt1,x,9"]
    feedback = [f'{{"person": "p-ann", "movie_id": {text_id("tt1")}, "rating": 2.0, "time": 5}}']
    kinds = {"text_ids": ["users", "titles"], "path": "raw/ratings/made-up-r-1"}
    lake = make_lake(tmp_path, lines, feedback=feedback, ratings=kinds)
    assert main(flags(lake)) == 0
    found = read_ratings(lake.fetch("runs/r-1/prepared/ratings", tmp_path / "prepared"))
    assert set(triples(found)) == {
        (text_id("alice"), text_id("tt1"), 4.0),
        (text_id("alice"), text_id("tt2"), 3.0),
        (text_id("Zoë"), text_id("tt1"), 5.0),
        (ANN, text_id("tt1"), 2.0),
    }
    assert (found.movie_ids > 0).all()
    assert (found.movie_ids < 2**53).all()
    quarantined = lake.manifest("runs/r-1/prepared/ratings").facts["quarantined"]
    assert quarantined == {"an id is missing": 1, "the rating is not a number": 1}
    ids = lake.fetch("runs/r-1/prepared/ids", tmp_path / "ids")
    users, titles = (pq.read_table(ids / kind).to_pylist() for kind in ("users", "titles"))
    assert {r["text"]: r["id"] for r in users} == {n: text_id(n) for n in ("alice", "Zoë")}
    listed = [*("tt1", "tt2"), *map(str, range(1, 45))]
    assert {r["text"]: r["id"] for r in titles} == {n: text_id(n) for n in listed}


def test_the_loader_refuses_the_same_rows_for_the_same_reasons(lake):
    """But for a row short of a cell, which it leaves out."""
    release = Path(lake.root.removeprefix("file://")).parent / "release-r-1"
    found = read_release(recognise(release), (0.5, 5.0)).ratings
    assert {why: aside.count for why, aside in found.refused.items()} == Counter(
        why for row, why in BAD.items() if row.count(",") == 3
    )
    assert str(found.torn).startswith("1 (line ")


def test_whole_numbers_leave_no_table_of_ids(lake):
    assert not lake.exists("runs/r-1/prepared/ids")


def test_two_texts_with_one_hash_are_refused_by_name(spark):  # noqa: F811
    table = spark.createDataFrame([("ann", 1), ("bob", 2), ("eve", 1)], "text string, id long")
    with pytest.raises(SourceError, match="'ann' and 'eve' have one hash"):
        refuse_collisions(table)
    assert refuse_collisions(table.where("id = 2")) == 1


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("lines", "header", "says"),
    [
        ([], "userId,movieId,rating,timestamp", "is left of 0 rows"),
        (
            ["1,1,x,5"],
            "userId,movieId,rating,timestamp",
            "1 rows (1 quarantined), 1 because the rating is not a number (1,1,x,5)",
        ),
        ([f"1,1,4,{EDGE}"], "userId,movieId,rating,timestamp", "1 rows (0 quarantined)"),
        (["1,1,4"], "userId,movieId,rating", "lacks the column timestamp"),
        (
            ["1,1,4,5"],
            "user,film,stars,when",
            "lacks the column userId, movieId, rating, timestamp",
        ),
        ([], "", "lacks the column userId"),
    ],
)
def test_input_without_a_rating_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[str], header: str, says: str
):
    lake = make_lake(tmp_path, lines, header=header)
    assert main(flags(lake)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1
    assert not lake.exists("runs/r-1/split/ratings")
    assert not lake.exists("runs/r-1/prepared/ratings")
