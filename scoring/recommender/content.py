"""Scores the titles the ranker does not know by their content: a ridge map from content vectors.

A person's scores of the titles the ranker knows are regressed on the content vectors of those
titles; the fit gives the scores of the other titles, in the same units. A ranker's score is linear
in what it holds of a title (its factors, or its column of item weights), so this *is* the ridge map
from content to that space (Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start
Recommendations, ICDM 2010), whatever the ranker's family. Training chooses the penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Mask, Rows, Singles, top_rows

TITLES_A_COLD_ONE = 10
"""A list has at most one cold title for each so many of its titles."""
TIE_DECIMALS = 6
"""Titles whose cosines are equal to so many decimals are tied."""
SMALLEST_COSINE = 1e-5
"""A smaller cosine is rounding: single precision gives some to titles that share no word."""


@dataclass(frozen=True)
class ContentFacts:
    """`content` of `bundle.json`: the map's penalty, and how many of its standard errors are added
    to a cold title's score where it competes for a place."""

    ridge: float
    optimism: float

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> ContentFacts | None:
        """None where the bundle has no content; BundleError where a parameter is missing."""
        content = facts.get("content")
        if content is None:
            return None
        try:
            return cls(float(content["ridge"]), float(content["optimism"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"content in bundle.json is not complete: {error}", "train again"
            ) from None


@dataclass(frozen=True)
class ColdScores:
    """Scores [..., cold] of the `rows` the ranker does not know, and the map's standard error."""

    rows: Rows
    values: Floats
    error: Floats

    def of(self, person: int) -> ColdScores:
        """One of many people's."""
        return ColdScores(self.rows, self.values[person], self.error[person])


class ContentMap:
    """The map of one bundle. `vectors` [I, K] are zero where nothing is known of a title; `warm`
    [I] are the titles the ranker knows."""

    def __init__(self, vectors: Singles, warm: Mask, facts: ContentFacts) -> None:
        self.facts, self.vectors = facts, vectors
        self._norms: Floats = _lengths(vectors)
        self.known: Mask = self._norms > 0.0
        self._fitted: Rows = np.flatnonzero(warm & self.known)
        self.cold: Rows = np.flatnonzero(~warm & self.known)
        base = vectors[self._fitted].astype(np.float64)
        self._mean: Floats = base.mean(axis=0) if len(base) else np.zeros(vectors.shape[1])
        self._base: Floats = base - self._mean
        self._gram: Floats = self._base.T @ self._base
        system: Floats = self._gram + facts.ridge * np.eye(len(self._gram))
        self._inverse: Floats = np.linalg.inv(system).astype(np.float64)
        effective_parameters = float(np.trace(self._gram @ self._inverse))
        self._freedom = max(len(base) - 1 - effective_parameters, 1.0)
        self._cold_vectors: Singles = vectors[self.cold] - self._mean.astype(np.float32)

    def score(self, scores: Floats | Singles) -> ColdScores:
        """From the ranker's scores [I] of one person, or [people, I] of many."""
        warm = scores[..., self._fitted]
        mean = warm.mean(axis=-1, keepdims=True) if warm.size else np.zeros((*warm.shape[:-1], 1))
        centred = warm - mean
        moment = centred @ self._base
        effect = moment @ self._inverse
        values = (effect.astype(np.float32) @ self._cold_vectors.T) + mean
        explained = (effect * (2.0 * moment - effect @ self._gram)).sum(axis=-1)
        residual = (centred**2).sum(axis=-1) - explained
        error = np.sqrt(np.maximum(residual, 0.0) / self._freedom)
        return ColdScores(self.cold, values.astype(np.float64), error)

    def admit(self, best: Rows, scores: Floats, cold: ColdScores, excluded: Mask, n: int) -> Rows:
        """The list `best` of the ranker's titles, with cold ones for at most one in ten of `n`.

        A cold title replaces the last of the ranker's where its score plus `optimism` standard
        errors is above that title's (an upper confidence bound: Li et al., A Contextual-Bandit
        Approach to Personalized News Article Recommendation, WWW 2010). `scores` [I] include the
        cold titles' own.
        """
        free = np.where(excluded[cold.rows], -np.inf, cold.values)
        first = cold.rows[top_rows(free, n // TITLES_A_COLD_ONE)]
        places = np.full(n, -np.inf)
        places[: len(best)] = scores[best]
        upper_bounds = scores[first] + self.facts.optimism * float(cold.error)
        admitted = int(np.cumprod(upper_bounds > places[::-1][: len(first)]).sum())
        rows = np.concatenate([best[: n - admitted], first[:admitted]])
        return rows[np.argsort(-scores[rows], kind="stable")]

    def likeness(self, rated: Rows) -> Floats:
        """Cosines [I] of each title with the mean of the rated ones; 0 where there is none."""
        units = self.vectors[rated] / np.maximum(self._norms[rated], 1e-12)[:, None]
        cosines = self._cosines(units.sum(axis=0))
        return np.where(cosines >= SMALLEST_COSINE, cosines, 0.0)

    def similarities(self, title: int, popularity: Floats) -> Floats:
        """Cosines [I] to a title, minus infinity for itself and where nothing is known.

        Of tied titles the more popular comes first: it is raised by less than the tie's width.
        """
        nearness = np.round(self._cosines(self.vectors[title]), TIE_DECIMALS)
        nearness += popularity / max(float(popularity.max()), 1e-12) * 0.1**TIE_DECIMALS / 2
        nearness[~self.known] = -np.inf
        nearness[title] = -np.inf
        return nearness

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Cosines between wanted and rated titles; [wanted, rated]."""
        norms = np.maximum(np.outer(self._norms[wanted], self._norms[rated]), 1e-12)
        shares: Floats = (self.vectors[wanted] @ self.vectors[rated].T) / norms
        return shares

    def _cosines(self, direction: Singles | Floats) -> Floats:
        length = max(float(np.linalg.norm(direction)), 1e-12)
        cosines: Floats = (self.vectors @ direction) / np.maximum(self._norms * length, 1e-12)
        return cosines.astype(np.float64)


def _lengths(vectors: Singles) -> Floats:
    lengths: Floats = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1))
    return lengths
