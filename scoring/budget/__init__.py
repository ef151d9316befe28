"""The budget model: `model.BudgetModel` loads a bundle and answers, `evaluate` measures it."""

__all__ = [
    "bundle",
    "clusters",
    "evaluate",
    "exam",
    "features",
    "films",
    "films_file",
    "interval",
    "known_films",
    "model",
    "records",
    "stages",
    "trees",
    "trend",
]
