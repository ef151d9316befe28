"""What every dataset must look like, checked at each door."""

from marquee.contracts.contract import Column, Contract
from marquee.contracts.datasets import CONTRACTS, FEEDBACK, RATINGS, TITLE_ITEM, TITLES

__all__ = ["CONTRACTS", "FEEDBACK", "RATINGS", "TITLES", "TITLE_ITEM", "Column", "Contract"]
