"""Values somebody else wrote, as the text of a table's cell."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from marquee.artefacts.reading import dig, figures, number

DASH = "–"


def rows_in(value: Any, *keys: str) -> list[Mapping[str, Any]]:
    """The mappings of the list below `keys`; nothing where there is none."""
    return [row for row in listed(dig(value, *keys)) if isinstance(row, Mapping)]


def listed(value: Any) -> list[Any]:
    """A list as it is, anything else as nothing."""
    return value if isinstance(value, list) else []


def text(value: Any, most: int = 120) -> str:
    """Text, cut and fit to print; a dash for anything else."""
    if not isinstance(value, str) or not value:
        return DASH
    return value.encode("utf-8", "replace").decode()[:most]


def cell(value: Any) -> str:
    """Any JSON value in one line."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is not None:
        return figure(number(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def shown(values: Any) -> dict[str, str]:
    """Every figure of a table and of those inside it, by name."""
    return {key: figure(number(value)) for key, value in figures(values)}


def figure(value: float | None) -> str:
    """Whole numbers whole, the rest with the four decimals that metrics are compared in."""
    if value is None:
        return DASH
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def signed(value: float | None) -> str:
    """With its sign, four decimals."""
    return DASH if value is None else f"{unsigned_zero(value, 4):+.4f}"


def share(value: float | None, decimals: int = 1) -> str:
    """As a percentage."""
    return DASH if value is None else f"{unsigned_zero(value, 6):.{decimals}%}"


def dollars(value: float | None) -> str:
    """`$12.5 million`; small amounts in full."""
    if value is None:
        return DASH
    if abs(value) < 1e5:
        return f"${value:,.0f}"
    return f"${value / 1e6:,.2f} m" if value < 1e7 else f"${value / 1e6:,.0f} m"


def factor(value: float | None) -> str:
    """What multiplies an estimate: `×2.10`."""
    return DASH if value is None else f"×{value:.2f}"


def span(ends: Any, form: Any = figure) -> str:
    """Two ends of an interval as `low to high`."""
    found = interval_of(ends)
    return DASH if found is None else f"{form(found[0])} to {form(found[1])}"


def interval_of(ends: Any) -> tuple[float, float] | None:
    """Two finite ends in order, or None."""
    low, high = (number(e) for e in ends) if len(listed(ends)) == 2 else (None, None)
    return None if low is None or high is None or low > high else (low, high)


def log10_of(value: float | None) -> float | None:
    """The logarithm where there is one."""
    return math.log10(value) if value is not None and value > 0 else None


def unsigned_zero(value: float, digits: int) -> float:
    """Rounded, and never a minus zero."""
    return round(value, digits) + 0.0
