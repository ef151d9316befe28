"""What one room writes into the lake and another reads: typed values with a version (ADR 20).

- `document`: how a JSON document is read, typed and whole or one value at a time
- `inputs`: `inputs.json`, what one run reads, and what its form requested
- `model_card`: `card.json`, what is recorded of a model, and `data.json`, of its data
- `evaluation`: `evaluation.json`, one model on its holdout
- `verdict`: `verdict.json`, the gate's decision with every condition
- `ledger_entry`: one numbered entry of a ledger
"""

__all__ = [
    "document",
    "evaluation",
    "inputs",
    "ledger_entry",
    "model_card",
    "verdict",
]
