"""Scores a bundle with NumPy alone: the code that is measured is the code that serves.

`recommender` and `budget` are the two models; here lies what both use.
"""

__all__ = ["arrays", "budget", "choice", "golden", "on_file", "recommender"]
