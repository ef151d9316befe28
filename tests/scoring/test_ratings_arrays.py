"""Ratings as arrays: read from folders in pieces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.errors import ContractError
from marquee.settings import REPOSITORY
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


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("user_id", ["a", "b"]),
        ("movie_id", [1.5, 2.0]),
        ("time", [0.7, 1.0]),
        ("rating", ["4", "5"]),
    ],
)
def test_prepared_columns_of_another_type_are_refused(
    tmp_path: Path, column: str, values: list[object]
) -> None:
    table = pa.table({"user_id": [1, 2], "movie_id": [3, 4], "rating": [4.0, 5.0], "time": [5, 6]})
    place = table.schema.get_field_index(column)
    pq.write_table(table, tmp_path / "right.parquet")
    assert len(read_ratings(tmp_path)) == 2
    pq.write_table(table.slice(0, 0), tmp_path / "empty.parquet")
    assert len(read_ratings(tmp_path)) == 2
    pq.write_table(table.set_column(place, column, [values]), tmp_path / "wrong.parquet")
    with pytest.raises(ContractError, match=f"a rating's {column} is "):
        read_ratings(tmp_path)


def test_reading_prepared_ratings_imports_no_pandas(tmp_path: Path) -> None:
    table = pa.table({"user_id": [1], "movie_id": [3], "rating": [4.0], "time": [5]})
    pq.write_table(table, tmp_path / "part.parquet")
    asked = (
        "import sys; from pathlib import Path; from scoring.recommender.ratings_files import *; "
    )
    asked += "print(len(read_ratings(Path(sys.argv[1]))), 'pandas' in sys.modules)"
    command = [sys.executable, "-c", asked, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
