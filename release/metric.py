"""The metrics the gate compares on, and how a person reads them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric by its key in `evaluation.json`."""

    key: str
    label: str
    lower_is_better: bool


RMSE = Metric("rmse", "RMSE", lower_is_better=True)
"""Root mean square error in stars, every holdout pair answered."""
NDCG = Metric("ndcg@10", "nDCG@10", lower_is_better=False)
"""Over the whole catalogue without what the person rated in train; relevant: rated at least 4."""
LOG_RMSE = Metric("log_rmse", "log-RMSE", lower_is_better=True)
"""Root mean square error in log10 dollars, asked with the film's rating where it has one."""
LOG_RMSE_BEFORE = Metric("log_rmse_before_release", "log-RMSE before release", lower_is_better=True)
"""The same asked without the rating, as of a film that nobody has seen."""
