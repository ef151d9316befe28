"""Ratings in 13 bytes each: the rows of the wide columns, whatever ids, stars and times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.errors import ContractError
from scoring.recommender.compact_ratings import CompactRatings, read_compact
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import read_ratings
from tests.scoring.made_up import make_ratings, save_ratings


def same(one: Ratings, other: Ratings) -> bool:
    return all(
        a.dtype == b.dtype and np.array_equal(a, b)
        for a, b in zip(vars(one).values(), vars(other).values())
    )


def with_wide_ids(rows: Ratings) -> Ratings:
    """People of the API (negative) beside 64-bit ids of people and titles."""
    users = np.where(rows.user_ids % 2, rows.user_ids * 2**50, -rows.user_ids * 2**40 - 1)
    return Ratings(users, rows.movie_ids + 2**60, rows.values, rows.times)


ROWS = make_ratings(30, 25)
CASES = {
    "as they come": ROWS,
    "64-bit ids": with_wide_ids(ROWS),
    "one person rates everything": Ratings(
        np.full(100_000, 7), np.arange(100_000), np.full(100_000, 3.5), np.arange(100_000)
    ),
    "everybody rates one title": Ratings(
        np.arange(50_000), np.full(50_000, 2**53 - 1), np.full(50_000, 0.5), np.arange(50_000)
    ),
    "a scale of a thousand stars": Ratings(
        np.arange(1_000), np.arange(1_000), np.arange(1_000) / 7, np.arange(1_000)
    ),
    "times after 2038": Ratings(
        np.array([1, 2]), np.array([3, 4]), np.array([1.0, 2.0]), np.array([5, 4_000_000_000])
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rows_are_those_of_the_wide_columns(tmp_path: Path, case: str) -> None:
    first, second = CASES[case].cut(len(CASES[case]) // 3)
    folders = [save_ratings(tmp_path / "one", first), save_ratings(tmp_path / "two", second)]
    wide, compact = read_ratings(*folders), read_compact(*folders)
    assert len(compact) == len(wide) == len(CASES[case]) > 1
    assert same(compact.wide(), wide)
    wide.sort()
    compact.sort()
    assert same(compact.wide(), wide)
    chosen = np.flatnonzero(wide.values >= np.median(wide.values))
    assert same(compact.take(chosen).wide(), wide.take(chosen))
    assert all(map(same, (half.wide() for half in compact.cut(2)), wide.cut(2)))


def test_a_rating_takes_thirteen_bytes(tmp_path: Path) -> None:
    rows = CASES["one person rates everything"]
    compact = read_compact(save_ratings(tmp_path / "one", rows))
    tables = 8 * (len(compact.people) + len(compact.titles) + len(compact.scale))
    assert compact.nbytes == 13 * len(rows) + tables
    assert sum(column.nbytes for column in vars(rows).values()) == 32 * len(rows)
    assert np.shares_memory(compact.cut(10)[1].times, compact.times)


def test_many_row_groups_share_one_table_of_ids(tmp_path: Path) -> None:
    table = pq.read_table(save_ratings(tmp_path / "whole", ROWS))
    (tmp_path / "cut").mkdir()
    pq.write_table(table, tmp_path / "cut" / "part-0.parquet", row_group_size=7)
    compact = read_compact(tmp_path / "cut")
    assert same(compact.wide(), ROWS)
    assert np.array_equal(compact.people, np.unique(ROWS.user_ids))
    assert compact.star_rows.dtype == np.int8


def test_an_empty_folder_of_rows_is_empty_and_a_null_is_refused(tmp_path: Path) -> None:
    empty = read_compact(save_ratings(tmp_path / "none", ROWS.take(slice(0, 0))))
    assert isinstance(empty, CompactRatings) and len(empty) == len(empty.wide()) == 0
    columns = {"user_id": [1, 2], "movie_id": [3, 4], "rating": [1.0, 2.0], "time": [5, None]}
    pq.write_table(pa.table(columns), tmp_path / "none" / "part-1.parquet")
    with pytest.raises(ContractError, match="time is null"):
        read_compact(tmp_path / "none")
