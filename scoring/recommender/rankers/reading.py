"""The ranker that a bundle's `fold_in.ranker` names.

{"family": "implicit_als", "alpha", "reg", "power"}
{"family": "ease", "recency": {"span", "floor"} | null}
{"family": "ease_als", "factors": {"alpha", "reg", "power"}, "recency": …, "share"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marquee.errors import BundleError
from scoring.arrays import Singles
from scoring.recommender.rankers.blended import BlendedRanker
from scoring.recommender.rankers.factors import FactorRanker, ImplicitFoldIn
from scoring.recommender.rankers.item_weights import ItemWeightRanker, ItemWeights
from scoring.recommender.rankers.ranker import Ranker
from scoring.recommender.rankers.recency import Recency

WEIGHING = ("ease", "ease_als")  # the families with item weights


def ranker_facts(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """`fold_in.ranker` of `bundle.json`; empty where it is missing or not a table."""
    fold_in = facts.get("fold_in")
    found = fold_in.get("ranker") if isinstance(fold_in, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def has_weights(facts: Mapping[str, Any]) -> bool:
    """Whether the bundle holds `rank_weights_*.npy`."""
    return ranker_facts(facts).get("family") in WEIGHING


def has_places(facts: Mapping[str, Any]) -> bool:
    """Whether the bundle holds `ratings_places.npy`: the order in which people rated."""
    return bool(ranker_facts(facts).get("recency"))


def read_ranker(
    facts: Mapping[str, Any], users: Singles, items: Singles, weights: ItemWeights | None
) -> Ranker:
    """From `bundle.json` and the bundle's arrays; BundleError where a parameter is missing."""
    tree = dict(ranker_facts(facts))
    try:
        family = tree.pop("family")
        if family == "implicit_als":
            return FactorRanker(users, items, ImplicitFoldIn(**tree))
        if family in WEIGHING and weights is not None:
            recency = Recency(**tree["recency"]) if tree["recency"] else None
            by_item = ItemWeightRanker(weights, recency)
            if family == "ease":
                return by_item
            factors = FactorRanker(users, items, ImplicitFoldIn(**tree["factors"]))
            return BlendedRanker(factors, by_item, float(tree["share"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"fold_in.ranker in bundle.json is not complete: {error}", "train again"
        ) from None
    raise BundleError(f"no ranker of the family {family!r} is known here", "update Marquee")
