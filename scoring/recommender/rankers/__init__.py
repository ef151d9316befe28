"""Rankers, one family a module: each scores a whole catalogue for one person, from what was fitted
for them or from the titles they rated."""

__all__ = ["item_weights", "ranker", "reading"]
