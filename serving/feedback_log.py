"""The feedback log: what people of our API rate, in memory to answer from, on the disk to keep.

The routes write through it; `sources.feedback_segments` owns the files, which the weekly run
publishes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from marquee.clock import seconds
from marquee.errors import AwayError, MarqueeError, SourceError
from serving.engines import RecommenderEngine
from sources.feedback_lines import Feedback
from sources.feedback_segments import append_feedback, check_writable, read_feedback

EVERYTHING = None
"""Stands for a movie id where a person takes back all their ratings, on this server or another."""
PersonFeedback = Mapping[int | None, float | None]
"""Stars by movie id; None where a rating was taken back. The key `EVERYTHING` means that all
earlier ratings were taken back, also those another server has received."""
SECONDS_TO_WAIT = 20.0
"""For the folder's lock, which sealing holds for a moment."""


class FeedbackLog:
    """Every line is durable before it counts. Safe to use from many threads.

    Reading waits for nothing: a person's feedback is a value that is replaced, never changed.
    """

    def __init__(self, folder: Path, server: str, clock: Callable[[], float] = seconds) -> None:
        self._folder = folder
        self._server = server
        self._clock = clock
        self._writing = threading.Lock()
        self._by_person: dict[str, PersonFeedback] = {}
        self.lines = 0
        self.failure = ""
        """Why the last ratings could not be kept; empty where they were."""
        try:
            self._add(read_feedback(folder))
        except OSError as error:
            raise SourceError(
                f"feedback cannot be read: {_reason(error, folder)}",
                "give --feedback a folder that can be read",
            ) from None

    def feedback_of(self, person: str) -> PersonFeedback:
        """A person's feedback on this server: the latest line for each title."""
        return self._by_person.get(person, {})

    def write(self, person: str, feedback: PersonFeedback | Mapping[int, float | None]) -> None:
        """Keep ratings and take-backs; durable when this returns.

        AwayError where the disk refuses or the folder stays locked: then nothing was kept.
        """
        if not feedback:
            return
        if not self._writing.acquire(timeout=SECONDS_TO_WAIT):
            raise AwayError("ratings were not kept: others wait for the disk", "try again")
        try:
            now = int(self._clock())
            lines = [Feedback(person, movie_id, stars, now) for movie_id, stars in feedback.items()]
            append_feedback(self._folder, self._server, lines, SECONDS_TO_WAIT)
            self._add(lines)
            self.failure = ""
        except (OSError, MarqueeError) as error:
            self.failure = f"ratings cannot be kept: {_reason(error, self._folder)}"
            raise AwayError(self.failure, "nothing was kept; try again later") from error
        finally:
            self._writing.release()

    def check(self) -> str:
        """Why ratings cannot be kept at this moment; empty where they can. Waits for the disk.

        It tries the disk where the last write failed or the folder is unusable. So a mended disk
        counts as well without a new rating, and a missing folder shows before a rating is lost.
        """
        is_usable = os.access(self._folder, os.W_OK | os.X_OK) and self._folder.is_dir()
        if self.failure or not is_usable:
            try:
                check_writable(self._folder)
                self.failure = ""
            except (OSError, MarqueeError) as error:
                self.failure = f"ratings cannot be kept: {_reason(error, self._folder)}"
        return self.failure

    def _add(self, lines: Iterable[Feedback]) -> None:
        updated: dict[str, dict[int | None, float | None]] = {}
        for line in lines:
            if line.person not in updated:
                updated[line.person] = dict(self.feedback_of(line.person))
            if line.movie_id is EVERYTHING:
                updated[line.person].clear()
            updated[line.person][line.movie_id] = line.rating
            self.lines += 1
        self._by_person.update(updated)


def current_ratings(
    model: RecommenderEngine | None, user_id: int, feedback: PersonFeedback
) -> dict[int, float]:
    """A person's ratings: those the model was trained on, corrected by their feedback since then.

    Without a model, their feedback on this server alone.
    """
    trained = {} if model is None or EVERYTHING in feedback else model.ratings_of(user_id)
    merged: dict[int, float | None] = dict(trained)
    merged.update((movie, stars) for movie, stars in feedback.items() if movie is not None)
    return {movie_id: stars for movie_id, stars in merged.items() if stars is not None}


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({folder})"
    return str(error)
