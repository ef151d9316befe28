"""How varied lists are: coverage of the catalogue, novelty, and the Gini of titles."""

from __future__ import annotations

import numpy as np

from scoring.arrays import Ints, rows_of
from scoring.recommender.holdout import HoldoutSplit


def catalogue_metrics(split: HoldoutSplit, lists: Ints, catalogue: Ints) -> dict[str, float]:
    """Coverage of the catalogue, novelty and Gini of the lists."""
    titles, counts = split.learnt_titles
    rows, people = rows_of(titles, catalogue), len(split.learnt_people[0])
    raters = np.where(rows >= 0, counts[rows], 0)
    return {
        "catalogue_coverage": catalogue_coverage(lists, len(catalogue)),
        "novelty": novelty(lists, catalogue, raters, people),
        "gini": gini(lists, len(catalogue)),
    }


def catalogue_coverage(lists: Ints, catalogue: int) -> float:
    """Share of the catalogue that is in at least one list."""
    return float(len(np.unique(lists[lists >= 0])) / catalogue) if catalogue else 0.0


def novelty(lists: Ints, movie_ids: Ints, raters: Ints, people: int) -> float:
    """Mean of -log2(share of people who rated a title) over the listed titles, in bits.

    `movie_ids` [I] ascend; `raters` [I] are numbers of people, 0 counted as 0.5.
    """
    rows = np.searchsorted(movie_ids, lists[lists >= 0])
    if not len(rows):
        return 0.0
    return float(-np.log2(np.maximum(raters[rows], 0.5) / people).mean())


def gini(lists: Ints, catalogue: int) -> float:
    """Gini of how often titles are listed: 0 if equally often, near 1 if only a few are listed."""
    _, counts = np.unique(lists[lists >= 0], return_counts=True)
    each = np.sort(np.concatenate([np.zeros(max(catalogue - len(counts), 0)), counts]))
    if not each.sum():
        return 0.0
    n = len(each)
    return float((2 * np.arange(1, n + 1) - n - 1) @ each / (n * each.sum()))
