"""The recommender: `model.Recommender` loads a bundle and answers, `evaluate` measures it."""

__all__ = [
    "baselines",
    "bundle",
    "evaluate",
    "exam",
    "fold_in",
    "live_record",
    "metrics",
    "model",
    "rankers",
    "ratings",
    "ratings_file",
    "releases",
    "splits",
    "top_n_file",
]
