"""The recommender's training: recipes, Spark fits, the blend, golden queries, the bundle."""

__all__ = [
    "affordable",
    "als",
    "catalogue",
    "content",
    "factor_model",
    "fitting",
    "recipes",
    "search",
    "titles",
]
