"""The budget model: estimates from a bundle with NumPy, and its holdout evaluation.

- `model`: `BudgetModel` loads a bundle, answers a query, explains the answer.
- `features`: `BudgetQuery`, the four questions, the encoder, the costs of missing fields.
- `lookup`: track records, nearest titles and the feature vector, from arrays made once.
- `predictor`: the arithmetic of an answer: linear model, curves, trend, spread of errors.
- `flat_trees`: weighted sums of trees as flat arrays.
- `bundle`: the bundle's files and golden queries.
- `known_titles`: titles with known budgets, from a split or a user's file.
- `baselines`: median by genre and ridge regression, which the model must beat.
- `holdout`: errors of a model by director, paired comparisons, the holdout record.
- `holdout_evaluation`: `evaluation.json`.
- `spark_stages`: Spark's feature stages and curves in NumPy.
- `stage_chain`: a recipe's chain of these stages, from a title's fields to features.
"""

__all__ = [
    "baselines",
    "bundle",
    "features",
    "flat_trees",
    "holdout",
    "holdout_evaluation",
    "known_titles",
    "lookup",
    "model",
    "predictor",
    "spark_stages",
    "stage_chain",
]
