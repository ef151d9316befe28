"""Money across currencies and years: annual exchange rates, consumer prices, both as data."""

from marquee.money.prices import PriceIndex
from marquee.money.rates import Coverage, Dollars, RateTable, rate_sources
from marquee.money.unlabelled import CERTAIN, Reading, read_unlabelled

__all__ = [
    "CERTAIN",
    "Coverage",
    "Dollars",
    "PriceIndex",
    "RateTable",
    "Reading",
    "rate_sources",
    "read_unlabelled",
]
