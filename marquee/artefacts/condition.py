"""One condition of the gate, and the groups the design counts them in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GROUPS: Mapping[int, str] = {
    1: "sound",
    2: "good enough",
    3: "better than trivial",
    4: "not worse than the champion",
    5: "same world",
    6: "servable",
}
"""The conditions' numbers as the design counts them."""


@dataclass(frozen=True)
class Condition:
    """One thing the gate asks: what was measured, what was asked for, and a sentence."""

    number: int
    name: str
    passed: bool
    sentence: str
    measured: float | None = None
    relation: str = ""
    """Stands before the bound: `at most`, `at least`, `loss below`, `loss at most`."""
    bound: float | None = None
    form: Literal["figure", "share", "count"] = "figure"

    @property
    def group(self) -> str:
        """The design's word for the condition's number."""
        return GROUPS[self.number]
