"""Worlds that are wrong on purpose, to test each group of the gate's conditions.

A fault changes one thing only, so that exactly one group of conditions refuses the model. Most
faults change the data, and `make_world` applies them. Three faults change the training job
(`spark_apps/drill.py`): the data stay right, and only a drill's lake obeys these faults. The drills
and the tests read the table `FAULTS`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from marquee.errors import SourceError
from marquee.policy import Model
from replica.world_parameters import WorldParameters, budget_from_cost, cost_from_budget
from replica.world_ratings import Preferences, Ratings
from replica.world_titles import WorldTitle

INFLATION_STARS = 0.5
"""Stars that `inflated_ratings` adds to every rating."""
LOST_ONE_IN = 25
"""`lost_rows` and `lost_people` remove one of this many. One of ten would also make the model
worse, so that a second group of conditions would refuse it."""
STRETCH = 2.5
"""`noisy_ratings` multiplies each rating's distance from the median star by this."""
SWAP_ROUNDS = 12
"""How often each row tries to swap its title. About five rounds already mix the rows fully."""


@dataclass(frozen=True)
class WorldFault:
    """One fault, and the `condition` group of the gate that refuses the `model` because of it."""

    description: str
    condition: int
    model: Model
    judged_after: Literal["nothing", "a champion"] = "a champion"
    """`nothing`: the faulty run is the first one. `a champion`: a right run was promoted before."""
    acts_in: Literal["data", "training"] = "data"


FAULTS: Mapping[str, WorldFault] = {
    "nan_factors": WorldFault(
        "the training job leaves NaN in the evaluated model's factors",
        1, "recommender", acts_in="training",
    ),
    "noisy_ratings": WorldFault(
        "every opinion, and every whim, is two and a half times as strong: no model gets under a "
        "sensible error",
        2, "recommender", judged_after="nothing",
    ),
    "shuffled_titles": WorldFault(
        "each rating is about some other rating's title: nothing can be learnt",
        3, "recommender",
    ),
    "ruined_ranking": WorldFault(
        "people choose without taste, though they rate with it: no ranking beats popularity",
        3, "recommender",
    ),
    "shuffled_budgets": WorldFault(
        "what each film cost belongs to some other film: nothing can be learnt", 3, "budget"
    ),
    "spoilt_code": WorldFault(
        "the training job mixes up what an eighth of the ratings say: the recipe is unchanged, its "
        "model is worse",
        4, "recommender", acts_in="training",
    ),
    "inflated_ratings": WorldFault("every rating is half a star higher", 5, "recommender"),
    "lost_rows": WorldFault("one rating of twenty-five is missing", 5, "recommender"),
    "lost_people": WorldFault("one person of twenty-five is missing", 5, "recommender"),
    "torn_bundle": WorldFault(
        "the training job leaves an array out of the bundle that would serve",
        6, "recommender", acts_in="training",
    ),
}  # fmt: skip


def check_fault_name(name: str | None) -> str | None:
    """`name` itself; SourceError, with all names, for an unknown fault."""
    if name is not None and name not in FAULTS:
        raise SourceError(f"there is no fault '{name}'", f"choose one of {', '.join(FAULTS)}")
    return name


def fault_table() -> str:
    """One line for each fault, for `make-world --help`."""
    return "\n".join(_row(name, fault) for name, fault in FAULTS.items())


def _row(name: str, fault: WorldFault) -> str:
    where = ", in a drill's lake" if fault.acts_in == "training" else ""
    text = f"{fault.description} ({fault.model}, condition {fault.condition}{where})"
    return textwrap.fill(text, 96, initial_indent=f"  {name:<18}", subsequent_indent=" " * 20)


@dataclass(frozen=True)
class _FaultInput:
    """All that a fault of the ratings may read."""

    ratings: Ratings
    preferences: Preferences
    parameters: WorldParameters
    rng: np.random.Generator


def break_ratings(
    ratings: Ratings, preferences: Preferences, parameters: WorldParameters, fault: str | None
) -> Ratings:
    """The ratings with the fault; unchanged for a fault that is not about ratings."""
    apply_fault = _RATING_FAULTS.get(fault or "")
    if apply_fault is None:
        return ratings
    rng = parameters.generator("faults")
    return apply_fault(_FaultInput(ratings, preferences, parameters, rng))


def break_titles(
    titles: list[WorldTitle], parameters: WorldParameters, fault: str | None
) -> list[WorldTitle]:
    """The titles with the fault; unchanged for a fault that is not about titles."""
    if fault != "shuffled_budgets":
        return titles
    return _exchange_costs(titles, parameters.generator("faults"))


def _noisy(world: _FaultInput) -> Ratings:
    """Ratings STRETCH times as far from the median, in half stars within the scale.

    Taste and noise grow alike. The model's error grows beyond the ceiling, and it stays better than
    the baselines.
    """
    stars = world.ratings.stars
    far = np.median(stars) + STRETCH * (stars - np.median(stars))
    return replace(world.ratings, stars=np.clip(np.round(2.0 * far) / 2.0, 0.5, 5.0))


def _shuffled(world: _FaultInput) -> Ratings:
    return _exchange_titles(world.ratings, world.rng)


def _ruined(world: _FaultInput) -> Ratings:
    """People choose titles at random and rate them by taste; the distribution of stars stays."""
    chosen = _exchange_titles(world.ratings, world.rng)
    exact = world.preferences.mean[chosen.person, chosen.title]
    noisy = exact + world.rng.normal(0.0, world.parameters.noise, len(exact))
    stars = np.empty(len(noisy))
    stars[np.argsort(noisy, kind="stable")] = np.sort(chosen.stars)
    return replace(chosen, stars=stars)


def _inflated(world: _FaultInput) -> Ratings:
    return replace(world.ratings, stars=np.minimum(5.0, world.ratings.stars + INFLATION_STARS))


def _lost_rows(world: _FaultInput) -> Ratings:
    return world.ratings.rows_where(world.rng.random(len(world.ratings.person)) >= 1 / LOST_ONE_IN)


def _lost_people(world: _FaultInput) -> Ratings:
    return world.ratings.rows_where(world.ratings.person % LOST_ONE_IN != LOST_ONE_IN // 3)


def _exchange_titles(ratings: Ratings, rng: np.random.Generator) -> Ratings:
    """The ratings with their titles exchanged at random.

    Everything else stays: the number, times and stars of each person's ratings, and the number of
    ratings of each title. Two rows swap their titles unless a person would rate a title twice. The
    Markov chain of such swaps reaches every table with these row and column sums with the same
    probability (Rao, Jana and Bandyopadhyay 1996).
    """
    person, title = ratings.person.tolist(), ratings.title.tolist()
    taken = set(zip(person, title, strict=True))
    for _ in range(SWAP_ROUNDS):
        order = rng.permutation(len(title)).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            _swap(a, b, person, title, taken)
    return replace(ratings, title=np.array(title))


def _swap(a: int, b: int, person: list[int], title: list[int], taken: set[tuple[int, int]]) -> None:
    """Rows `a` and `b` swap titles, unless a pair of person and title would occur twice."""
    one, other = (person[a], title[b]), (person[b], title[a])
    if one in taken or other in taken:
        return
    taken -= {(person[a], title[a]), (person[b], title[b])}
    taken |= {one, other}
    title[a], title[b] = title[b], title[a]


def _exchange_costs(titles: list[WorldTitle], rng: np.random.Generator) -> list[WorldTitle]:
    """Each title with a budget gets another one's cost, in the money of its country and year."""
    with_budget = [k for k, title in enumerate(titles) if title.budget is not None]
    costs = {k: _cost(titles[k]) for k in with_budget}
    found = list(titles)
    for k, donor in zip(with_budget, rng.permutation(with_budget).tolist(), strict=True):
        budget = budget_from_cost(costs[donor], titles[k].year, titles[k].country)
        found[k] = replace(titles[k], budget=budget)
    return found


def _cost(title: WorldTitle) -> float:
    assert title.budget is not None
    return cost_from_budget(title.budget, title.year, title.country)


_RATING_FAULTS: Mapping[str, Callable[[_FaultInput], Ratings]] = {
    "noisy_ratings": _noisy,
    "shuffled_titles": _shuffled,
    "ruined_ranking": _ruined,
    "inflated_ratings": _inflated,
    "lost_rows": _lost_rows,
    "lost_people": _lost_people,
}
