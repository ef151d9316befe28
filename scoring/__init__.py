"""Scores a bundle with NumPy alone: the code that is measured is the code that serves.

- `recommender`, `budget`: the two models.
- `any_bundle`: a bundle of either model: its kind, loading it, measuring it on a user's file.
- `model_comparison`: the interval of a difference between two models; the choice among recipes.
- `evaluation_blocks`: what both evaluations share: golden report, calibration, holdout record.
- `arrays`: types of arrays, and operations on their rows.
"""

__all__ = [
    "any_bundle",
    "arrays",
    "budget",
    "evaluation_blocks",
    "model_comparison",
    "recommender",
]
