"""Worlds that are wrong on purpose, one for each thing the gate must notice.

A fault is surgical: what it does not mean to spoil stays exactly as it was, so that one group of
the gate's conditions refuses and no other. Most are in the data. Three are in the training job
(`spark_apps/drill.py`): their data are the sound world's, and only a drill's lake obeys them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from marquee.errors import SourceError
from marquee.policy import Model
from replica.world.costs import exchange_costs
from replica.world.exchange import exchange_titles
from replica.world.ratings import Ratings
from replica.world.shape import Shape
from replica.world.tastes import Truth
from replica.world.title import WorldTitle

INFLATION = 0.5  # stars
LOST = 25  # one person, or one rating, in so many: with a tenth gone the model is worse too
TURNED = 1 / 7  # the share of opinions that say the opposite of what was meant


@dataclass(frozen=True)
class Fault:
    """One switch: what it does, and which group of the gate's conditions refuses."""

    sentence: str
    condition: int
    model: Model
    beside: Literal["nothing", "a champion"] = "a champion"
    """Whether it is judged as a first run, or after a sound one was promoted."""
    acts: Literal["data", "training"] = "data"


FAULTS: Mapping[str, Fault] = {
    "nan_factors": Fault(
        "the training job leaves NaN in the evaluated model's factors",
        1, "recommender", acts="training",
    ),
    "noisy_ratings": Fault(
        "people know extremes only, and one opinion in seven is the opposite of what was meant: "
        "no model gets under a sensible error",
        2, "recommender", beside="nothing",
    ),
    "shuffled_titles": Fault(
        "each rating is about some other rating's title: nothing can be learnt",
        3, "recommender",
    ),
    "ruined_ranking": Fault(
        "people choose without taste, though they rate with it: no ranking beats popularity",
        3, "recommender",
    ),
    "shuffled_budgets": Fault(
        "what each film cost belongs to some other film: nothing can be learnt", 3, "budget"
    ),
    "spoilt_code": Fault(
        "the training job mixes up what an eighth of the ratings say: the recipe is unchanged, its "
        "model is worse",
        4, "recommender", acts="training",
    ),
    "inflated_ratings": Fault("every rating is half a star higher", 5, "recommender"),
    "lost_rows": Fault("one rating of twenty-five is missing", 5, "recommender"),
    "lost_people": Fault("one person of twenty-five is missing", 5, "recommender"),
    "torn_bundle": Fault(
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
    """Every fault as `make-world --help` tells it."""
    return "\n".join(_row(name, fault) for name, fault in FAULTS.items())


def _row(name: str, fault: Fault) -> str:
    where = ", in a drill's lake" if fault.acts == "training" else ""
    text = f"{fault.sentence} ({fault.model}, condition {fault.condition}{where})"
    return textwrap.fill(text, 96, initial_indent=f"  {name:<18}", subsequent_indent=" " * 20)


@dataclass(frozen=True)
class _World:
    """What a fault in the ratings may look at."""

    ratings: Ratings
    truth: Truth
    shape: Shape
    rng: np.random.Generator


def break_ratings(ratings: Ratings, truth: Truth, shape: Shape, fault: str | None) -> Ratings:
    """The ratings with the fault in them; the same ones where the fault is not about ratings."""
    spoil = _IN_RATINGS.get(fault or "")
    return spoil(_World(ratings, truth, shape, shape.stream("faults"))) if spoil else ratings


def break_titles(titles: list[WorldTitle], shape: Shape, fault: str | None) -> list[WorldTitle]:
    """The titles with the fault in them; the same ones where the fault is not about titles."""
    if fault != "shuffled_budgets":
        return titles
    return exchange_costs(titles, shape.stream("faults"))


def _noisy(world: _World) -> Ratings:
    """Above the median is 5, the rest 0.5, a share of them turned round: whoever knew what was
    meant would still be 4.5 * sqrt(p (1 - p)) stars off."""
    stars = world.ratings.stars
    liked = stars > np.median(stars)
    liked ^= world.rng.random(len(stars)) < TURNED
    return replace(world.ratings, stars=np.where(liked, 5.0, 0.5))


def _shuffled(world: _World) -> Ratings:
    return exchange_titles(world.ratings, world.rng)


def _ruined(world: _World) -> Ratings:
    """Choices without taste; then what people would say of those titles, spread as it was."""
    chosen = exchange_titles(world.ratings, world.rng)
    exact = world.truth.mean[chosen.person, chosen.title]
    said = exact + world.rng.normal(0.0, world.shape.noise, len(exact))
    stars = np.empty(len(said))
    stars[np.argsort(said, kind="stable")] = np.sort(chosen.stars)
    return replace(chosen, stars=stars)


def _inflated(world: _World) -> Ratings:
    return replace(world.ratings, stars=np.minimum(5.0, world.ratings.stars + INFLATION))


def _lost_rows(world: _World) -> Ratings:
    return world.ratings.only(world.rng.random(len(world.ratings.person)) >= 1 / LOST)


def _lost_people(world: _World) -> Ratings:
    return world.ratings.only(world.ratings.person % LOST != LOST // 3)


_IN_RATINGS: Mapping[str, Callable[[_World], Ratings]] = {
    "noisy_ratings": _noisy,
    "shuffled_titles": _shuffled,
    "ruined_ranking": _ruined,
    "inflated_ratings": _inflated,
    "lost_rows": _lost_rows,
    "lost_people": _lost_people,
}
