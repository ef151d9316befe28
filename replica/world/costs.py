"""What films cost, exchanged between them: each keeps its country, its money and its era."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from replica.world.budgets import at_home, in_2020
from replica.world.title import WorldTitle


def exchange_costs(titles: list[WorldTitle], rng: np.random.Generator) -> list[WorldTitle]:
    """Every film that has a budget gets some other one's cost, in its own money of its year."""
    priced = [k for k, title in enumerate(titles) if title.budget is not None]
    costs = {k: in_2020(titles[k]) for k in priced}
    found = list(titles)
    for k, donor in zip(priced, rng.permutation(priced).tolist(), strict=True):
        found[k] = replace(titles[k], budget=at_home(costs[donor], titles[k]))
    return found
