"""The rankers' training: implicit ALS, EASE, and the two blended; one family a module."""

__all__ = ["fit", "recipes"]
