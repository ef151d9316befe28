"""Numbers out of an evaluation nobody has checked yet.

The gate must answer whatever it is handed. Here a value that is missing, of another kind, NaN or
infinite becomes `None`, and the conditions turn `None` into a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def dig(value: Any, *keys: str) -> Any:
    """What lies below `keys`; None where any of them leads nowhere."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number(value: Any, *keys: str) -> float | None:
    """The finite number below `keys`, or None."""
    found = dig(value, *keys)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        as_float = float(found)
    except OverflowError:  # an integer beyond what a float holds
        return None
    return as_float if math.isfinite(as_float) else None


def figures(value: Any) -> list[tuple[str, Any]]:
    """Every figure of a table and of the tables inside it, with its name (outer / inner)."""
    found: list[tuple[str, Any]] = []
    waiting = [("", value)] if isinstance(value, Mapping) else []
    while waiting:  # not recursive: whoever nests without end must not end the gate
        path, table = waiting.pop()
        for key, inner in table.items():
            if isinstance(inner, Mapping):
                waiting.append((name(f"{path}{name(key)} / "), inner))
            else:
                found.append((name(path + name(key)), inner))
    return found


def name(value: Any, most: int = 60) -> str:
    """Text somebody else wrote, cut and fit to print anywhere (lone surrogates included)."""
    text = value if isinstance(value, str) else f"a {type(value).__name__}"
    return text.encode("utf-8", "replace").decode()[:most]
