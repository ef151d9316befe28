"""What the people of our API have said: in memory to answer from, on the disk to keep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from marquee.clock import seconds
from marquee.scoring.recommender.model import Recommender
from marquee.sources.feedback import Feedback, append_feedback, read_feedback

Said = dict[int, float | None]
"""Stars by movie id; None where a rating was taken back."""


class Journal:
    """Every line is durable before it counts. Safe to use from many threads."""

    def __init__(self, folder: Path, server: str, clock: Callable[[], float] = seconds) -> None:
        self._folder = folder
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[str, Said] = {}
        self.lines = 0
        for line in read_feedback(folder):
            self._note(line)

    def said(self, person: str) -> Said:
        """All a person has said here, the latest word on each title."""
        with self._lock:
            return dict(self._said.get(person, {}))

    def write(self, person: str, said: Mapping[int, float | None]) -> None:
        """Keep ratings and take-backs; durable when this returns."""
        now = int(self._clock())
        lines = [Feedback(person, movie_id, stars, now) for movie_id, stars in said.items()]
        if not lines:
            return
        with self._lock:
            append_feedback(self._folder, self._server, lines)
            for line in lines:
                self._note(line)

    def _note(self, line: Feedback) -> None:
        self._said.setdefault(line.person, {})[line.movie_id] = line.rating
        self.lines += 1


def ratings_now(model: Recommender, user_id: int, said: Said) -> dict[int, float]:
    """A person's ratings: what the model was trained on, corrected by what they said since."""
    merged: Said = {**model.ratings_of(user_id), **said}
    return {movie_id: stars for movie_id, stars in merged.items() if stars is not None}
