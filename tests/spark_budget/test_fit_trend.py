"""The line through the years, on titles whose line is known."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from scoring.budget.predictor import NO_TREND, YEARS_AHEAD, Trend
from spark_apps.budget.pipeline import fit_trend, trend_sql

RNG = np.random.default_rng(8)
YEARS = RNG.integers(1950, 2005, 800).tolist()


def budgets(slope: float, noise: float = 0.4) -> list[float]:
    years = np.array(YEARS)
    return (7.0 + slope * (years - 1980) + RNG.normal(0, noise, len(years))).tolist()


def test_a_line_is_found_and_followed() -> None:
    found = fit_trend(YEARS, budgets(0.015))
    assert found.per_year == pytest.approx(0.015, abs=0.003)
    assert found.centre == pytest.approx(np.mean(YEARS))
    assert (found.first, found.last) == (min(YEARS), max(YEARS) + YEARS_AHEAD)


def test_a_slope_of_chance_is_shrunk_away() -> None:
    flat = [fit_trend(YEARS, budgets(0.0)).per_year for _ in range(40)]
    plain = [float(np.polyfit(YEARS, budgets(0.0), 1)[0]) for _ in range(40)]
    assert np.std(flat) < 0.8 * np.std(plain)
    few = fit_trend(YEARS[:8], budgets(0.015)[:8]).per_year
    assert abs(few) < 0.1


def test_films_of_one_year_have_no_trend() -> None:
    assert fit_trend([2001] * 9, [7.0 + i / 10 for i in range(9)]) == NO_TREND


def test_spark_follows_the_same_line(spark: SparkSession) -> None:
    trend = Trend(0.0123456789, 1987.654321, 1950, 2014)
    years = range(1874, 2101, 7)
    frame = spark.createDataFrame([(year,) for year in years], "year int")
    found = frame.select("year", F.expr(trend_sql(trend)).alias("line")).collect()
    assert len(found) == len(years)
    for row in found:
        assert row["line"] == pytest.approx(trend.of(row["year"]), abs=1e-15)
    assert frame.select(F.expr(trend_sql(NO_TREND))).distinct().collect()[0][0] == 0.0
