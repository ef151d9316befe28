"""Rankers: a ranker scores every title for one person.

`Ranker` is the protocol of every family. A family is registered as a line of `RANKERS`, or as the
`FAMILY` of a module `ranker_<name>.py` in this folder. `fold_in.ranker` of a `bundle.json` names
the bundle's family and its parameters:

    {"family": "implicit_als", "alpha", "reg", "power", "stars": {"neutral"}}
    {"family": "ease", "recency": {"span", "floor", "span_back", "floor_back"} | null, "stars": ...}
    {"family": "ease_als", "factors": {"alpha", "reg", "power", "stars"}, "recency": ..., "share",
     "stars": ...}

Without `stars` all ratings of a person count alike.

`bundle.py` asks here for the arrays of a family, `model.py` for the ranker. The fit of each family
is `spark_apps/recommender/ranker_<family>.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marquee.errors import BundleError
from scoring.arrays import Floats, Mask, Rows, Singles
from scoring.recommender.fold_in import ImplicitFoldIn
from scoring.recommender.item_weights import (
    WEIGHT_ARRAYS,
    ItemWeightRanker,
    item_weights_fault,
    likes,
)
from scoring.recommender.ratings_arrays import History

if TYPE_CHECKING:
    from scoring.recommender.list_blocks import Histories

Arrays = Mapping[str, NDArray[Any]]
ArrayTypes = Mapping[str, type[np.generic]]


class Ranker(Protocol):
    """A ranker of any family. Titles and people are given as rows of the bundle's ids.

    I is the number of titles, n the number of ratings in a history. Scores compare within one
    answer only.
    """

    @property
    def known(self) -> Mask:
        """True [I] for the titles that have scores and whose ratings count in a fold-in."""

    def personal(self, user: int, history: History) -> Floats:
        """Scores [I] for a person of the training rows."""

    def fold_in(self, history: History) -> Floats:
        """Scores [I] for a person who is described by this history only."""

    def liked(self, history: History) -> Mask:
        """True [n] for the rated titles that speak for titles like them."""

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """The part of each wanted title's score that each rated title adds, [wanted, n]."""

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

    def personal(self, user: int, history: History) -> Floats:
        """By the person's trained factors."""
        scores: Floats = (self._items @ self._users[user]).astype(np.float64)
        return scores

    def of_people(self, histories: Histories, titles: Rows) -> Floats:
        """`personal` of many people: one product."""
        return (self._users[histories.people] @ self._items[titles].T).astype(np.float64)

    def fold_in(self, history: History) -> Floats:
        """By factors solved from the history."""
        scores: Floats = (self._items @ self.person(history).astype(np.float32)).astype(np.float64)
        return scores

    def person(self, history: History) -> Floats:
        """Factors [L] of a person with this history."""
        own: Floats = self._solution(history).sum(axis=1)
        return own

    def liked(self, history: History) -> Mask:
        """The rated titles with a positive weight."""
        return likes(self.equations.stars, history)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """Each row sums to the fold-in score (Hu, Koren and Volinsky, section 5)."""
        shares: Floats = self._items[wanted].astype(np.float64) @ self._solution(history)
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

    def _solution(self, history: History) -> Floats:
        theirs = self._items[history.rows].astype(np.float64)
        return self.equations.solution(self._gramian, theirs, history.liking, self._titles)


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

    def personal(self, user: int, history: History) -> Floats:
        """Trained factors and item weights."""
        return self._blended(self.factors.personal(user, history), self.items.fold_in(history))

    def of_people(self, histories: Histories, titles: Rows) -> Floats:
        """`personal` of many people; `titles` are those that either ranker knows."""
        blended: Floats = np.zeros((len(histories.people), len(titles)))
        for ranker, share in ((self.factors, self.share), (self.items, 1.0 - self.share)):
            scores = ranker.of_people(histories, titles)
            mean, spread = (f(axis=1, keepdims=True) for f in (scores.mean, scores.std))
            blended += share * ((scores - mean) / np.where(spread > 1e-12, spread, 1.0))
        return blended

    def fold_in(self, history: History) -> Floats:
        """Factors solved from the history, and item weights."""
        return self._blended(self.factors.fold_in(history), self.items.fold_in(history))

    def liked(self, history: History) -> Mask:
        """Those of the item weights."""
        return self.items.liked(history)

    def reasons(self, history: History, wanted: Rows) -> Floats:
        """In the units of the blend; each row sums to the score plus a constant."""
        ours, theirs = (
            ranker.reasons(history, wanted) / self._deviation(ranker.fold_in(history))
            for ranker in (self.factors, self.items)
        )
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
    return FactorRanker(arrays.users, arrays.items, ImplicitFoldIn.of(**equations))


def _ease(
    arrays: RankArrays, recency: Mapping[str, Any] | None, stars: Mapping[str, Any] | None = None
) -> ItemWeightRanker:
    return ItemWeightRanker.read(arrays.others, recency, stars)


def _ease_als(
    arrays: RankArrays, factors: Mapping[str, Any], share: float, **ease: Any
) -> BlendedRanker:
    return BlendedRanker(_implicit_als(arrays, **factors), _ease(arrays, **ease), float(share))


RANKERS: dict[str, RankerReader] = {
    "implicit_als": RankerReader(_implicit_als),
    "ease": RankerReader(_ease, WEIGHT_ARRAYS, item_weights_fault),
    "ease_als": RankerReader(_ease_als, WEIGHT_ARRAYS, item_weights_fault),
}
"""The families loaded so far, by name; code outside this folder may add its own."""
