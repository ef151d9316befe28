"""Scores a bundle with NumPy alone. The evaluation and serving run this same code.

- `recommender`, `budget`: the two models.
- `any_bundle`: finds out a bundle's model, loads it, measures it on a user's own file.
- `model_comparison`: paired bootstrap of two models; the choice among recipes.
- `evaluation_blocks`: blocks of both `evaluation.json`: golden report, calibration, holdout record.
- `arrays`: array types, and operations on their rows.
"""

__all__ = [
    "any_bundle",
    "arrays",
    "budget",
    "evaluation_blocks",
    "model_comparison",
    "recommender",
]
