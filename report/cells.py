"""Formats unchecked JSON values as the text of table cells; a dash where there is no value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from marquee.artefacts.document import dig, flat_figures, number

DASH = "–"


def rows_in(value: Any, *keys: str) -> list[Mapping[str, Any]]:
    """The mappings in the list below `keys`; empty where there is no list."""
    return [row for row in list_or_empty(dig(value, *keys)) if isinstance(row, Mapping)]


def list_or_empty(value: Any) -> list[Any]:
    """The value where it is a list, else an empty list."""
    return value if isinstance(value, list) else []


def text(value: Any, most: int = 120) -> str:
    """The first `most` characters of a string, encodable as UTF-8; a dash for other values."""
    if not isinstance(value, str) or not value:
        return DASH
    return value.encode("utf-8", "replace").decode()[:most]


def cell(value: Any) -> str:
    """Any JSON value as one line."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is not None:
        return figure(number(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def named_figures(values: Any) -> dict[str, str]:
    """Every number of a nested mapping as text, by its flat name."""
    return {key: figure(number(value)) for key, value in flat_figures(values)}


def figure(value: float | None) -> str:
    """A whole number without decimals, other numbers with four decimals."""
    if value is None:
        return DASH
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def signed(value: float | None) -> str:
    """A number with its sign and four decimals: `+0.1230`."""
    return DASH if value is None else f"{unsigned_zero(value, 4):+.4f}"


def share(value: float | None, decimals: int = 1) -> str:
    """A share as a percentage: 0.5 as `50.0%`."""
    return DASH if value is None else f"{unsigned_zero(value, 6):.{decimals}%}"


def dollars(value: float | None) -> str:
    """Millions as `$1.25 m` or `$12 m`, amounts below $100,000 in full."""
    if value is None:
        return DASH
    if abs(value) < 1e5:
        return f"${value:,.0f}"
    return f"${value / 1e6:,.2f} m" if value < 1e7 else f"${value / 1e6:,.0f} m"


def factor(value: float | None) -> str:
    """A factor: `×2.10`."""
    return DASH if value is None else f"×{value:.2f}"


def interval_text(ends: Any, form: Any = figure) -> str:
    """An interval as `low to high`; `form` formats each end."""
    found = interval_of(ends)
    return DASH if found is None else f"{form(found[0])} to {form(found[1])}"


def interval_of(ends: Any) -> tuple[float, float] | None:
    """The ends (low, high) of a list of two finite numbers in order; else None."""
    low, high = (number(e) for e in ends) if len(list_or_empty(ends)) == 2 else (None, None)
    return None if low is None or high is None or low > high else (low, high)


def log10_of(value: float | None) -> float | None:
    """The logarithm of a positive number, else None."""
    return math.log10(value) if value is not None and value > 0 else None


def unsigned_zero(value: float, digits: int) -> float:
    """The value rounded; negative zero becomes zero."""
    return round(value, digits) + 0.0
