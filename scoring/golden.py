"""Golden queries: answers the training job recorded, which a loaded bundle must repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.arrays import Floats


@dataclass(frozen=True)
class GoldenReport:
    """How many golden queries were asked, which failed, and the worst difference seen.

    `worst` is relative to the tolerance's scale: |a - b| / (1 + |b|).
    """

    count: int
    failures: tuple[str, ...]
    worst: float

    @property
    def passed(self) -> bool:
        """At least one query was asked, and none failed."""
        return self.count > 0 and not self.failures

    def as_json(self) -> dict[str, Any]:
        """The form `evaluation.json` keeps: the number of failures, not their texts."""
        return {"count": self.count, "failures": len(self.failures), "worst": self.worst}


def differences(answers: Floats, recorded: Floats) -> Floats:
    """|a - b| / (1 + |b|): at most 1e-5 is |a - b| <= 1e-5 + 1e-5 |b|. NaN counts as infinite."""
    apart = np.abs(answers - recorded) / (1.0 + np.abs(recorded))
    return np.where(np.isfinite(apart), apart, np.inf)
