"""The gate, the ledger and the rules of promotion: from an evaluation to the champion.

Modules that other rooms use:

- `gate`: the table of conditions; the pure decision on one case
- `judge`: reads a run's case from the lake, decides, writes the verdict once
- `champion_conditions`: group 4, the challenger compared with the champion
- `same_world`: group 5, the challenger's training data compared with the champion's
- `losses`: metrics, paired comparisons, and the balance of accepted losses
- `ledger`: the numbered, hash-linked history; its last entry names the champion
- `promotion`: the rules of promotion; where a promoted bundle lies
- `manual_entries`: roll back, release a hold, accept changed data
- `outcomes`: what happened after a verdict

Inside: `evaluation_conditions` (groups 1, 2 and 6), `baseline_conditions` (group 3) and
`recorded_champion` (group 4, compared with the champion's holdout record).
"""

__all__ = [
    "judge",
    "ledger",
    "losses",
    "manual_entries",
    "outcomes",
    "promotion",
    "same_world",
]
