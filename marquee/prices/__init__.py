"""Conversion of amounts of money between currencies and between years.

- `dollars`: annual exchange rates and US consumer prices, as tables and as conversions
- `unlabelled`: the likeliest currency of an amount whose source names none
- `data/`: the tables; `data/SOURCES.md` names their sources
"""

from marquee.prices.dollars import (
    PLAUSIBLE_BUDGET,
    Coverage,
    Dollars,
    PriceIndex,
    RateTable,
    is_plausible_budget,
    rate_sources,
)
from marquee.prices.unlabelled import CERTAIN, InferredCurrency, infer_currency

__all__ = [
    "CERTAIN",
    "PLAUSIBLE_BUDGET",
    "Coverage",
    "Dollars",
    "InferredCurrency",
    "PriceIndex",
    "RateTable",
    "infer_currency",
    "is_plausible_budget",
    "rate_sources",
]
