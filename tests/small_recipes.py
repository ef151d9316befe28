"""Recipes that cost little, for tests of what is around training: both pass the gate.

What ships by default is trained by the run of a real release, `tests/stack/test_real_release.py`.
"""

from __future__ import annotations

from typing import Any

RECOMMENDER: dict[str, Any] = {
    "name": "quick",
    "family": "bayes",
    "likelihood": "normal",
    "noise_shape": 2.5,
    "rank": 8,
    "chains": 1,
    "sweeps": 60,
    "burn_in": 20,
    "every": 1,
    "side_columns": 8,
    "packed_rank": 16,
    "most_gigabytes": 1.0,
    "most_teraoperations": 0.1,
    "ranker": {
        "family": "ease",
        "titles": 500,
        "keep": 100,
        "reg": 60.0,
        "stars": {"neutral": 0.4},
    },
}
BUDGET: dict[str, Any] = {
    "name": "line",
    "family": "linear",
    "reg": 0.05,
    "elastic": 0.0,
    "director_smoothing": 3.0,
}
