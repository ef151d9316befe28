"""The trade of diversity: its figures on a made-up bundle, its table and its plot."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from bench.diversity import DEGREES, FIGURES, draw, figures, table, varied_lists, variety
from scoring.recommender.holdout import HoldoutSplit
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_arrays import Ratings
from tests.scoring.made_up import make_bundle

GENRES = (("Drama",), ("Comedy",), ("Drama", "Comedy"))


@pytest.fixture(scope="module")
def model() -> Recommender:
    bundle = make_bundle(people=30, titles=60)
    titles = {m: replace(t, genres=GENRES[m % 3]) for m, t in bundle.titles.items()}
    return Recommender(replace(bundle, titles=titles))


@pytest.fixture(scope="module")
def split(model: Recommender) -> HoldoutSplit:
    rows = [(int(u), m, s) for u in model.user_ids for m, s in model.ratings_of(int(u)).items()]
    users, movies, stars = (np.array(column) for column in zip(*rows, strict=True))
    train = Ratings(users, movies, stars.astype(float), np.zeros_like(users))
    people = model.user_ids
    held = [model.recommend(int(user), 5)[-1].movie_id for user in people]
    later = Ratings(people, np.array(held), np.full(len(people), 5.0), np.zeros_like(people))
    return HoldoutSplit.of(train, later)


def test_lists_are_those_of_the_model(model: Recommender, split: HoldoutSplit) -> None:
    lists = varied_lists(model, split, 0.5)
    for user, movies in zip(split.people.tolist(), lists.tolist(), strict=True):
        assert movies == [r.movie_id for r in model.recommend(user, 10, diversity=0.5)]


def test_figures_fall_and_rise(model: Recommender, split: HoldoutSplit) -> None:
    plain, varied = (figures(model, split, diversity) for diversity in (0.0, 1.0))
    assert list(plain) == list(FIGURES)
    assert plain["ndcg@10"] > varied["ndcg@10"] > 0
    assert plain["novelty"] < varied["novelty"]


def test_variety_by_hand(model: Recommender) -> None:
    # Genres by id modulo 3: 3 is a drama, 1 and 7 are comedies, 5 is both.
    assert variety(np.array([[1, 7, -1]]), model) == pytest.approx(0.0)
    assert variety(np.array([[1, 3, -1]]), model) == pytest.approx(1.0)
    assert variety(np.array([[1, 5, -1], [3, 1, -1]]), model) == pytest.approx(1 - 0.5**0.5 / 2)
    assert variety(np.array([[1, -1]]), model) == 0.0


def test_the_table_and_the_plot_hold_every_line() -> None:
    lines = [
        {"data": data, "diversity": d} | dict.fromkeys(FIGURES, 0.5 - 0.4 * d)
        for data in ("one", "two")
        for d in DEGREES
    ]
    shown = table(lines, "one").strip().splitlines()
    assert len(shown) == 2 + len(DEGREES) and "0.5000 (100%)" in shown[2]
    assert shown[-1].startswith("| diversity 1 | 0.1000 (20%)")
    plot = ET.fromstring(draw(lines))
    dots = [node for node in plot.iter() if node.tag.endswith("circle")]
    assert len(dots) == 3 * 2 * len(DEGREES)
