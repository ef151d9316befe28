"""Numbers out of an evaluation nobody has checked yet.

The gate must answer whatever it is handed. Here a value that is missing, of another kind, NaN or
infinite becomes `None`, and the conditions turn `None` into a refusal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SAME = 1e-6
"""Two spellings of one metric may differ by so much (relative above 1, absolute below)."""
FIGURES = ("challenger", "other", "difference", "upper95", "lower95")


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


@dataclass(frozen=True)
class Loss:
    """How much worse the challenger is than another model on one metric; negative is better."""

    metric: str
    other: float
    challenger: float
    point: float
    upper: float
    """One-sided 95 % bound: the loss is not shown to be larger."""
    lower: float
    """One-sided 95 % bound: the loss is not shown to be smaller."""

    def share(self, loss: float) -> float:
        """`loss` as a share of the other model's figure."""
        if self.other > 0:
            return loss / self.other
        return math.copysign(math.inf, loss) if loss else 0.0


def read_loss(evaluation: Any, against: str, metric: str, lower_is_better: bool) -> Loss | None:
    """The paired comparison on `metric` as a loss.

    None where a number is missing, or the comparison contradicts itself or the metric it is
    about: a comparison made on other rows says nothing.
    """
    found = dig(evaluation, "versus", against, metric)
    figures = [number(found, key) for key in FIGURES] + [number(evaluation, "metrics", metric)]
    known = [figure for figure in figures if figure is not None]
    if len(known) < len(figures):
        return None
    challenger, other, difference, upper, lower, measured = known
    about_this = _same(challenger, measured) and _same(difference, challenger - other)
    if not about_this or other < 0 or not lower - SAME <= difference <= upper + SAME:
        return None
    if lower_is_better:
        return Loss(metric, other, challenger, difference, upper, lower)
    return Loss(metric, other, challenger, -difference, -lower, -upper)


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(1.0, abs(a), abs(b))
