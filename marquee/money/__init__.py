"""Money across currencies and years: annual exchange rates, consumer prices, both as data."""

from marquee.money.prices import PriceIndex
from marquee.money.rates import Coverage, Dollars, RateTable, rate_sources

__all__ = ["Coverage", "Dollars", "PriceIndex", "RateTable", "rate_sources"]
