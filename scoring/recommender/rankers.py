"""Rankers: a ranker scores every title for one person.

`Ranker` is the protocol of every family. A family is registered as a line of `RANKERS`, or as the
`FAMILY` of a module `ranker_<name>.py` in this folder. `fold_in.ranker` of a `bundle.json` names
the bundle's family and its parameters:

    {"family": "implicit_als", "alpha", "reg", "power"}
    {"family": "ease", "recency": {"span", "floor"} | null}
    {"family": "ease_als", "factors": {"alpha", "reg", "power"}, "recency": ..., "share"}

`bundle.py` asks here for the arrays of a family, `model.py` for the ranker. The fit of each family
is `spark_apps/recommender/ranker_<family>.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.item_weights import WEIGHT_ARRAYS, ItemWeightRanker, item_weights_fault

Arrays = Mapping[str, NDArray[Any]]
ArrayTypes = Mapping[str, type[np.generic]]


class Ranker(Protocol):
    """A ranker of any family. Titles and people are given as rows of the bundle's ids.

    I is the number of titles. `rated` is oldest first. Scores compare within one answer only.
    """

    @property
    def known(self) -> Mask:
        """True [I] for the titles that have scores and whose ratings count in a fold-in."""

    def personal(self, user: int, rated: Rows) -> Floats:
        """Scores [I] for a person of the training rows."""

    def fold_in(self, rated: Rows) -> Floats:
        """Scores [I] for a person who is described by these rated titles only."""

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """The part of each wanted title's score that each rated title adds, [wanted, rated]."""

    def similarities(self, title: int) -> Floats:
        """Similarity [I] to `title`; minus infinity for itself and for unknown titles."""


@dataclass(frozen=True)
class RankArrays:
    """The arrays of a ranker in a bundle.

    `users` [U, L] and `items` [I, L] are its factors; L is 0 in a family without factors. `others`
    are the family's further arrays, by name.
    """

    users: Singles
    items: Singles
    others: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class RankerReader:
    """Reads the rankers of one family from bundles.

    `read(arrays, **parameters)` makes the ranker; the parameters are those of `fold_in.ranker`.
    `arrays` gives the types of the family's further arrays, the files `rank_<name>.npy`.
    `fault(arrays, titles)` returns what is wrong with them in a sentence, or an empty text.
    """

    read: Callable[..., Ranker]
    arrays: ArrayTypes = field(default_factory=dict)
    fault: Callable[[Arrays, int], str] = lambda arrays, titles: ""


def read_ranker(facts: Mapping[str, Any], arrays: RankArrays) -> Ranker:
    """The ranker that `bundle.json` names.

    Raises BundleError where the family is unknown, or a parameter or an array is missing.
    """
    parameters = dict(_parameters(facts))
    name = parameters.pop("family", None)
    family = family_of(facts)
    if family is None:
        raise BundleError(f"no ranker of the family {name!r} is known here", "update Marquee")
    try:
        return family.read(arrays, **parameters)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"fold_in.ranker in bundle.json is not complete: {error}", "train again"
        ) from None


def family_of(facts: Mapping[str, Any]) -> RankerReader | None:
    """The family that `bundle.json` names; None where it is unknown."""
    name = _parameters(facts).get("family")
    if not isinstance(name, str) or name in RANKERS:
        return RANKERS.get(str(name))
    module = f"scoring.recommender.ranker_{name}"
    if name.isidentifier() and find_spec(module):
        RANKERS[name] = import_module(module).FAMILY
    return RANKERS.get(name)


def rank_array_types(facts: Mapping[str, Any]) -> ArrayTypes:
    """The types of the bundle's further arrays, the files `rank_<name>.npy`."""
    return family.arrays if (family := family_of(facts)) else {}


def rank_arrays_fault(facts: Mapping[str, Any], arrays: Arrays, titles: int) -> str:
    """What is wrong with those arrays in a bundle of `titles` titles; empty where all fits."""
    family = family_of(facts)
    if family is None:
        return ""
    missing = sorted(set(family.arrays) - set(arrays))
    return f"no rank_{missing[0]}" if missing else family.fault(arrays, titles)


def keeps_order(facts: Mapping[str, Any]) -> bool:
    """Whether the bundle holds `ratings_places.npy`, the order of ratings: a `recency` needs it."""
    return bool(_parameters(facts).get("recency"))


def _parameters(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """`fold_in.ranker` of `bundle.json`; empty where it is missing or not a table."""
    fold_in = facts.get("fold_in")
    found = fold_in.get("ranker") if isinstance(fold_in, Mapping) else None
    return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class ImplicitFoldIn:
    """The equations by which implicit ALS solves a person's factors from the titles they rated.

    A rated title has the confidence 1 + alpha, every other title 1 (Hu, Koren and Volinsky,
    Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008). Without a `power` the ridge
    is Spark's: `reg` times the number of ratings. With a `power` the ridge also counts the titles
    not rated (Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks,
    RecSys 2022, section 3.3).
    """

    alpha: float
    reg: float
    power: float | None = None

    def ridge(self, rated: int, titles: int) -> float:
        """The ridge of a person who rated `rated` of `titles` titles."""
        if self.power is None:
            return self.reg * rated
        rest = 1.0 / (1.0 + self.alpha)  # weight of a title not rated; a rated title has 1
        return float(self.reg * (rated + rest * titles) ** self.power / rest)

    def inverse(self, gramian: Floats, rated: Floats, titles: int) -> Floats:
        """(Y'Y + alpha R'R + ridge I)^-1, where R [n, L] are the rated titles' factors."""
        # The fit had no rating of a title whose factors are all zero.
        n = int(rated.any(axis=1).sum())
        ridge = self.ridge(max(n, 1), titles) * np.eye(rated.shape[1])
        system: Floats = gramian + self.alpha * (rated.T @ rated) + ridge
        inverse: Floats = np.linalg.inv(system).astype(np.float64)
        return inverse


class FactorRanker:
    """Scores by factors: a person's vector times a title's; `users` [U, L], `items` [I, L].

    A title whose factors are all zero is unknown.
    """

    def __init__(self, users: Singles, items: Singles, fold_in: ImplicitFoldIn) -> None:
        self._users, self._items, self.equations = users, items, fold_in
        factors = items.astype(np.float64)
        self._gramian: Floats = factors.T @ factors
        self._norms: Floats = np.sqrt((factors**2).sum(axis=1))
        self._known: Mask = self._norms > 0.0
        self._titles = int(self._known.sum())

    @property
    def known(self) -> Mask:
        """Titles with factors."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """By the person's trained factors."""
        scores: Floats = (self._items @ self._users[user]).astype(np.float64)
        return scores

    def fold_in(self, rated: Rows) -> Floats:
        """By factors solved from the rated titles."""
        scores: Floats = (self._items @ self.person(rated).astype(np.float32)).astype(np.float64)
        return scores

    def person(self, rated: Rows) -> Floats:
        """Factors [L] of a person who rated these titles."""
        theirs = self._items[rated].astype(np.float64)
        own: Floats = self._inverse(theirs) @ ((1.0 + self.equations.alpha) * theirs.sum(axis=0))
        return own

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """Each row sums to the fold-in score (Hu, Koren and Volinsky, section 5)."""
        theirs, targets = (self._items[rows].astype(np.float64) for rows in (rated, wanted))
        shares: Floats = (1.0 + self.equations.alpha) * (targets @ self._inverse(theirs) @ theirs.T)
        return shares

    def similarities(self, title: int) -> Floats:
        """Cosines of the titles' factors."""
        nearness: Floats = np.full(len(self._norms), -np.inf)
        if not self._known[title]:
            return nearness
        products = (self._items @ self._items[title])[self._known]
        nearness[self._known] = products / (self._norms[self._known] * self._norms[title])
        nearness[title] = -np.inf
        return nearness

    def _inverse(self, rated: Floats) -> Floats:
        return self.equations.inverse(self._gramian, rated, self._titles)


class BlendedRanker:
    """A weighted sum of a factor ranker and an item weight ranker; `share` is the factors' weight.

    The two rankers err on different titles. Their scores have different units, so each person's
    scores are standardised over the titles that either ranker knows.
    """

    def __init__(self, factors: FactorRanker, items: ItemWeightRanker, share: float) -> None:
        self.factors, self.items, self.share = factors, items, share
        self._known: Mask = factors.known | items.known

    @property
    def known(self) -> Mask:
        """Titles that either ranker knows."""
        return self._known

    def personal(self, user: int, rated: Rows) -> Floats:
        """Trained factors and item weights."""
        return self._blended(self.factors.personal(user, rated), self.items.fold_in(rated))

    def fold_in(self, rated: Rows) -> Floats:
        """Factors solved from the rated titles, and item weights."""
        return self._blended(self.factors.fold_in(rated), self.items.fold_in(rated))

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """In the units of the blend; each row sums to the score plus a constant."""
        ours = self.factors.reasons(rated, wanted) / self._deviation(self.factors.fold_in(rated))
        theirs = self.items.reasons(rated, wanted) / self._deviation(self.items.fold_in(rated))
        shares: Floats = self.share * ours + (1.0 - self.share) * theirs
        return shares

    def similarities(self, title: int) -> Floats:
        """The factors' cosines: an item weight is near 0 where a third title explains it."""
        return self.factors.similarities(title)

    def _blended(self, ours: Floats, theirs: Floats) -> Floats:
        first, second = ((s - s[self._known].mean()) / self._deviation(s) for s in (ours, theirs))
        blended: Floats = self.share * first + (1.0 - self.share) * second
        return blended

    def _deviation(self, scores: Floats) -> float:
        """The standard deviation; 1 where all scores are equal, to avoid a division by zero."""
        spread = float(scores[self._known].std())
        return spread if spread > 1e-12 else 1.0


def _implicit_als(arrays: RankArrays, **equations: Any) -> FactorRanker:
    return FactorRanker(arrays.users, arrays.items, ImplicitFoldIn(**equations))


def _ease(arrays: RankArrays, recency: Mapping[str, Any] | None) -> ItemWeightRanker:
    return ItemWeightRanker.read(arrays.others, recency)


def _ease_als(
    arrays: RankArrays, factors: Mapping[str, Any], recency: Mapping[str, Any] | None, share: float
) -> BlendedRanker:
    return BlendedRanker(_implicit_als(arrays, **factors), _ease(arrays, recency), float(share))


RANKERS: dict[str, RankerReader] = {
    "implicit_als": RankerReader(_implicit_als),
    "ease": RankerReader(_ease, WEIGHT_ARRAYS, item_weights_fault),
    "ease_als": RankerReader(_ease_als, WEIGHT_ARRAYS, item_weights_fault),
}
"""The families loaded so far, by name; code outside this folder may add its own."""
