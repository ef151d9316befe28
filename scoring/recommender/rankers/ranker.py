"""What every family of rankers answers. Titles and people are rows of the bundle's ids."""

from __future__ import annotations

from typing import Protocol

from scoring.arrays import Floats, Mask, Rows


class Ranker(Protocol):
    """Scores are comparable within one answer only; `rated` is always oldest first."""

    @property
    def known(self) -> Mask:
        """Which of the I titles it can rank, and learn from when they were rated."""

    def personal(self, user: int, rated: Rows) -> Floats:
        """Scores [I] for a person of the training rows."""

    def fold_in(self, rated: Rows) -> Floats:
        """Scores [I] for a person known by these titles alone."""

    def reasons(self, rated: Rows, wanted: Rows) -> Floats:
        """How much each rated title adds to each wanted title's score; [wanted, rated]."""

    def similarities(self, title: int) -> Floats:
        """How near each title [I] is; minus infinity for itself and where nothing is known."""
