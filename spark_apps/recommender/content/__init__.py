"""What titles are, as vectors, and how a ranker's titles tell of those it does not know."""

__all__ = ["recipe", "ridge", "vectors", "words"]
