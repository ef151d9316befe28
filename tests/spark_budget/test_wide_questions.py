"""Every question of the benchmark: the bundle alone answers as Spark does.

On a made-up file of IMDB 5000's own form, through the benchmark's own reader and model.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from bench import budget_champion
from bench.budget_champion import Champion
from bench.budget_titles import read_budget_titles
from marquee.prices import PriceIndex
from scoring.budget.features import ALL_BEFORE_RELEASE, ALL_KNOWN, WITH_RATING
from tests.plugins.spark_session import spark  # noqa: F401

PRICES = PriceIndex.load(2026)
SMALL = {"rounds": 2, "trees": 3, "depth": 3, "min_instances": 2}
ORIGIN, INNER = 2008, [2004, 2006]
MISTYPED = 285  # a title of 2009: no screen is sixteen times as wide as high


@pytest.fixture(scope="module")
def champion(
    spark: SparkSession,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Champion]:
    folder = tmp_path_factory.mktemp("wide")
    rows = read_budget_titles(write(folder / "imdb5000.csv"), PRICES).rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget_champion, "RECIPE", budget_champion.RECIPE | SMALL)
        patch.setattr(budget_champion, "_session", lambda: spark)
        yield Champion(rows, PRICES, [*INNER, ORIGIN], folder)


def write(path: Path) -> Path:
    """Three hundred titles whose budgets follow director, votes and year."""
    rng = np.random.default_rng(11)
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = [title_row(rng, number) for number in range(300)]
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def title_row(rng: np.random.Generator, number: int) -> dict[str, object]:
    who, votes = int(rng.integers(25)), float(rng.lognormal(9, 1.5))
    budget = 10 ** (6.2 + 0.04 * who + 0.1 * np.log(votes) + rng.normal(0, 0.1))
    return {
        "movie_imdb_link": f"http://www.imdb.com/title/tt{number + 1:07d}/",
        "movie_title": f"Film {number}",
        "title_year": 1990 + number // 15,
        "director_name": f"Person {who}" if number % 17 else "",
        "actor_1_name": f"Person {int(rng.integers(40))}",
        "actor_2_name": f"Person {int(rng.integers(40))}",
        "genres": "|".join(rng.choice(["Drama", "Action", "Comedy"], 2, replace=False)),
        "budget": round(budget),
        "gross": round(budget * 2) if number % 5 else "",
        "country": "USA",
        "language": "English",
        "content_rating": rng.choice(["R", "PG-13"]),
        "aspect_ratio": 16.0 if number == MISTYPED else float(rng.choice([1.85, 2.35])),
        "duration": int(rng.integers(80, 180)) if number % 7 else "",
        "imdb_score": round(float(rng.uniform(4, 9)), 1),
        "num_voted_users": round(votes),
        "num_critic_for_reviews": int(rng.integers(5, 400)) if number % 3 else "",
        "plot_keywords": "love|war",
    }


@pytest.mark.parametrize("question", [WITH_RATING, ALL_BEFORE_RELEASE, ALL_KNOWN])
def test_the_bundle_equals_spark(champion: Champion, question: str) -> None:
    for number in (0, 4):  # all three parts, and one without what starts from the mean
        ours, bounds = champion.from_bundle(ORIGIN, question, number, INNER)
        np.testing.assert_allclose(ours, champion.answers(ORIGIN, question)[number], atol=1e-9)
        assert len(ours) > 25
        assert (bounds[:, 0] <= ours).all() and (ours <= bounds[:, 1]).all()


def test_votes_and_director_make_the_answer(champion: Champion) -> None:
    """Votes and director say it all here: the wide question must see them."""
    data = champion.data(ORIGIN, ALL_KNOWN)
    wide, _ = champion.from_bundle(ORIGIN, ALL_KNOWN, 0, INNER)
    error, usual = (
        np.sqrt(np.mean((data.actual - answers) ** 2)) for answers in (wide, data.medians)
    )
    assert error < 0.7 * usual


def test_a_number_beyond_all_that_was_seen_counts_as_the_nearest(champion: Champion) -> None:
    recipe, fold = champion.recipes[0], champion.folds[ORIGIN]
    stages = champion.fits.stages(recipe, fold)
    assert stages.ranges["aspect_ratio"] == (1.85, 2.35)
    seen = champion.data(ORIGIN, ALL_KNOWN).later[:, stages.names(ALL_KNOWN).index("aspect_ratio")]
    assert any(
        f["numbers"]["aspect_ratio"] == 16.0 for f in champion.fits.scored_titles(recipe, fold)
    )
    assert sorted(set(seen.round(2))) == [1.85, 2.35]
    assert math.isnan(stages.clip("aspect_ratio", None))
