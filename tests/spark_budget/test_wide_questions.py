"""Every question of the benchmark: the bundle alone answers as Spark does.

On a made-up file of IMDB 5000's own form, through the benchmark's own reader and model.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from bench import budget_champion
from bench.budget_champion import Champion, default_recipe
from bench.budget_titles import read_budget_titles
from marquee.prices import PriceIndex
from marquee.settings import load_settings
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    FURTHER,
    WITH_RATING,
    TrackRecord,
)
from scoring.budget.lookup import VectorLayout
from scoring.budget.model import BudgetQuery
from spark_apps.budget.families import read_recipe
from tests.plugins.spark_session import spark  # noqa: F401

PRICES = PriceIndex.load(2026)
SMALL = {"rounds": 2, "step": 0.5, "trees": 3, "depth": 3, "min_instances": 2}
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
        patch.setattr(budget_champion, "_session", lambda: spark)
        recipe = default_recipe().model_copy(update=SMALL)
        yield Champion(rows, PRICES, [*INNER, ORIGIN], folder, recipe)


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
    ours, bounds = champion.from_bundle(ORIGIN, question, INNER)
    np.testing.assert_allclose(ours, champion.answers(ORIGIN, question), atol=1e-9)
    assert len(ours) > 25
    assert (bounds[:, 0] <= ours).all() and (ours <= bounds[:, 1]).all()


def test_the_bench_measures_the_default_recipe() -> None:
    measured = default_recipe()
    assert measured == read_recipe(load_settings().recipes.budget[0])
    assert measured.wide and measured.trend


def test_a_missing_field_costs_what_was_measured(champion: Champion) -> None:
    """Directors, then votes, make the budget here (0.29 and 0.15 of log10 dollars by `title_row`);
    keywords say nothing, and all titles have one language."""
    champion.from_bundle(ORIGIN, ALL_KNOWN, INNER)
    costs = champion.models[ORIGIN].bundle.predictors[ALL_KNOWN].costs
    assert {"cast", "certificate", "director", "genre", "vote_count"} <= set(costs.ratios)
    director, votes, *rest = sorted(costs.ratios.values(), reverse=True)
    assert director == costs.ratios["director"] and votes == costs.ratios["vote_count"]
    assert votes > 1.01 and rest
    assert costs.ratios["keyword"] == pytest.approx(1.0, abs=0.05)
    assert costs.joint >= 1.0 and FURTHER not in costs.ratios
    planned = champion.models[ORIGIN].bundle.predictors[ALL_BEFORE_RELEASE].costs
    assert "vote_count" not in planned.ratios and planned.ratios["rating"] > 1.0
    narrow = champion.models[ORIGIN].bundle.predictors[WITH_RATING].costs
    assert set(narrow.ratios) == {"director", "genre", FURTHER} and narrow.ratios[FURTHER] > 1.0


def test_an_answer_without_votes_has_a_wider_interval(champion: Champion) -> None:
    champion.from_bundle(ORIGIN, ALL_KNOWN, INNER)
    model = champion.models[ORIGIN]
    whole = BudgetQuery(("person 3",), ("Drama",), ORIGIN, 7.0, {"cast": ("person 4",)},
                        {"runtime": 100.0, "vote_count": 9000.0}, {"certificate": "R"})  # fmt: skip
    poor = replace(whole, numbers={"runtime": 100.0})
    assert model.question(whole) == model.question(poor) == ALL_KNOWN
    full, less = model.interval(whole, 7.0), model.interval(poor, 7.0)
    assert less[1] - less[0] > full[1] - full[0]
    assert set(model.estimate(poor).missing) >= {"vote_count"}
    assert any("missing, taken as typical" in note for note in model.estimate(poor).notes)


def test_votes_and_director_make_the_answer(champion: Champion) -> None:
    """Votes and director say it all here: the wide question must see them."""
    data = champion.data(ORIGIN, ALL_KNOWN)
    wide, _ = champion.from_bundle(ORIGIN, ALL_KNOWN, INNER)
    error, usual = (
        np.sqrt(np.mean((data.actual - answers) ** 2)) for answers in (wide, data.medians)
    )
    assert error < 0.7 * usual


def test_a_number_beyond_all_that_was_seen_counts_as_the_nearest(champion: Champion) -> None:
    recipe, fold = champion.recipe, champion.folds[ORIGIN]
    stages = champion.fits.stages(recipe, fold)
    assert stages.ranges["aspect_ratio"] == (1.85, 2.35)
    seen = champion.data(ORIGIN, ALL_KNOWN).later[:, stages.names(ALL_KNOWN).index("aspect_ratio")]
    assert any(
        f["numbers"]["aspect_ratio"] == 16.0 for f in champion.fits.scored_titles(recipe, fold)
    )
    assert sorted(set(seen.round(2))) == [1.85, 2.35]


def test_a_record_beyond_all_that_was_seen_counts_as_the_nearest(champion: Champion) -> None:
    """A line through records that hardly differ answers any other record with decades."""
    recipe, fold = champion.recipe, champion.folds[ORIGIN]
    stages, later = champion.fits.stages(recipe, fold), champion.data(ORIGIN, ALL_KNOWN).later
    least, most = stages.ranges["director_films"]
    films = [
        row["record"]["director"]["films"]
        for row in champion.fits.scored_titles(recipe, fold)
        if "director" in (row["record"] or ())
    ]
    assert max(films) > most
    place = stages.names(ALL_KNOWN).index("director_films")
    assert later[:, place].max() == pytest.approx(most) and later[:, place].min() >= least
    champion.from_bundle(ORIGIN, ALL_KNOWN, INNER)
    bundle = champion.models[ORIGIN].bundle
    query = BudgetQuery(("person 3",), ("Drama",), ORIGIN)
    far = {"director": [TrackRecord(9.0, 9.0, 9.0, 10_000)]}
    vector = VectorLayout(bundle.encoder, ALL_BEFORE_RELEASE).vector(query, far)
    names = bundle.encoder.names(ALL_BEFORE_RELEASE)
    for feature in ("mean", "last", "most", "films"):
        found = vector[names.index(f"director_{feature}")]
        assert found == pytest.approx(bundle.encoder.ranges[f"director_{feature}"][1])
