"""A comparison's tables: what is averaged over what, and whom the best is compared with."""

from __future__ import annotations

import pytest

from bench.recommender_comparison import OTHERS, OURS, PEOPLE, SERVED, Line, recipes_from
from bench.recommender_tables import compare, per_person, table
from bench.resource_use import ResourceUse
from marquee.errors import SourceError
from marquee.settings import load_settings
from spark_apps.recommender.recipes import read_recipes


def line(model: str, seed: int, rmse: float, people: dict[int, float]) -> Line:
    cost = ResourceUse(seconds=float(seed))
    liked = {1: 1.0 - people[1]}
    return Line("random75", seed, model, cost, {"rmse": rmse}, {}, people, liked)


LINES = [
    line(OURS, 1, 0.9, {1: 0.5, 2: 0.7}),
    line(OURS, 2, 1.1, {1: 0.7, 2: 0.9}),
    line("weak", 1, 1.0, {1: 0.1, 2: 0.1}),
    line("strong", 1, 1.0, {1: 0.4, 2: 0.6}),
    line(f"{OURS} other recipe", 1, 1.0, {1: 0.6, 2: 0.8}),
]


def test_means_are_over_the_seeds_of_each_model() -> None:
    assert table(LINES, "rmse")[OURS] == pytest.approx({"random75": 1.0, "mean": 1.0})
    assert table(LINES, "seconds")["weak"] == {"random75": 1.0, "mean": 1.0}


def test_people_are_averaged_over_the_seeds_that_all_models_share() -> None:
    assert per_person(LINES, "random75", OURS) == {1: 0.5, 2: 0.7}


def test_ours_is_compared_with_every_peer_the_best_first() -> None:
    found = compare(LINES)["random75"]
    assert [*found["any"]] == ["strong", "weak"]
    assert found["any"]["strong"]["difference"] == pytest.approx(0.1)
    assert found["any"]["strong"]["people"] == 2
    assert [*found["liked"]] == ["weak", "strong"]
    assert found["liked"]["weak"]["difference"] == pytest.approx(-0.4)
    assert found["liked"]["weak"]["people"] == 1


def test_without_a_ranking_peer_nothing_is_compared() -> None:
    assert compare([line(OURS, 1, 0.9, {1: 0.5})]) == {}


def test_the_default_of_config_is_first_and_others_are_found_by_name() -> None:
    every = read_recipes(load_settings().recipes.recommender)
    assert recipes_from("") == every
    for split, names in OTHERS.items():
        for name in names:
            chosen = recipes_from(name)[0]
            assert chosen.name == name.removesuffix(PEOPLE) != every[0].name, split
    assert recipes_from(every[0].name + SERVED + PEOPLE)[0] == every[0]
    with pytest.raises(SourceError, match="no recipe is called odd"):
        recipes_from("odd" + PEOPLE)
