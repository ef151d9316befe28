"""How far content may be trusted: the ridge from content to what the ranker holds of its titles.

The penalty is chosen by generalised cross-validation (Golub, Heath and Wahba, Technometrics 21(2),
1979) over the ranker's own titles, on the scores of seeded people: how well a title's score follows
from the other titles'. No holdout is looked at. The scores for golden answers are solved here by
another road than the scorer's: a singular value decomposition, not normal equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scoring.arrays import Floats, Mask, Rows, Singles
from spark_apps.recommender.catalogue import IndexedRatings
from spark_apps.recommender.content.recipe import ContentRecipe
from spark_apps.recommender.ranking.fit import RankerFit

RIDGES = tuple(float(f"{10**e:.3g}") for e in np.arange(-1.0, 3.01, 0.25))
PEOPLE = 100  # whose scores the penalty is chosen on
ONE_IN = 10  # of a list's titles at most are cold
ALIKE = 1e-5  # a cosine below says nothing


@dataclass(frozen=True)
class ContentFit:
    """`vectors` [I, C] of the catalogue's titles, those the ranker has `known` [I], and the penalty
    of the map."""

    recipe: ContentRecipe
    vectors: Singles
    known: Mask
    ridge: float
    explained: float  # share of the variance of people's scores, by generalised cross-validation

    @property
    def told(self) -> Mask:
        """Titles of which something is known."""
        told: Mask = np.asarray(self.vectors.any(axis=1))
        return told

    @property
    def optimism(self) -> float:
        """The recipe's; none where content explains nothing: doubt alone recommends no title."""
        return self.recipe.optimism if self.explained > 0.0 else 0.0

    def facts(self) -> dict[str, float]:
        """`content` of `bundle.json`."""
        return {"ridge": self.ridge, "optimism": self.optimism}

    def note(self) -> str:
        """A sentence for the card."""
        size = self.vectors.nbytes / 1e6
        return (
            f"content: {self.vectors.shape[1]} columns for {len(self.vectors)} titles, "
            f"{size:.1f} MB of at most {self.recipe.most_megabytes:g}; ridge {self.ridge:g}, "
            f"{100 * self.explained:.0f} % of a score's variance follows from content"
        )

    @property
    def cold(self) -> Mask:
        """Titles [I] that content alone can tell of."""
        cold: Mask = self.told & ~self.known
        return cold

    @cached_property
    def _parts(self) -> tuple[Rows, Floats, Floats, Floats, Floats]:
        """The titles learnt from, the mean of their vectors, and the rest decomposed."""
        warm = np.flatnonzero(self.known & self.told)
        vectors = self.vectors[warm].astype(np.float64)
        centre = vectors.mean(axis=0)
        return warm, centre, *np.linalg.svd(vectors - centre, full_matrices=False)

    def scores(self, scores: Floats) -> tuple[Floats, float]:
        """The ranker's scores [I] with cold titles' filled in, and the map's standard error."""
        warm, centre, left, values, right = self._parts
        mean = float(scores[warm].mean())
        kept = values**2 / (values**2 + self.ridge)
        moment = left.T @ (scores[warm] - mean)
        effect = right.T @ (values / (values**2 + self.ridge) * moment)
        rest = scores[warm] - mean - left @ (kept * moment)
        freedom = max(len(warm) - 1 - kept.sum(), 1.0)
        filled = scores.copy()
        filled[self.cold] = mean + (self.vectors[self.cold].astype(np.float64) - centre) @ effect
        return filled, float(np.sqrt((rest**2).sum() / freedom))

    def likeness(self, rated: Rows) -> Floats:
        """How like what was rated each title [I] is: the cosine to the sum of the rated titles'
        directions, 0 where it is below what single precision can tell."""
        vectors = self.vectors.astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0.0)
        direction = units[rated].sum(axis=0)
        cosines = units @ direction / max(float(np.linalg.norm(direction)), 1e-12)
        return np.where(cosines >= ALIKE, cosines, 0.0)


def fit_content(
    ratings: IndexedRatings, ranker: RankerFit, vectors: Floats, recipe: ContentRecipe, seed: int
) -> ContentFit | None:
    """None where content says nothing, or the ranker knows no title to learn from."""
    singles = vectors.astype(np.float32)
    told = singles.any(axis=1)
    warm = np.flatnonzero(ranker.known & told)
    if not len(warm):
        return None
    people = np.random.default_rng(seed).permutation(len(ratings.catalogue.user_ids))[:PEOPLE]
    scores = [ranker.scores(int(user), ratings.rated(int(user)))[warm] for user in people]
    ridge, explained = choose_ridge(vectors[warm], np.array(scores).T)
    return ContentFit(recipe, singles, ranker.known, ridge, explained)


def choose_ridge(
    vectors: Floats, scores: Floats, ridges: Sequence[float] = RIDGES
) -> tuple[float, float]:
    """The penalty with the least generalised cross-validation error of `scores` [titles, people],
    and the share of variance it explains by that measure."""
    left, values, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    apart = scores - scores.mean(axis=0)
    moments, total, titles = ((left.T @ apart) ** 2).sum(axis=1), (apart**2).sum(), len(vectors)

    def error(ridge: float) -> float:
        kept = values**2 / (values**2 + ridge)
        lost = max(float(total - ((2.0 * kept - kept**2) * moments).sum()), 0.0)
        return lost * titles / max(titles - 1 - float(kept.sum()), 1.0) ** 2

    best = min(ridges, key=lambda ridge: (error(ridge), -ridge))
    plain = float(total) * titles / max(titles - 1, 1) ** 2
    return best, 1.0 - error(best) / plain if plain > 0.0 else 0.0


def best_unseen(scores: Floats, allowed: Mask, seen: Rows, n: int) -> list[int]:
    """The `n` best allowed titles that are not among the seen."""
    free = np.where(allowed, scores, -np.inf)
    free[seen] = -np.inf
    order = np.argsort(-free, kind="stable")[:n]
    return [int(row) for row in order if free[row] > -np.inf]


def listed(
    plain: Floats, known: Mask, seen: Rows, content: ContentFit | None, n: int
) -> tuple[list[int], Floats]:
    """The `n` best unseen titles by the ranker's scores [I] and content's, and all scores."""
    if content is None:
        return best_unseen(plain, known, seen, n), plain
    scores, error = content.scores(plain)
    return admitted(scores, error, seen, content, n), scores


def admitted(scores: Floats, error: float, seen: Rows, content: ContentFit, n: int) -> list[int]:
    """The `n` best unseen titles, by arithmetic that does not import the scorer: a cold title in
    the place of the last while its score and some standard errors are above that one's."""
    listed, taken = best_unseen(scores, content.known, seen, n), list[int]()
    for title in best_unseen(scores, content.cold, seen, n // ONE_IN):
        full = len(listed) + len(taken) >= n
        if full and scores[title] + content.optimism * error <= scores[listed[-1]]:
            break
        listed = listed[:-1] if full else listed
        taken.append(title)
    return sorted(listed + taken, key=lambda row: -scores[row])
