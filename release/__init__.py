"""From an evaluation to what serves: policy, gate, verdict, ledger, promotion, report."""

__all__ = [
    "acceptance",
    "bundles",
    "judge",
    "ledger",
    "live",
    "metric",
    "outcome",
    "promotion",
    "replay",
    "rollback",
    "same_world",
    "timeline",
    "witness",
    "world",
]
