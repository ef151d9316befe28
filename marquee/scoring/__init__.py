"""Scores a bundle with NumPy alone: the code that is measured is the code that serves.

`recommender.Recommender` and `budget.BudgetModel` load bundles and answer; `evaluate_recommender`
and `evaluate_budget` measure them; the rest are the parts they are made of.
"""
