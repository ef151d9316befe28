"""Content scores: a ridge regression from content vectors scores titles the ranker does not know.

For one person, the ranker's scores of the titles it knows are regressed on these titles' content
vectors. The fit predicts the scores of the other titles, in the same units. A ranker's score is
linear in a title's parameters (its factors, or its column of item weights). So this regression is
the ridge map from content to these parameters that the literature describes (Gantner et al.,
Learning Attribute-to-Feature Mappings for Cold-Start Recommendations, ICDM 2010). Training chooses
the penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats, Mask, Rows, Singles, top_rows

TITLES_PER_COLD_TITLE = 10
"""A list of 10 titles has at most one cold title, a list of 20 at most two, and so on. A cold title
is one the ranker does not know."""
TIE_DECIMALS = 6
"""Cosines that are equal when rounded to 6 decimals are tied."""
ROUNDING = 1e-5
"""A score's share by which single precision may be wrong."""
SMALLEST_COSINE = 1e-5
"""A smaller cosine counts as 0: single precision rounds that of titles without a shared word."""


@dataclass(frozen=True)
class ContentFacts:
    """`content` of `bundle.json`: the ridge penalty and the optimism.

    `optimism` is the number of standard errors added to a cold title's score in `admit`.
    """

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
    """Scores [..., cold] of the cold titles at `rows`, and the fit's standard error [...]."""

    rows: Rows
    values: Floats
    error: Floats

    def best(self, excluded: Mask, n: int) -> ColdScores:
        """The `n` best of one person that are not excluded, best first."""
        best = top_rows(np.where(excluded[self.rows], -np.inf, self.values), n)
        return ColdScores(self.rows[best], self.values[best], self.error)


class ContentMap:
    """The ridge regression of one bundle.

    `vectors` [I, K] are zero for a title without content. `warm` [I] marks the titles that the
    ranker knows.
    """

    def __init__(self, vectors: Singles, warm: Mask, facts: ContentFacts) -> None:
        self.facts, self.vectors = facts, vectors
        self._norms: Floats = _lengths(vectors)
        self.known: Mask = self._norms > 0.0
        self.fitted: Rows = np.flatnonzero(warm & self.known)
        self.cold: Rows = np.flatnonzero(~warm & self.known)
        base = vectors[self.fitted].astype(np.float64)
        self._mean: Floats = base.mean(axis=0) if len(base) else np.zeros(vectors.shape[1])
        self._base: Floats = base - self._mean
        self._gram: Floats = self._base.T @ self._base
        system: Floats = self._gram + facts.ridge * np.eye(len(self._gram))
        self._inverse: Floats = np.linalg.inv(system).astype(np.float64)
        effective_parameters = float(np.trace(self._gram @ self._inverse))
        self._degrees_of_freedom = max(len(base) - 1 - effective_parameters, 1.0)
        self._cold_vectors: Singles = vectors[self.cold] - self._mean.astype(np.float32)
        self._longest = float(_lengths(self._cold_vectors).max(initial=0.0))

    def score(self, scores: Floats | Singles) -> ColdScores:
        """Cold titles' scores from the ranker's, [I] of one person or [people, I] of many."""
        return self.score_fitted(scores[..., self.fitted])

    def score_fitted(self, warm: Floats | Singles) -> ColdScores:
        """As `score`, from the ranker's scores of the titles `fitted` alone."""
        return self._scored(*self._fit(warm))

    def best_of(self, scores: Floats, last: float, excluded: Mask, n: int) -> ColdScores:
        """One person's cold titles that may be let in to a list of `n` whose last score is `last`.

        None are scored where even the longest vector in the best direction would not be: no score
        is above mean + |effect| |vector| (Cauchy and Schwarz).
        """
        effect, mean, error = self._fit(scores[self.fitted])
        if not self._may_come(effect, mean, error, np.array(last)):
            return ColdScores(self.cold[:0], np.zeros(0), error)
        return self._scored(effect, mean, error).best(excluded, n // TITLES_PER_COLD_TITLE)

    def may_come(self, warm: Floats, last: Floats) -> Mask:
        """Whether a cold title may be let in to each list [people] whose last score is `last`."""
        return self._may_come(*self._fit(warm), last)

    def _scored(self, effect: Floats, mean: Floats, error: Floats) -> ColdScores:
        values = (effect.astype(np.float32) @ self._cold_vectors.T) + mean
        return ColdScores(self.cold, values.astype(np.float64, copy=False), error)

    def _may_come(self, effect: Floats, mean: Floats, error: Floats, last: Floats) -> Mask:
        bound = mean[..., 0] + np.linalg.norm(effect, axis=-1) * self._longest
        allowed = bound + self.facts.optimism * error
        return np.asarray(~(allowed < last - ROUNDING * np.abs(last)))

    def _fit(self, warm: Floats | Singles) -> tuple[Floats, Floats, Floats]:
        """The regression of scores [..., fitted]: effect [..., K], mean [..., 1], error [...]."""
        mean = warm.mean(axis=-1, keepdims=True) if warm.size else np.zeros((*warm.shape[:-1], 1))
        centred = warm - mean
        moment = centred @ self._base
        effect = moment @ self._inverse
        explained = (effect * (2.0 * moment - effect @ self._gram)).sum(axis=-1)
        residual = (centred**2).sum(axis=-1) - explained
        return effect, mean, np.sqrt(np.maximum(residual, 0.0) / self._degrees_of_freedom)

    def admit(self, best: Rows, scores: Floats, cold: ColdScores, n: int) -> tuple[Rows, Floats]:
        """The ranker's list `best` with at most `n` / 10 of the `cold` titles admitted.

        A cold title replaces the last warm one where its score plus `optimism` standard errors is
        higher (an upper confidence bound: Li et al., A Contextual-Bandit Approach to Personalized
        News Article Recommendation, WWW 2010). `scores` are those of `best`, as in the answer.
        """
        last = np.full(n, -np.inf)
        last[: len(best)] = scores
        upper_bounds = cold.values + self.facts.optimism * float(cold.error)
        admitted = int(np.cumprod(upper_bounds > last[::-1][: len(cold.rows)]).sum())
        rows = np.concatenate([best[: n - admitted], cold.rows[:admitted]])
        values = np.concatenate([scores[: n - admitted], cold.values[:admitted]])
        order = np.argsort(-values, kind="stable")
        return rows[order], values[order]

    def likeness(self, rated: Rows) -> Floats:
        """Cosine [I] of each title with the mean of the rated ones; 0 without content."""
        units = self.vectors[rated] / np.maximum(self._norms[rated], 1e-12)[:, None]
        cosines = self._cosines(units.sum(axis=0))
        return np.where(cosines >= SMALLEST_COSINE, cosines, 0.0)

    def similarities(self, title: int, popularity: Floats) -> Floats:
        """Cosine [I] of each title with `title`; minus infinity for itself and without content.

        Of tied titles the more popular comes first: popularity adds at most half a tie's width.
        """
        nearness = np.round(self._cosines(self.vectors[title]), TIE_DECIMALS)
        nearness += popularity / max(float(popularity.max()), 1e-12) * 0.1**TIE_DECIMALS / 2
        nearness[~self.known] = -np.inf
        nearness[title] = -np.inf
        return nearness

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Cosines of wanted with rated titles, [wanted, rated]."""
        norms = np.maximum(np.outer(self._norms[wanted], self._norms[rated]), 1e-12)
        shares: Floats = (self.vectors[wanted] @ self.vectors[rated].T) / norms
        return shares

    def _cosines(self, direction: Singles | Floats) -> Floats:
        length = max(float(np.linalg.norm(direction)), 1e-12)
        cosines: Floats = (self.vectors @ direction) / np.maximum(self._norms * length, 1e-12)
        return cosines.astype(np.float64)


def read_content(
    facts: Mapping[str, Any], vectors: Singles | None, known: Mask
) -> ContentMap | None:
    """The map of a bundle whose ranker has `known`; None for an older one without vectors."""
    parameters = ContentFacts.of(facts)
    if parameters is None or vectors is None:
        return None
    return ContentMap(vectors, known, parameters)


def _lengths(vectors: Singles) -> Floats:
    lengths: Floats = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1))
    return lengths
