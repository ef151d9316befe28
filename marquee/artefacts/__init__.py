"""What one room writes into the lake and another reads: typed values with a version (ADR 29)."""

__all__ = [
    "card",
    "condition",
    "document",
    "evaluation",
    "formats",
    "inputs",
    "ledger_entry",
    "reading",
    "subject",
    "verdict",
]
