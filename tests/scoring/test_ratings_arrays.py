"""Ratings as arrays: read from folders in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.errors import ContractError
from scoring.recommender.ratings_arrays import Ratings
from scoring.recommender.ratings_files import count_rows, read_ratings
from tests.scoring.made_up import make_ratings, save_ratings

ROWS = make_ratings(20, 15)


def same(one: Ratings, other: Ratings) -> bool:
    """Column by column."""
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values()))


def test_folders_are_read_one_after_the_other_in_row_groups(tmp_path: Path) -> None:
    half = len(ROWS) // 2
    first, second = ROWS.take(slice(half)), ROWS.take(slice(half, None))
    folder = save_ratings(tmp_path / "first", first)
    table = pq.read_table(save_ratings(tmp_path / "whole", second))
    (tmp_path / "second").mkdir()
    pq.write_table(table, tmp_path / "second" / "part-0.parquet", row_group_size=7)
    (tmp_path / "second" / "_SUCCESS").touch()
    assert count_rows(folder) == half > 50
    assert same(read_ratings(folder, tmp_path / "second"), ROWS)
    assert same(read_ratings(folder / "part-0.parquet"), first)


def test_narrow_types_are_widened_and_nulls_refused(tmp_path: Path) -> None:
    columns = {"user_id": [1, 2], "movie_id": [3, 4], "rating": [1.0, 2.0], "time": [5, 6]}
    narrow = {
        k: pa.array(v, pa.float32() if k == "rating" else pa.int32()) for k, v in columns.items()
    }
    pq.write_table(pa.table(narrow), tmp_path / "part-0.parquet")
    assert read_ratings(tmp_path).user_ids.dtype == np.int64
    pq.write_table(pa.table(columns | {"time": [5, None]}), tmp_path / "part-0.parquet")
    with pytest.raises(ContractError, match="time is null"):
        read_ratings(tmp_path)
    pq.write_table(pa.table({"user_id": [1]}), tmp_path / "part-0.parquet")
    with pytest.raises(ContractError, match="columns are missing"):
        read_ratings(tmp_path)
