"""When a page was fetched: Python, which counts what a snapshot holds, and Spark agree."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from marquee.artefacts.inputs import read_inputs
from marquee.clock import iso
from sources.title_record import write_lines
from sources.title_snapshots import fetch_moment
from spark_apps.preparation.title_items import read_items
from tests.frozen_inputs import frozen
from tests.sources.test_title_snapshots import MISREAD

LOADED = datetime(2026, 5, 3, 3, 9, tzinfo=UTC)
SPELLED = [
    *MISREAD, "2026-02-22T03:04:05Z", "2026-02-22 03:04:05", "2026-02-22T03:04:05.25+05:45",
    "2026-02-22T03:04:05+17:59", "2026-02-22T03:04:05-17:59", "2024-02-29T23:59:59Z", "2025-02-29",
    "2025-02-29T00:00:00Z", "2026-05-03T03:14:00Z", "2026-05-03T03:14:01Z", "2999-12-31T23:59:59Z",
    "1900-01-01T00:00:00+17:00", "1899-12-31T00:00:00Z", "2026-02-22T03:04:05", "", " ",
]  # fmt: skip


def test_python_and_spark_read_a_fetch_alike(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "titles"
    folder.mkdir(parents=True)
    records = [{"title_id": f"tt{n:07d}", "fetched_at": text} for n, text in enumerate(SPELLED)]
    write_lines(folder / "titles-00001.jsonl.gz", records)
    for loaded_at in (iso(LOADED), None):
        one = {"path": "raw/titles", "digest": "d", "as_of": iso(LOADED), "loaded_at": loaded_at}
        inputs = read_inputs(json.dumps(frozen("r", "2026-05-03T03:00:00Z", titles=[one])).encode())
        items = read_items(spark, inputs, tmp_path.as_uri())
        whole = F.unix_micros("fetched").alias("at")
        found = {
            row["fetched_at"]: row["at"] for row in items.select("fetched_at", whole).collect()
        }
        latest = LOADED if loaded_at else None
        wanted = {text: fetch_moment(text, LOADED, latest) for text in SPELLED}
        assert found == {text: micros(moment) for text, moment in wanted.items()}
        assert {wanted[text] for text in MISREAD} == {LOADED}
        assert len(set(wanted.values())) >= 8


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
