"""Ratings people send: within the scale, or a problem that names the first that is not."""

from __future__ import annotations

from collections.abc import Sequence

from serving.answers import Rating
from serving.problems import ProblemError


def within_scale(ratings: Sequence[Rating], scale: tuple[float, float]) -> None:
    """Raises a 422 problem for stars outside the scale."""
    lowest, highest = scale
    wrong = [r for r in ratings if not lowest <= r.rating <= highest]
    if wrong:
        raise ProblemError(
            422,
            f"{wrong[0].rating} stars for title {wrong[0].movie_id} is off the scale",
            f"give {lowest} to {highest}",
        )
