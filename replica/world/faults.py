"""Worlds that are wrong on purpose, one for each thing the gate must notice.

Each fault is a small change to the finished ratings or titles. `chance_choices` is made earlier,
where people choose (see `ratings.py`): their ratings still show taste, their choices do not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marquee.errors import SourceError
from replica.world.ratings import Ratings
from replica.world.title import WorldTitle

FAULTS: dict[str, str] = {
    "shuffled_titles": "each rating is about some other rating's title: nothing can be learnt",
    "noisy_ratings": "ratings are drawn at random: no model gets under a sensible error",
    "inflated_ratings": "every rating is half a star higher",
    "lost_rows": "a tenth of the ratings is missing",
    "lost_people": "a tenth of the people is missing",
    "chance_choices": "people choose without taste: no ranking can beat popularity",
    "shuffled_budgets": "every budget belongs to some other title",
}


def known_fault(name: str | None) -> str | None:
    if name is not None and name not in FAULTS:
        raise SourceError(f"there is no fault '{name}'", f"choose one of {', '.join(FAULTS)}")
    return name


def break_ratings(ratings: Ratings, fault: str | None, rng: np.random.Generator) -> Ratings:
    """The ratings with the fault in them; the same ones where the fault is not about ratings."""
    rows = len(ratings.person)
    if fault == "shuffled_titles":
        return _distinct(replace(ratings, title=rng.permutation(ratings.title)))
    if fault == "noisy_ratings":
        return replace(ratings, stars=rng.integers(1, 11, rows) / 2)
    if fault == "inflated_ratings":
        return replace(ratings, stars=np.minimum(5.0, ratings.stars + 0.5))
    if fault == "lost_rows":
        return ratings.only(rng.random(rows) >= 0.1)
    if fault == "lost_people":
        return ratings.only(ratings.person % 10 != 3)
    return ratings


def break_titles(
    titles: list[WorldTitle], fault: str | None, rng: np.random.Generator
) -> list[WorldTitle]:
    if fault != "shuffled_budgets":
        return titles
    donors = rng.permutation(len(titles))
    return [replace(t, budget=titles[d].budget) for t, d in zip(titles, donors, strict=True)]


def _distinct(ratings: Ratings) -> Ratings:
    """Only the first rating of each person and title: MovieLens has no other."""
    pairs = ratings.person * (ratings.title.max(initial=0) + 1) + ratings.title
    first = np.unique(pairs, return_index=True)[1]
    keep = np.zeros(len(pairs), dtype=np.bool_)
    keep[first] = True
    return ratings.only(keep)
