"""Worlds that are wrong on purpose, one for each group of the gate's conditions.

A fault is surgical: it changes one thing and leaves everything else as it is, so that one group of
conditions refuses and no other. Most faults are in the data. Three are in the training job
(`spark_apps/drill.py`): their data are the sound world's, and only a drill's lake obeys them.
`make_world` applies a fault; the drills and the tests read the table `FAULTS`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from marquee.errors import SourceError
from marquee.policy import Model
from replica.world_parameters import Shape, budget_from_cost, cost_from_budget
from replica.world_ratings import Preferences, Ratings
from replica.world_titles import WorldTitle

INFLATION = 0.5
"""Stars."""
LOST = 25
"""One person, or one rating, in so many is missing; with a tenth gone the model is worse too."""
INVERTED = 1 / 7
"""The share of ratings that say the opposite of the person's preference."""
ROUNDS = 12
"""Swaps tried a row; after about five the overlap with the start no longer falls."""


@dataclass(frozen=True)
class WorldFault:
    """One switch: what it does, and which group of the gate's conditions refuses."""

    sentence: str
    condition: int
    model: Model
    beside: Literal["nothing", "a champion"] = "a champion"
    """Whether it is judged as a first run, or after a sound one was promoted."""
    acts: Literal["data", "training"] = "data"


FAULTS: Mapping[str, WorldFault] = {
    "nan_factors": WorldFault(
        "the training job leaves NaN in the evaluated model's factors",
        1, "recommender", acts="training",
    ),
    "noisy_ratings": WorldFault(
        "people know extremes only, and one opinion in seven is the opposite of what was meant: "
        "no model gets under a sensible error",
        2, "recommender", beside="nothing",
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
        4, "recommender", acts="training",
    ),
    "inflated_ratings": WorldFault("every rating is half a star higher", 5, "recommender"),
    "lost_rows": WorldFault("one rating of twenty-five is missing", 5, "recommender"),
    "lost_people": WorldFault("one person of twenty-five is missing", 5, "recommender"),
    "torn_bundle": WorldFault(
        "the training job leaves an array out of the bundle that would serve",
        6, "recommender", acts="training",
    ),
}  # fmt: skip


def known_fault(name: str | None) -> str | None:
    """`name` itself; SourceError where there is no such fault."""
    if name is not None and name not in FAULTS:
        raise SourceError(f"there is no fault '{name}'", f"choose one of {', '.join(FAULTS)}")
    return name


def fault_table() -> str:
    """Every fault, as `make-world --help` lists it."""
    return "\n".join(_row(name, fault) for name, fault in FAULTS.items())


def _row(name: str, fault: WorldFault) -> str:
    where = ", in a drill's lake" if fault.acts == "training" else ""
    text = f"{fault.sentence} ({fault.model}, condition {fault.condition}{where})"
    return textwrap.fill(text, 96, initial_indent=f"  {name:<18}", subsequent_indent=" " * 20)


@dataclass(frozen=True)
class _World:
    """What a fault in the ratings may read."""

    ratings: Ratings
    preferences: Preferences
    shape: Shape
    rng: np.random.Generator


def break_ratings(
    ratings: Ratings, preferences: Preferences, shape: Shape, fault: str | None
) -> Ratings:
    """The ratings with the fault in them; the same ones where the fault is not about ratings."""
    spoil = _IN_RATINGS.get(fault or "")
    return (
        spoil(_World(ratings, preferences, shape, shape.generator("faults"))) if spoil else ratings
    )


def break_titles(titles: list[WorldTitle], shape: Shape, fault: str | None) -> list[WorldTitle]:
    """The titles with the fault in them; the same ones where the fault is not about titles."""
    if fault != "shuffled_budgets":
        return titles
    return _exchange_costs(titles, shape.generator("faults"))


def _noisy(world: _World) -> Ratings:
    """Ratings above the median become 5, the rest 0.5, and a share p of them is inverted. An oracle
    would still be 4.5 * sqrt(p (1 - p)) stars off."""
    stars = world.ratings.stars
    liked = stars > np.median(stars)
    liked ^= world.rng.random(len(stars)) < INVERTED
    return replace(world.ratings, stars=np.where(liked, 5.0, 0.5))


def _shuffled(world: _World) -> Ratings:
    return _exchange_titles(world.ratings, world.rng)


def _ruined(world: _World) -> Ratings:
    """Choices without taste; then the ratings people would give those titles, spread as before."""
    chosen = _exchange_titles(world.ratings, world.rng)
    exact = world.preferences.mean[chosen.person, chosen.title]
    noisy = exact + world.rng.normal(0.0, world.shape.noise, len(exact))
    stars = np.empty(len(noisy))
    stars[np.argsort(noisy, kind="stable")] = np.sort(chosen.stars)
    return replace(chosen, stars=stars)


def _inflated(world: _World) -> Ratings:
    return replace(world.ratings, stars=np.minimum(5.0, world.ratings.stars + INFLATION))


def _lost_rows(world: _World) -> Ratings:
    return world.ratings.only(world.rng.random(len(world.ratings.person)) >= 1 / LOST)


def _lost_people(world: _World) -> Ratings:
    return world.ratings.only(world.ratings.person % LOST != LOST // 3)


def _exchange_titles(ratings: Ratings, rng: np.random.Generator) -> Ratings:
    """The ratings with titles exchanged between them, and nothing else changed.

    Two rows of different people swap their titles where neither person has the other's already.
    The Markov chain of such swaps ends in every table with these row and column sums with equal
    odds (Rao, Jana and Bandyopadhyay 1996). How much each person rated, when, with which stars, and
    how often each title was rated all stay; who rated what is chance.
    """
    person, title = ratings.person.tolist(), ratings.title.tolist()
    taken = set(zip(person, title, strict=True))
    for _ in range(ROUNDS):
        order = rng.permutation(len(title)).tolist()
        for a, b in zip(order[::2], order[1::2], strict=False):
            _swap(a, b, person, title, taken)
    return replace(ratings, title=np.array(title))


def _swap(a: int, b: int, person: list[int], title: list[int], taken: set[tuple[int, int]]) -> None:
    """Rows `a` and `b` swap titles, unless that repeats a pair."""
    one, other = (person[a], title[b]), (person[b], title[a])
    if one in taken or other in taken:
        return
    taken -= {(person[a], title[a]), (person[b], title[b])}
    taken |= {one, other}
    title[a], title[b] = title[b], title[a]


def _exchange_costs(titles: list[WorldTitle], rng: np.random.Generator) -> list[WorldTitle]:
    """Every title with a budget gets another one's cost, in its own country's money of its year."""
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


_IN_RATINGS: Mapping[str, Callable[[_World], Ratings]] = {
    "noisy_ratings": _noisy,
    "shuffled_titles": _shuffled,
    "ruined_ranking": _ruined,
    "inflated_ratings": _inflated,
    "lost_rows": _lost_rows,
    "lost_people": _lost_people,
}
