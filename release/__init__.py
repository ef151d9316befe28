"""From an evaluation to the champion: the gate, the ledger and the rules of promotion.

Modules that other rooms use:

- `gate`: the table of conditions, and the pure decision on one case
- `judge`: the gate at the lake: reads a run's case, decides, writes the verdict once
- `champion_conditions`: group 4, the challenger beside the champion
- `same_world`: group 5, the challenger's training data beside the champion's
- `losses`: metrics, paired comparisons, and the balance of accepted losses
- `ledger`: the numbered, hash-linked history whose last entry names the champion
- `promotion`: the rules by which a judged bundle becomes champion, and the folder it lies in
- `manual_entries`: roll back, release a hold, accept changed data
- `outcomes`: what happened after a verdict

Inside: `evaluation_conditions` (groups 1, 2, 3 and 6) and `recorded_champion` (group 4 beside the
champion's record).
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
