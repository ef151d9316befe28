"""Folders of Parquet in the `titles` contract, as far as the evaluation reads it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("title_id", pa.string()), ("title", pa.string()), ("year", pa.int32()),
        ("directors", pa.list_(pa.string())), ("director_names", pa.list_(pa.string())),
        ("genres", pa.list_(pa.string())), ("rating", pa.float64()), ("budget_usd", pa.float64()),
    ]
)  # fmt: skip


def row(number: int, year: int, dollars: float | None, **changes: object) -> dict[str, object]:
    """A film of Ada Lane's; `changes` say what is unusual about it."""
    facts: dict[str, object] = {
        "title_id": f"tt{number:07d}",
        "title": f"Film {number}",
        "year": year,
        "directors": ["nm0000001"],
        "director_names": ["Ada Lane"],
        "genres": ["Action" if number % 3 else "Drama"],
        "rating": 5.0 + number % 4,
        "budget_usd": dollars,
    }
    return facts | changes


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    """One file of these rows in a new folder."""
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "part-0.parquet")
    return folder
