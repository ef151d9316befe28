"""Typed documents, with a format version, that one room writes into the lake and another reads
(ADR 20).

- `document`: functions that read a JSON document as a typed value, or one key of it
- `inputs`: `inputs.json`, the datasets and settings of one run
- `model_card`: `card.json`, the description of a model, and `data.json`, the figures of its data
- `evaluation`: `evaluation.json`, the metrics of one model on its holdout
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
