"""From an evaluation to what serves: policy, gate, verdict, ledger, promotion, report."""
