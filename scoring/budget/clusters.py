"""Films that share a director are not independent: they are resampled together.

A film's cluster is its first director; a film without one is a cluster of its own. The choice of a
recipe, the gate's comparisons and every interval of the evaluation count the same clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.arrays import Floats, Mask, Rows
from scoring.bootstrap import paired
from scoring.budget.records import Film, person_key

UNITS = "directors"


def cluster_key(directors: Sequence[str], title_id: str) -> str:
    """Which cluster a film is in."""
    return person_key(directors[0]) if directors else title_id


@dataclass(frozen=True)
class Clusters:
    """The cluster of each film, [films], numbered from 0 to `count` - 1."""

    rows: Rows
    count: int

    @classmethod
    def of_keys(cls, keys: Sequence[str]) -> Clusters:
        """Films of one key are one cluster."""
        names, rows = np.unique(np.array(keys, dtype=np.str_), return_inverse=True)
        return cls(rows, len(names))

    @classmethod
    def of(cls, films: Sequence[Film]) -> Clusters:
        """By first director."""
        return cls.of_keys([cluster_key(film.directors, film.title_id) for film in films])

    def take(self, films: Mask) -> Clusters:
        """The clusters of some of the films."""
        return Clusters.of_keys(self.rows[films].astype(np.str_).tolist())

    def sums(self, values: Floats | Mask) -> Floats:
        """The sum of the films' values in each cluster, [count]."""
        found = np.bincount(self.rows, weights=values, minlength=self.count)
        return found.astype(np.float64)

    @property
    def sizes(self) -> Floats:
        """Films in each cluster, [count]."""
        return self.sums(np.ones(len(self.rows)))


def compare(clusters: Clusters, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    """The COMPARISON of two models' log-RMSE on the same films; errors are [films]."""
    squares = clusters.sums(ours**2), clusters.sums(other**2)
    return paired(*squares, weights=clusters.sizes, root=True, units=UNITS, seed=seed)


def mean_interval(clusters: Clusters, values: Floats | Mask, seed: int) -> list[float]:
    """The 95 % interval of the mean of `values`, [films]."""
    sums = clusters.sums(values)
    found = paired(sums, np.zeros(len(sums)), weights=clusters.sizes, units=UNITS, seed=seed)
    interval: list[float] = found["interval"]
    return interval


def rmse_interval(clusters: Clusters, errors: Floats, seed: int) -> list[float]:
    """The 95 % interval of the root mean square of `errors`, [films]."""
    interval: list[float] = compare(clusters, errors, np.zeros(len(errors)), seed)["interval"]
    return interval
