"""Money across currencies and years: annual exchange rates, consumer prices, both as data."""

from marquee.money.prices import PriceIndex
from marquee.money.rates import Dollars, RateTable

__all__ = ["Dollars", "PriceIndex", "RateTable"]
