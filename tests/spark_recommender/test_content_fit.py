"""Content through Spark: words, vectors, the penalty, and a whole bundle held to golden answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.recommender.bundle import Title
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from spark_apps.recommender.content_fit import choose_ridge, content_vectors, weigh_words
from spark_apps.recommender.recipes import ContentRecipe, read_recipe
from spark_apps.recommender.trainer import Trainer
from spark_apps.recommender.training_titles import (
    listed_words,
    prepared_words,
    read_words,
    words_table,
)
from tests.plugins.spark_session import spark  # noqa: F401
from tests.spark_recommender.made_up import RECIPE

EASE = {"family": "ease", "titles": 60, "keep": 60, "reg": 5.0}
KINDS = ("Western", "Musical", "Horror")
PEOPLE, WARM, COLD = 60, 60, 12


def test_words_of_the_contracts_columns(tmp_path):
    row = {
        "movie_id": 7,
        "year": 1999,
        "genres": ["Drama"],
        "directors": ["nm1"],
        "cast": ["nm2", "nm2"],
        "companies": None,
        "certificate": "PG",
        "keywords": ["space travel"],
        "plot": "A crew leaves.",
        "rating": 8.0,
    }
    unrated = row | {"movie_id": None}
    pq.write_table(pa.Table.from_pylist([row, unrated]), tmp_path / "part-0.parquet")
    (found,) = prepared_words(tmp_path).to_pylist()
    assert found["movie_id"] == 7 and found["plot"] == "A crew leaves."
    assert found["names"] == sorted(
        [f"year={y}" for y in range(1997, 2002)]
        + ["certificate=PG", "genres=Drama", "directors=nm1", "cast=nm2"]
        + ["keywords=space travel", "keywords=space", "keywords=travel"]
    )


def test_without_prepared_titles_the_releases_list_tells(tmp_path):
    titles = {3: Title(3, None, "B", None, ()), 1: Title(1, None, "A", 2000, ("Drama", "War"))}
    found = read_words(tmp_path / "nothing", titles)
    assert found.equals(listed_words(titles))
    assert found["movie_id"].to_pylist() == [1, 3]
    assert {"genres=Drama", "genres=War", "year=2000"} <= set(found["names"][0].as_py())
    assert found["names"][1].as_py() == []


def test_each_kind_has_length_one_and_rare_words_weigh_more(spark):  # noqa: F811
    plots = ["The pirates of the sea", "pirates and pirates", "a quiet sea, the SEA", ""]
    rows = [
        {"movie_id": i, "genres": ["Drama"] + ["War"] * (i < 2), "plot": plot}
        for i, plot in enumerate(plots)
    ]
    found = weigh_words(spark, words_table(rows), most=50)
    assert set(found.vocabulary) == {"genres=Drama", "genres=War", "plot=pirates", "plot=sea"}
    column = {word: at for at, word in enumerate(found.vocabulary)}
    dense = found.dense(0)
    plot = dense[:, [column["plot=pirates"], column["plot=sea"]]]
    assert plot == pytest.approx(np.array([[0.5**0.5] * 2, [1, 0], [0, 1], [0, 0]]), abs=1e-6)
    # In every title: its inverse document frequency, log(5 / 5), is nothing.
    assert dense[:, column["genres=Drama"]].tolist() == [0.0] * 4
    assert dense[:, column["genres=War"]].tolist() == pytest.approx([1, 1, 0, 0])


def test_equally_frequent_words_are_taken_by_the_alphabet(spark):  # noqa: F811
    """Else a repeated run, whose tasks end in another order, has other vectors."""
    names = [f"nm{n}" for n in range(40)]
    rows = [{"movie_id": i, "genres": ["War"], "cast": names[i % 2 :]} for i in range(3)]
    shared = sorted(f"cast={name}" for name in names[1:])  # of three titles, as the genre
    words = weigh_words(spark, words_table(rows), most=30).vocabulary
    assert words == tuple([*shared, "genres=War"][:30])
    every = weigh_words(spark, words_table(rows), most=50).vocabulary
    assert every == (*shared, "genres=War", "cast=nm0")


def test_fewer_columns_keep_what_most_titles_share(spark):  # noqa: F811
    rng = np.random.default_rng(2)
    rows = [
        {
            "movie_id": i,
            "genres": [KINDS[i % 3]],
            "cast": [f"nm{n}" for n in rng.integers(9, size=2)],
        }
        for i in range(90)
    ]
    table = words_table(rows)
    whole = content_vectors(spark, table, ContentRecipe(), seed=1)
    few = content_vectors(spark, table, ContentRecipe(columns=12), seed=1)
    assert whole.values.shape == (90, 12) and few.values.shape == (90, 12)
    assert few.values @ few.values.T == pytest.approx(whole.values @ whole.values.T, abs=1e-4)
    three = content_vectors(spark, table, ContentRecipe(columns=3), seed=1).values
    best = np.linalg.svd(whole.values, compute_uv=False)[:3]
    assert np.linalg.svd(three, compute_uv=False) == pytest.approx(best, rel=1e-3)
    assert ContentRecipe(most_megabytes=0.001).affordable_columns(90) == 2


@pytest.mark.parametrize("rows", [[{"movie_id": 1}], [{"movie_id": 1, "year": 1990}]])
def test_titles_that_share_no_word_have_no_columns(spark, rows):  # noqa: F811
    assert content_vectors(spark, words_table(rows), ContentRecipe(), seed=1).values.shape == (1, 0)


def test_the_penalty_is_the_one_that_leaves_titles_out_best():
    """Generalised cross-validation against leaving every title out by hand."""
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(50, 8))
    scores = vectors @ rng.normal(size=(8, 20)) * 0.4 + rng.normal(size=(50, 20))
    ridges = (0.01, 1.0, 10.0, 100.0, 10_000.0)

    def left_out(ridge: float) -> float:
        lost = 0.0
        for row in range(50):
            rest = np.arange(50) != row
            x, y = vectors[rest], scores[rest]
            base, mean = x - x.mean(axis=0), y.mean(axis=0)
            effect = np.linalg.solve(base.T @ base + ridge * np.eye(8), base.T @ (y - mean))
            lost += ((scores[row] - mean - (vectors[row] - x.mean(axis=0)) @ effect) ** 2).sum()
        return lost

    best, explained = choose_ridge(vectors, scores, ridges)
    assert best == min(ridges, key=left_out) == 10.0
    assert explained == pytest.approx(1 - left_out(10.0) / left_out(1e9), abs=0.03)
    assert choose_ridge(vectors, np.ones((50, 2)), ridges)[1] == 0.0


def tribes() -> tuple[Ratings, dict[int, Title]]:
    """People who rate mostly one kind of film; the last titles of each kind nobody rated yet."""
    rng = np.random.default_rng(8)
    kinds = np.arange(WARM + COLD) % 3
    taste = np.where(kinds[None, :] == (np.arange(PEOPLE) % 3)[:, None], 0.55, 0.04)
    users, items = np.nonzero((rng.random(taste.shape) < taste)[:, :WARM])
    times = 1_000_000 + rng.permutation(len(users))
    rows = Ratings(users + 1, items + 1, rng.integers(6, 11, len(users)) / 2, times)
    titles = {
        m: Title(m, None, f"Film {m}", None, (KINDS[(m - 1) % 3],))
        for m in range(1, 1 + len(kinds))
    }
    return rows, titles


@pytest.mark.parametrize("ranker", [EASE, RECIPE["ranker"]])
def test_a_new_title_reaches_those_who_like_its_kind(spark, tmp_path, ranker):  # noqa: F811
    rows, titles = tribes()
    trainer = Trainer(spark, titles, (0.5, 5.0), "x", seed=7)
    bold = {"optimism": 3.0}
    recipe = read_recipe(RECIPE | {"rank": 2, "iterations": 2, "ranker": ranker, "content": bold})
    notes = trainer.fit(rows, recipe, 0.5, tmp_path)
    assert any("content: 3 columns for 72 titles" in note for note in notes)
    model = Recommender.load(tmp_path / "bundle")
    golden, report = model.bundle.golden, model.check_golden()
    assert report.failures == () and len(golden["cold"]) == 10
    listed = {m for q in golden["rankings"] for m in q["movie_ids"]}
    assert any(m > WARM for m in listed), "no golden list holds a title that nobody rated"
    found = {}
    for user in model.user_ids.tolist():
        cold = [r.movie_id for r in model.recommend(user, 10) if r.strategy == "content"]
        assert len(cold) <= 1 and all(m > WARM for m in cold)
        found.update((user, m) for m in cold)
    assert len(found) > PEOPLE / 2
    assert np.mean([(m - user) % 3 == 0 for user, m in found.items()]) > 0.9
    near = model.similar(WARM + 1, 5)
    assert {s.strategy for s in near} == {"content"}
    assert all((s.movie_id - WARM - 1) % 3 == 0 for s in near)


def test_another_answer_in_the_bundle_breaks_the_golden_check(spark, tmp_path):  # noqa: F811
    rows, titles = tribes()
    trainer = Trainer(spark, titles, (0.5, 5.0), "x", seed=7)
    recipe = read_recipe(RECIPE | {"rank": 2, "iterations": 2, "ranker": EASE})
    trainer.fit(rows, recipe, 0.5, tmp_path)
    bundle = Recommender.load(tmp_path / "bundle").bundle
    content = dict(bundle.facts["content"])
    content["ridge"] *= 10.0
    other = replace(bundle, facts={**bundle.facts, "content": content})
    failures = Recommender(other).check_golden().failures
    assert any(failure.startswith("cold") for failure in failures)


def test_titles_without_a_word_make_a_bundle_without_content(spark, tmp_path: Path):  # noqa: F811
    rows, titles = tribes()
    silent = {m: replace(title, year=None, genres=()) for m, title in titles.items()}
    trainer = Trainer(spark, silent, (0.5, 5.0), "x", seed=7)
    notes = trainer.fit(rows, read_recipe(RECIPE | {"rank": 2, "iterations": 2}), 0.5, tmp_path)
    model = Recommender.load(tmp_path / "bundle")
    assert "content" not in model.bundle.facts and not any("content" in note for note in notes)
    assert model.check_golden().failures == () and model.bundle.golden["cold"] == []


def test_a_champion_of_before_content_has_the_same_recipe():
    assert read_recipe(RECIPE) == read_recipe(RECIPE | {"content": {}})
