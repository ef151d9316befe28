"""Scores the budget model with NumPy: answers from a bundle, and its holdout evaluation.

model               BudgetModel: load a bundle, answer a query, explain the answer
features            BudgetQuery, the four questions, track records, and the vector of a query
predictor           the arithmetic of an answer: linear model, trees, trend, spread
bundle              the bundle's files and golden queries
known_titles        titles with budgets, from a split or from a user's file
baselines           what the model must beat
holdout             the titles held out, their errors by director, the holdout record
holdout_evaluation  `evaluation.json`
spark_stages        Spark's feature stages in NumPy
"""

__all__ = [
    "baselines",
    "bundle",
    "features",
    "holdout",
    "holdout_evaluation",
    "known_titles",
    "model",
    "predictor",
    "spark_stages",
]
