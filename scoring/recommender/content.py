"""Titles the ranker does not know, scored by what they are: a ridge map from content.

A person's scores of the titles the ranker knows are regressed on those titles' content vectors;
what the fit says of the other titles is their score, in the same units. A ranker's score is linear
in what it holds of a title (its factors, or its column of item weights), so this *is* the ridge map
from content to that space (Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start
Recommendations, ICDM 2010), whatever the ranker's family. `ridge` was chosen in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Mask, Rows, Singles, top_rows

ONE_IN = 10  # of a list's titles, at most, are ones the ranker does not know
TIE = 6  # decimals to which two titles' content is alike
ALIKE = (
    1e-5  # a cosine below says nothing: single precision makes some of titles with no word shared
)


@dataclass(frozen=True)
class ContentFacts:
    """`content` of `bundle.json`: the map's penalty, and how many standard errors of the map a cold
    title is given the benefit of."""

    ridge: float
    optimism: float

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> ContentFacts | None:
        """None where the bundle holds no content; BundleError where a parameter is missing."""
        found = facts.get("content")
        if found is None:
            return None
        try:
            return cls(float(found["ridge"]), float(found["optimism"]))
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
    """`vectors` [I, K], zero where nothing is known of a title; `warm` [I] are the ranker's."""

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
        used = float(np.trace(self._gram @ self._inverse))  # effective parameters
        self._freedom = max(len(base) - 1 - used, 1.0)
        self._asked: Singles = vectors[self.cold] - self._mean.astype(np.float32)

    def score(self, scores: Floats | Singles) -> ColdScores:
        """From the ranker's scores [I] of one person, or [people, I] of many."""
        warm = scores[..., self._fitted]
        mean = warm.mean(axis=-1, keepdims=True) if warm.size else np.zeros((*warm.shape[:-1], 1))
        apart = warm - mean
        moment = apart @ self._base
        effect = moment @ self._inverse
        values = (effect.astype(np.float32) @ self._asked.T) + mean
        left = (apart**2).sum(axis=-1) - (effect * (2.0 * moment - effect @ self._gram)).sum(
            axis=-1
        )
        error = np.sqrt(np.maximum(left, 0.0) / self._freedom)
        return ColdScores(self.cold, values.astype(np.float64), error)

    def admit(self, best: Rows, scores: Floats, cold: ColdScores, barred: Mask, n: int) -> Rows:
        """The list `best` of the ranker's titles, with cold ones for at most one in ten of `n`.

        A cold title takes the place of the last of the ranker's where its score, and `optimism`
        standard errors more, is above that title's (an upper confidence bound: Li et al., A
        Contextual-Bandit Approach to Personalized News Article Recommendation, WWW 2010).
        `scores` [I] hold the cold titles' too.
        """
        free = np.where(barred[cold.rows], -np.inf, cold.values)
        first = cold.rows[top_rows(free, n // ONE_IN)]
        bounds = np.full(n, -np.inf)
        bounds[: len(best)] = scores[best]
        hopes = scores[first] + self.facts.optimism * float(cold.error)
        admitted = int(np.cumprod(hopes > bounds[::-1][: len(first)]).sum())
        rows = np.concatenate([best[: n - admitted], first[:admitted]])
        return rows[np.argsort(-scores[rows], kind="stable")]

    def likeness(self, rated: Rows) -> Floats:
        """How like the mean of what was rated each title [I] is: a cosine, 0 where none."""
        units = self.vectors[rated] / np.maximum(self._norms[rated], 1e-12)[:, None]
        cosines = self._cosines(units.sum(axis=0))
        return np.where(cosines >= ALIKE, cosines, 0.0)

    def similarities(self, title: int, popularity: Floats) -> Floats:
        """Cosines [I] to a title, minus infinity for itself and where nothing is known.

        Of titles alike to six decimals the more popular comes first, by less than that.
        """
        nearness = np.round(self._cosines(self.vectors[title]), TIE)
        nearness += popularity / max(float(popularity.max()), 1e-12) * 0.1**TIE / 2
        nearness[~self.known] = -np.inf
        nearness[title] = -np.inf
        return nearness

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Cosines between titles wanted and rated; [wanted, rated]."""
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
