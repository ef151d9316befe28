"""Golden answers with ratings given: recorded for everybody, repeated by the scorer, and broken by
any other parameter or arithmetic."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from exports.onnx_graphs import load_stars, write_stars
from marquee.errors import BundleError
from scoring.arrays import rows_of
from scoring.recommender import fold_in as scorer_fold_in
from scoring.recommender.bundle import RecommenderBundle, Title
from scoring.recommender.content import ContentMap
from scoring.recommender.item_weights import Recency
from scoring.recommender.model import Recommender
from scoring.recommender.rankers import BlendedRanker, ImplicitFoldIn
from spark_apps.recommender.recipes import read_recipe
from spark_apps.recommender.trainer import Trainer
from tests.plugins.spark_session import spark  # noqa: F401
from tests.scoring.made_up import make_ratings
from tests.spark_recommender.made_up import BAYES, RECIPE
from tests.spark_recommender.test_ranker_families import ALS, EASE, FAMILIES, RECENT

GENRES = ("Western", "Musical", "Horror")
TITLES = {
    m: Title(m, None, f"Film {m}", 1950 + m, (GENRES[m % 3], GENRES[m % 2])) for m in range(1, 65)
}
SHORT = BAYES | {"sweeps": 12, "burn_in": 4}
RECIPES: dict[str, dict[str, Any]] = {
    "als_bias, implicit_als": RECIPE | {"iterations": 2},
    "als_bias, ease_als": RECIPE
    | {"iterations": 2}
    | {"ranker": {"family": "ease_als", "share": 0.6, "als": ALS, "ease": RECENT}},
    "bayes, ease": SHORT | {"ranker": RECENT},
    "bayes, implicit_als": SHORT | {"ranker": ALS},
    "bayes, ease without recency": SHORT | {"ranker": EASE},
    "als_bias, ease_als with stars, lately": RECIPE
    | {
        "iterations": 2,
        "ranker": FAMILIES["ease_als with stars"],
        "lately": {"half_life": 2.0, "share": 0.4, "damping": 5.0},
    },
    "als_bias, implicit_als with stars": RECIPE
    | {"iterations": 2, "ranker": FAMILIES["implicit_als of Spark with stars"]},
}


@dataclass(frozen=True)
class Fits:
    """One bundle a recipe, fitted when it is first asked for."""

    bundle: Any


@pytest.fixture(scope="module")
def fits(spark, tmp_path_factory) -> Fits:  # noqa: F811
    trainer = Trainer(spark, TITLES, (0.5, 5.0), "x", seed=7)

    @cache
    def bundle(name: str) -> RecommenderBundle:
        folder = tmp_path_factory.mktemp("golden")
        rows = make_ratings(40, 50)
        rows = replace(rows, times=rows.times * 20)  # over eleven days: people come back
        trainer.fit(rows, read_recipe(RECIPES[name]), 0.5, folder)
        return Recommender.load(folder / "bundle").bundle

    return Fits(bundle)


def failures(bundle: RecommenderBundle) -> list[str]:
    """Golden queries that a bundle answers otherwise than was recorded."""
    return list(Recommender(bundle).check_golden().failures)


@pytest.mark.parametrize("name", list(RECIPES))
def test_everybody_without_a_row_is_asked_and_answered_alike(fits, name):
    bundle = fits.bundle(name)
    report = Recommender(bundle).check_golden()
    assert report.failures == () and report.worst < 1e-5
    asked = bundle.golden["fold_in"]
    sizes = [len(q["ratings"]) for q in asked]
    assert sizes[:3] == [5, 5, 5] and {0, 1, 50} <= set(sizes)  # all of fifty titles: no sixty
    assert {q["strategy"] for q in asked} == {"fold-in", "content", "popular"}
    assert {"fold-in", "popular", "content"} <= {s for q in asked for s in q["strategies"]}
    assert any({s for _, s in q["ratings"]} == {0.5, 5.0} for q in asked)
    strangers = [q for q in asked if q["ratings"] and q["strategy"] == "popular"]
    assert all(m not in bundle.movie_ids for q in strangers for m, _ in q["ratings"])
    assert strangers and all(len(q["movie_ids"]) == 10 for q in asked if len(q["ratings"]) < 50)


TWINS = slice(5, 7)  # the queries of the same titles at the lowest and at the highest star


@pytest.mark.parametrize("name", [name for name in RECIPES if "with stars" in name])
def test_the_same_titles_disliked_and_liked_get_other_lists(fits, name):
    bundle = fits.bundle(name)
    disliked, liked = bundle.golden["fold_in"][TWINS]
    titles = [m for m, _ in liked["ratings"]]
    assert [m for m, _ in disliked["ratings"]] == titles == disliked["disliked"]
    assert {s for _, s in disliked["ratings"]} == {0.5} and not liked["disliked"]
    assert disliked["movie_ids"] != liked["movie_ids"]
    model = Recommender(bundle)
    for query in (disliked, liked):
        found = model.recommend_for(dict(query["ratings"]), 10)
        assert [r.movie_id for r in found] == query["movie_ids"]
        assert any(r.because for r in found) is (query is liked)


def test_a_disliked_title_as_a_reason_is_a_wrong_answer(fits, monkeypatch):
    bundle = fits.bundle("als_bias, ease_als with stars, lately")
    everything = lambda self, history: np.ones(len(history.rows), dtype=np.bool_)  # noqa: E731
    assert failures(bundle) == []
    monkeypatch.setattr(BlendedRanker, "liked", everything)
    assert any(query.startswith("fold in") for query in failures(bundle))


def numbers(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers in a tree of JSON, of tables only the first column of each row."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, (*path, key))
    elif isinstance(tree, list):
        rows = enumerate(tree) if tree and isinstance(tree[0], list) else [(0, tree[0])]
        for at, value in rows:
            yield from numbers(value, (*path, at))
    elif isinstance(tree, int | float) and path[-1] not in ("rank", "distance"):
        yield path


def spoilt(facts: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """A tenth more, of the largest where it lies in a table, and a little: zero moves too."""
    tree = copy.deepcopy(facts)
    place = table = tree
    for key in path[:-1]:
        table = place if isinstance(place, list) else place[key]
        place = place[key]
    place[path[-1]] += 0.1 * size_of(table if isinstance(place, list) else place[path[-1]]) + 0.01
    return tree


def size_of(value: Any) -> float:
    """The largest number of a table, whatever its sign."""
    return max(map(size_of, value)) if isinstance(value, list) else abs(value)


@pytest.mark.parametrize("name", list(RECIPES)[:4] + list(RECIPES)[5:])
def test_every_parameter_of_fold_in_spoilt_in_the_bundle_is_seen(fits, name):
    bundle = fits.bundle(name)
    places = [("fold_in", *path) for path in numbers(dict(bundle.facts["fold_in"]))]
    assert len(places) >= 4
    for place in places:
        found = failures(replace(bundle, facts=spoilt(dict(bundle.facts), place)))
        back = ("lately", "share"), ("lately", "damping"), ("recency", "span_back")
        asked = "recommend" if place[-2:] in (*back, ("recency", "floor_back")) else "fold in"
        assert any(query.startswith(asked) for query in found), place


SCORERS = {
    "the prior of a person": (
        "bayes, ease",
        lambda patch: patch.setattr(
            scorer_fold_in, "rated_columns", lambda bias, factors: np.zeros(factors.shape[1] + 3)
        ),
    ),
    "the ridge of a person": (
        "als_bias, implicit_als",
        lambda patch: patch.setattr(
            scorer_fold_in, "_ridge", lambda titles, stars, reg: np.full(titles.shape[1], 0.3)
        ),
    ),
    "recency": (
        "bayes, ease",
        lambda patch: patch.setattr(Recency, "weights", lambda self, n, away: np.ones(n)),
    ),
    "the ridge of a ranker's person": (
        "als_bias, implicit_als",
        lambda patch: patch.setattr(ImplicitFoldIn, "ridge", lambda self, rated, titles: 1.0),
    ),
    "likeness of content": (
        "bayes, ease without recency",
        lambda patch: patch.setattr(
            ContentMap, "likeness", lambda self, rated: np.ones(len(self.vectors))
        ),
    ),
}


@pytest.mark.parametrize("case", list(SCORERS))
def test_other_arithmetic_in_the_scorer_is_seen(fits, monkeypatch, case):
    name, spoil = SCORERS[case]
    bundle = fits.bundle(name)
    assert failures(bundle) == []
    spoil(monkeypatch)
    assert any(query.startswith("fold in") for query in failures(bundle))


def test_a_bundle_without_the_queries_loads_and_passes(fits):
    bundle = fits.bundle("bayes, ease")
    golden = {k: v for k, v in bundle.golden.items() if k != "fold_in"}
    before, after = (Recommender(replace(bundle, golden=g)) for g in (bundle.golden, golden))
    assert after.check_golden().passed
    assert after.check_golden().count == before.check_golden().count - len(bundle.golden["fold_in"])


def test_another_recorded_answer_fails_and_ties_pass(fits):
    bundle = fits.bundle("bayes, ease")

    def failing(change: Any) -> list[str]:
        golden = json.loads(json.dumps(bundle.golden))
        change(golden["fold_in"][0])
        return failures(replace(bundle, golden=golden))

    def swapped(query: dict[str, Any]) -> None:
        query["movie_ids"][:2] = query["movie_ids"][1::-1]

    def beyond(query: dict[str, Any]) -> None:
        query["movie_ids"][0] = 999

    assert failing(lambda q: q["predictions"][0].update(value=9.0)) == ["fold in 0"]
    assert failing(lambda q: q.update(strategy="content")) == ["fold in 0"]
    assert failing(lambda q: q["strategies"].__setitem__(0, "popular")) == ["fold in 0"]
    assert failing(lambda q: q["scores"].__setitem__(0, q["scores"][0] + 0.01)) == ["fold in 0"]
    assert failing(swapped) == ["fold in 0"]
    assert failing(beyond) == ["fold in 0"]
    with pytest.raises(BundleError, match=r"golden\.json"):
        failing(lambda q: q.pop("strategies"))


@pytest.mark.parametrize("name", list(RECIPES))
def test_exported_stars_of_every_pair_and_of_every_golden_query(fits, name):
    model = Recommender(fits.bundle(name))
    users = np.repeat(model.user_ids, len(model.movie_ids))
    movies = np.tile(model.movie_ids, len(model.user_ids))
    score = load_stars(write_stars(model.bundle, {}))
    found = score(rows_of(model.user_ids, users), rows_of(model.movie_ids, movies))
    assert np.abs(found - model.predict(users, movies).values).max() <= 1e-6
    golden = model.bundle.golden["predictions"]
    users, movies = np.array([(q["user_id"], q["movie_id"]) for q in golden]).T
    found = score(rows_of(model.user_ids, users), rows_of(model.movie_ids, movies))
    assert len(golden) and np.abs(found - [q["value"] for q in golden]).max() <= 1e-5
