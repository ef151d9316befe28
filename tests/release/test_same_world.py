"""Condition 5: each figure of the world refuses alone, and a world that only grew passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_examples import (
    BUDGET,
    DATA,
    RATINGS_FIGURES,
    RECOMMENDER,
    TITLES_FIGURES,
    data_comparison,
)

from marquee.artefacts.model_card import (
    NO_FIGURES,
    DataFigures,
    expected_psi,
    kept_psi,
    psi,
    read_figures,
)
from marquee.artefacts.verdict import Condition
from release.same_world import DataComparison, same_world
from spark_apps.preparation.rating_dataset import activity_counts


def asked(model: str, found: DataComparison) -> list[Condition]:
    return same_world(model, "r7", found, RECOMMENDER if model == "recommender" else BUDGET)


def failed(model: str, found: DataComparison) -> list[str]:
    return [condition.name for condition in asked(model, found) if not condition.passed]


@pytest.mark.parametrize(("model", "count"), [("recommender", 7), ("budget", 8)])
def test_the_same_world_passes_every_comparison(model: str, count: int) -> None:
    conditions = asked(model, data_comparison())
    assert len(conditions) == count
    assert all(c.passed and c.number == 5 and c.sentence for c in conditions)


STARS = RATINGS_FIGURES["counts"]["stars"]
ACTIVITY = RATINGS_FIGURES["counts"]["activity"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"rows": 97_999}, ["rows"]),
        ({"rows": 98_000}, []),
        ({"rows": 300_000}, []),
        ({"rows": 300_001}, ["rows"]),
        ({"people": 540}, ["people"]),
        ({"titles": 8_000}, ["titles"]),
        ({"mean": 3.61}, ["mean rating"]),
        ({"mean": 3.41}, []),
        ({"mean": None}, ["mean rating"]),
        ({"people": None}, ["people"]),
        ({"counts": {"stars": {"0.5": 50_000, "5.0": 50_000}, "activity": ACTIVITY}},
         ["distribution of stars"]),
        ({"counts": {"stars": STARS}}, ["distribution of activity"]),
        ({"counts": {"stars": STARS, "activity": {"20-49": 30, "50-99": 100, "100-199": 470}}},
         ["distribution of activity"]),
        ({"counts": {"stars": STARS, "activity": {"20-49": 360, "50-99": 170, "100-199": 70}}},
         ["classes of activity"]),
        # People join, rate more, and rate in half stars: one world.
        ({"people": 660, "counts": {"stars": STARS, "activity": ACTIVITY | {"1-4": 60}}}, []),
        ({"counts": {"stars": STARS, "activity": ACTIVITY | {"50-99": 180, "100-199": 120}}}, []),
        ({"counts": {"stars": STARS | {"0.5": 2000, "2.5": 2000, "4.5": 2000},
                     "activity": ACTIVITY}}, []),
    ],
)  # fmt: skip
def test_each_figure_of_the_ratings_refuses_alone(change: dict[str, Any], names: list[str]) -> None:
    assert failed("recommender", data_comparison(ratings=change)) == names


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"films": 881}, ["films"]),
        ({"films": 882}, []),
        ({"rows": 1000}, ["titles"]),
        ({"missing": TITLES_FIGURES["missing"] | {"plot": 0.31}}, ["missing fields"]),
        ({"missing": TITLES_FIGURES["missing"] | {"plot": 0.29}}, []),
        ({"missing": {"year": 0.0, "plot": 0.2}}, ["missing fields"]),
        ({"counts": TITLES_FIGURES["counts"] | {"budget_class": {"2": 200, "3": 400, "4": 300}}},
         ["distribution of budget class"]),
        # Two genres exchanged, and one that a third of its films lost.
        ({"counts": TITLES_FIGURES["counts"] | {"genre": {"Drama": 400, "Comedy": 200,
                                                        "Action": 500}}}, ["classes of genre"]),
        ({"films": 2000, "counts": TITLES_FIGURES["counts"] | {
            "genre": {"Drama": 900, "Comedy": 900, "Action": 130}}}, ["classes of genre"]),
        ({"films": 2401}, []),
        ({"films": 2701}, ["films"]),
    ],
)  # fmt: skip
def test_each_figure_of_the_titles_refuses_alone(change: dict[str, Any], names: list[str]) -> None:
    assert failed("budget", data_comparison(titles=change)) == names


def test_a_refusal_names_the_command_that_accepts_the_world() -> None:
    (condition,) = (
        c for c in asked("budget", data_comparison(titles={"films": 10})) if not c.passed
    )
    assert "marquee accept-world budget --run r7 --reason" in condition.sentence


def test_a_small_world_may_lose_one() -> None:
    small = {"rows": 30, "people": 12, "titles": 20, "mean": 3.5, "counts": {}}
    then = read_figures({"ratings": small})
    for change, names in (({"people": 11}, []), ({"people": 10}, ["people"])):
        now = read_figures({"ratings": small | change})
        assert failed("recommender", DataComparison(now, then)) == names


@pytest.mark.parametrize("pages", [300, 600])
def test_a_crawl_that_grows_from_the_well_known_to_the_obscure_is_one_world(pages: int) -> None:
    """Later pages are of other decades and genres and tell a little less; none is taken away."""
    rng = np.random.default_rng(pages)

    def drawn(count: int, shares: list[float]) -> dict[str, int]:
        return {str(k): int(n) for k, n in enumerate(rng.multinomial(count, shares))}

    def plus(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
        return {key: a.get(key, 0) + b.get(key, 0) for key in {*a, *b}}

    early, late, costs = [0.1, 0.2, 0.7], [0.7, 0.2, 0.1], [0.3, 0.4, 0.3]
    known = {"decade": drawn(pages, early), "genre": drawn(pages, early)}
    later = {"decade": drawn(300, late), "genre": drawn(300, late)}
    known["budget_class"], later["budget_class"] = drawn(pages, costs), drawn(300, costs)
    then = {"rows": pages, "films": pages, "missing": {"plot": 0.05}, "counts": known}
    now = {
        "rows": pages + 300, "films": pages + 300, "missing": {"plot": 0.08},
        "counts": {name: plus(known[name], later[name]) for name in known},
    }  # fmt: skip
    assert psi(now["counts"]["decade"], known["decade"]) > 0.2  # type: ignore[index]
    assert (
        failed(
            "budget", DataComparison(read_figures({"titles": now}), read_figures({"titles": then}))
        )
        == []
    )


@pytest.mark.parametrize("grown", [1, 2, 3])
def test_budgets_read_in_another_currency_are_another_world_however_many(grown: int) -> None:
    moved = {"1": 200 * grown, "2": 400 * grown, "3": 300 * grown}
    change = {"counts": TITLES_FIGURES["counts"] | {"budget_class": moved}, "films": 900 * grown}
    assert failed("budget", data_comparison(titles=change)) == ["distribution of budget class"]


def test_another_world_of_the_same_size_is_found_though_it_grew() -> None:
    other = {"decade": {"1950": 900}, "genre": {"Western": 1100}, "budget_class": {"0": 900}}
    found = failed("budget", data_comparison(titles={"counts": other, "films": 1800}))
    assert len(found) == 5


@pytest.mark.parametrize(("first", "weeks"), [(300, 1), (300, 3), (300, 13), (50, 1), (50, 13)])
def test_a_crawl_that_goes_on_while_the_champion_stays_is_one_world(first: int, weeks: int) -> None:
    then = read_figures({"titles": {"rows": first, "films": first // 2}})
    grown = first + 300 * weeks
    now = read_figures({"titles": {"rows": grown, "films": grown // 2}})
    assert failed("budget", DataComparison(now, then, float(weeks))) == []
    flood = read_figures({"titles": {"rows": 40_000, "films": grown // 2}})
    assert failed("budget", DataComparison(flood, then, float(weeks))) == ["titles"]


def ordinary(week: int) -> DataFigures:
    """A week of a small lake: ratings grow by 0.5 %, some by newcomers in the half-star scale of
    the API; a crawl brings 300 pages, later ones of other kinds."""
    rng = np.random.default_rng(1)
    rated, joined = 1.005**week, 5 * week
    stars = {"3": 20_000 * rated, "4": 50_000 * rated, "5": 30_000 * rated}
    stars |= dict.fromkeys(("2.5", "3.5", "4.5"), 4.0 * joined)
    given = [n * rated for n in rng.lognormal(4.0, 1.0, 600)] + [4.0] * (joined // 2)
    given += [12.0] * (joined - joined // 2)
    first, later = (0.1, 0.2, 0.7), (0.5, 0.3, 0.2)
    kinds = {str(k): int(300 * a + 300 * week * b) for k, (a, b) in enumerate(zip(first, later))}
    films = 300 + 300 * week
    costs = {str(k): int(films * share) for k, share in enumerate((0.3, 0.4, 0.3))}
    return read_figures({
        "ratings": {
            "rows": int(sum(stars.values())), "people": len(given), "titles": 9000 + 4 * week,
            "mean": sum(float(k) * n for k, n in stars.items()) / sum(stars.values()),
            "counts": {
                "stars": {k: int(n) for k, n in stars.items()},
                "activity": activity_counts((int(n), 1) for n in given),
            },
        },
        "titles": {
            "rows": films, "films": films, "missing": {"plot": 0.05 + 0.001 * min(week, 20)},
            "counts": {"decade": kinds, "genre": kinds, "budget_class": costs},
        },
    })  # fmt: skip


@pytest.mark.parametrize("stays", [1, 13])
def test_a_year_of_ordinary_weeks_raises_no_alarm(stays: int) -> None:
    """Whether the champion changes every week or stays for a quarter."""
    lake = [ordinary(week) for week in range(53)]
    for week in range(1, 53):
        since = (week - 1) % stays + 1
        found = DataComparison(lake[week], lake[week - since], float(since))
        assert {m: failed(m, found) for m in ("recommender", "budget")} == {
            "recommender": [], "budget": []
        }, week  # fmt: skip


def test_nothing_serves_yet() -> None:
    (condition,) = asked("recommender", DataComparison(data_comparison().challenger, None))
    assert condition.passed and "nothing serves yet" in condition.sentence


@pytest.mark.parametrize("model", ["recommender", "budget"])
def test_figures_that_are_missing_refuse_and_say_whose(model: str) -> None:
    good = data_comparison().challenger
    for found, whose in (
        (DataComparison(NO_FIGURES, good), "this run"),
        (DataComparison(good, NO_FIGURES), "champion's"),
    ):
        (condition,) = asked(model, found)
        assert not condition.passed and whose in condition.sentence


def test_what_an_earlier_release_did_not_record_is_not_compared() -> None:
    sizes = {key: RATINGS_FIGURES[key] for key in ("rows", "people", "titles")}
    now = data_comparison().challenger
    names = [
        c.name for c in asked("recommender", DataComparison(now, read_figures({"ratings": sizes})))
    ]
    assert names == ["rows", "people", "titles"]


def test_too_few_to_judge_is_said_and_no_reason_to_refuse() -> None:
    few = {
        "rows": 40,
        "people": 12,
        "titles": 20,
        "mean": 3.5,
        "counts": {"stars": {"1": 15, "2": 15}},
    }
    now = few | {"counts": {"stars": {"1": 28, "2": 2}}}
    found = DataComparison(read_figures({"ratings": now}), read_figures({"ratings": few}))
    (condition,) = (c for c in asked("recommender", found) if "distribution" in c.name)
    assert condition.passed and "too few to judge" in condition.sentence


def test_the_index_is_the_textbooks() -> None:
    """Shares .5/.5 against .8/.2: .3 ln 1.6 + .3 ln 2.5, found in large counts."""
    found = psi({"a": 500_000, "b": 500_000}, {"a": 800_000, "b": 200_000})
    assert math.isclose(found, 0.3 * math.log(1.6) + 0.3 * math.log(2.5), rel_tol=1e-4)


def test_two_samples_of_one_world_differ_by_what_is_expected() -> None:
    rng = np.random.default_rng(5)
    shares = [0.1, 0.2, 0.3, 0.4]

    def counts(size: int) -> dict[str, int]:
        return {str(k): int(n) for k, n in enumerate(rng.multinomial(size, shares))}

    pairs = [(counts(400), counts(800)) for _ in range(400)]
    mean = float(np.mean([psi(now, then) for now, then in pairs]))
    assert math.isclose(mean, 3 * (1 / 400 + 1 / 800), rel_tol=0.2)
    assert math.isclose(expected_psi(*pairs[0]), 3 * (1 / 400 + 1 / 800), rel_tol=1e-9)


COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**6), max_size=6)


@given(COUNTS, COUNTS)
def test_the_index_is_never_negative_and_growth_is_nothing(now: Any, then: Any) -> None:
    assert psi(now, then) >= 0
    grown = {key: then.get(key, 0) + now.get(key, 0) for key in {*now, *then}}
    assert kept_psi(grown, then) < 1e-12


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.sampled_from(["ratings", "titles"]), st.data())
def test_whatever_a_run_recorded_there_is_an_answer(name: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(DATA[name])))
    found = read_figures(DATA | {name: DATA[name] | {key: data.draw(ANY_JSON)}})
    for model in ("recommender", "budget"):
        for pair in (
            DataComparison(found, data_comparison().reference),
            DataComparison(data_comparison().challenger, found),
        ):
            assert asked(model, pair)
