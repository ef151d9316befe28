"""What the people of our API have said: in memory to answer from, on the disk to keep."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from marquee.clock import seconds
from marquee.errors import AwayError, MarqueeError, SourceError
from scoring.recommender.model import Recommender
from sources.feedback import Feedback, append_feedback, read_feedback, try_to_keep

EVERYTHING = None
"""Stands for a movie id where a person takes back all they have said, here or elsewhere."""
Said = Mapping[int | None, float | None]
"""Stars by movie id; None where a rating was taken back. `EVERYTHING` is in it where all that was
said before was taken back, also what another server has heard."""
SECONDS_TO_WAIT = 20.0
"""For the folder's lock, which sealing holds for a moment."""


class Journal:
    """Every line is durable before it counts. Safe to use from many threads.

    Reading waits for nothing: what a person has said is a value that is replaced, never changed.
    """

    def __init__(self, folder: Path, server: str, clock: Callable[[], float] = seconds) -> None:
        self._folder = folder
        self._server = server
        self._clock = clock
        self._writing = threading.Lock()
        self._said: dict[str, Said] = {}
        self.lines = 0
        self.trouble = ""
        """Why the last words could not be kept; empty where they were."""
        try:
            self._note(read_feedback(folder))
        except OSError as error:
            raise SourceError(
                f"feedback cannot be read: {_why(error, folder)}",
                "give --feedback a folder that can be read",
            ) from None

    def said(self, person: str) -> Said:
        """All a person has said here, the latest word on each title."""
        return self._said.get(person, {})

    def write(self, person: str, said: Said | Mapping[int, float | None]) -> None:
        """Keep ratings and take-backs; durable when this returns.

        AwayError where the disk refuses or the folder stays locked: then nothing was kept.
        """
        if not said:
            return
        if not self._writing.acquire(timeout=SECONDS_TO_WAIT):
            raise AwayError("ratings were not kept: others wait for the disk", "try again")
        try:
            now = int(self._clock())
            lines = [Feedback(person, movie_id, stars, now) for movie_id, stars in said.items()]
            append_feedback(self._folder, self._server, lines, SECONDS_TO_WAIT)
            self._note(lines)
            self.trouble = ""
        except (OSError, MarqueeError) as error:
            self.trouble = f"ratings cannot be kept: {_why(error, self._folder)}"
            raise AwayError(self.trouble, "nothing was kept; try again later") from error
        finally:
            self._writing.release()

    def look(self) -> str:
        """What is wrong by now, though nobody rates: a disk that was mended is well again, and a
        folder that is gone or no folder is said before a rating is lost. Waits for the disk."""
        is_usable = os.access(self._folder, os.W_OK | os.X_OK) and self._folder.is_dir()
        if self.trouble or not is_usable:
            try:
                try_to_keep(self._folder)
                self.trouble = ""
            except (OSError, MarqueeError) as error:
                self.trouble = f"ratings cannot be kept: {_why(error, self._folder)}"
        return self.trouble

    def _note(self, lines: Iterable[Feedback]) -> None:
        fresh: dict[str, dict[int | None, float | None]] = {}
        for line in lines:
            if line.person not in fresh:
                fresh[line.person] = dict(self.said(line.person))
            if line.movie_id is EVERYTHING:
                fresh[line.person].clear()
            fresh[line.person][line.movie_id] = line.rating
            self.lines += 1
        self._said.update(fresh)


def ratings_now(model: Recommender | None, user_id: int, said: Said) -> dict[int, float]:
    """A person's ratings: what the model was trained on, corrected by what they said since.

    Without a model, what they said here.
    """
    trained = {} if model is None or EVERYTHING in said else model.ratings_of(user_id)
    merged: dict[int, float | None] = dict(trained)
    merged.update((movie_id, stars) for movie_id, stars in said.items() if movie_id is not None)
    return {movie_id: stars for movie_id, stars in merged.items() if stars is not None}


def _why(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({folder})"
    return str(error)
