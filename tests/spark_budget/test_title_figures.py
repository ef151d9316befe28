"""The figures of a run's titles, and the earlier run that their drift is measured from."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from marquee.clock import parse_moment
from marquee.lake import FolderLake
from spark_apps.preparation.title_dataset import drift
from spark_apps.prepare_titles import earlier_figures
from tests.spark_budget.budget_lake import item
from tests.spark_budget.prepared_titles import prepare


def test_the_data_report(tmp_path: Path, spark: SparkSession) -> None:
    """Action costs a hundred times as much as drama, and a title stands there twice."""
    lines = [
        item(
            100 + i,
            genres=["Action" if i % 2 else "Drama"],
            directors=[{"name_id": f"nm000000{i % 3}", "name": f"D {i % 3}"}],
            budget={"amount": 90e6 if i % 2 else 0.9e6, "currency": "USD"},
            runtime=90 + i if i % 4 else None,
            year=2000 + i % 5,
        )
        for i in range(60)
    ]
    lines.append(item(300, title="Film 100", year=2000, directors=[{"name_id": "nm0000000"}]))
    found = prepare(tmp_path, spark, ("2026-10-01T00:00:00Z", lines))
    report = found.report
    assert report["numbers"]["runtime"]["count"] == 45
    assert (report["format"], report["films"]) == (2, found.facts["usable"]) == (2, 61)
    assert report["counts"]["genre"] == {"Action": 30, "Drama": 31}
    assert report["counts"]["decade"] == {"2000": 61}
    assert sum(report["counts"]["budget_class"].values()) == 61
    assert report["numbers"]["log10_budget_usd"]["count"] == report["with_budget"] == 61
    assert report["missing"]["title"] == 0.0 and report["missing"]["plot"] == 1.0
    assert report["duplicates"] == {"title_year_directors": 1}
    chance = {one["word"]: one["p"] for one in report["chi_square"]["genres"]}
    assert chance["Action"] < 1e-6 and chance["Drama"] < 1e-6
    assert all(one["p"] > 1e-3 for one in report["chi_square"]["directors"])
    (decade,) = report["chi_square"]["decades"]
    assert (decade["word"], decade["df"], decade["p"]) == ("2000", 0, 1.0)
    assert sum(report["shares"]["genre"].values()) == pytest.approx(1.0, abs=1e-4)
    assert set(drift(report, report).values()) == {0.0}
    other = {**report, "shares": {**report["shares"], "decade": {"1950": 1.0}}}
    assert drift(other, report)["decade"] > 0.2
    assert drift(report, {"as_of": "2026-01-01T00:00:00Z"})["decade"] > 0.2


def test_the_latest_earlier_figures_are_compared_with(tmp_path: Path) -> None:
    """A damaged file of another run is passed over; it would else end every later run."""
    lake = FolderLake(tmp_path.as_uri())
    kept: dict[str, Any] = {
        "a": {"as_of": "2026-01-04T03:00:00Z"},
        "b": {"as_of": "2026-01-11T03:00:00Z"},
        "later": {"as_of": "2026-02-01T03:00:00Z"},
        "mine": {"as_of": "2026-01-17T03:00:00Z"},
        "undated": {"rows": 3},
        "a list": [1],
    }
    files = {name: json.dumps(value) for name, value in kept.items()} | {"torn": '{"as_of": "20'}
    for name, text in files.items():
        lake.create(f"runs/{name}/data/titles.json", text.encode())
    inputs = SimpleNamespace(as_of=parse_moment("2026-01-18T03:00:00Z"))
    job: Any = SimpleNamespace(lake=lake, run="mine", inputs=inputs)
    assert earlier_figures(job) == kept["b"]
    inputs.as_of = parse_moment("2026-01-04T03:00:00Z")
    assert earlier_figures(job) is None
