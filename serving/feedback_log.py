"""The feedback log: the ratings that people give through the API.

The routes write to it and read from it. It answers from memory and keeps every line on the disk, in
the files of `sources.feedback_segments`. `serving.feedback_hand_over` publishes them to the lake,
and fetches what other servers heard.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from marquee.clock import seconds
from marquee.errors import AwayError, MarqueeError, SourceError
from serving.engines import RecommenderEngine
from sources.feedback_lines import Feedback, segment_names
from sources.feedback_segments import OTHERS, append_feedback, check_writable, read_feedback

EVERYTHING = None
"""The movie id of a line that takes back all ratings of a person, on every server."""
PersonFeedback = Mapping[int | None, float | None]
"""One person's feedback: stars by movie id, or None for a rating that was taken back. The key
`EVERYTHING` says that all earlier ratings were taken back."""
log = logging.getLogger("marquee.serving")
SECONDS_TO_WAIT = 20.0
"""How long a write waits for the folder's lock. The weekly run holds it while it seals segments."""


class FeedbackLog:
    """Ratings in memory and on the disk; safe to use from many threads.

    A line is durable before it counts. Readers need no lock: a write replaces a person's feedback
    by a new mapping.
    """

    def __init__(self, folder: Path, server: str, clock: Callable[[], float] = seconds) -> None:
        self.folder = folder
        self.server = server
        self._clock = clock
        self._writing = threading.Lock()
        self._by_person: dict[str, PersonFeedback] = {}
        self.written = threading.Event()
        """Set after each write; whoever waits for it clears it (`broker.feedback_outbox`)."""
        self.lines = 0
        self.failure = ""
        """Why the last write failed; empty if it succeeded."""
        self._seen: set[tuple[Path, int, int]] = set()
        self._unread = ""
        try:
            self.read_again()
        except OSError as error:
            raise SourceError(
                f"feedback cannot be read: {_reason(error, folder)}",
                "give --feedback a folder that can be read",
            ) from None

    def read_again(self) -> None:
        """Read all lines from the disk, also those that were fetched of other servers meanwhile.

        Writes wait; requests that read see the state before or the one after.
        """
        with self._writing:
            found: dict[str, dict[int | None, float | None]] = {}
            lines = 0
            for line in read_feedback(self.folder):
                _apply(line, found.setdefault(line.person, {}))
                lines += 1
            self._by_person, self.lines = dict(found), lines

    def refresh(self) -> None:
        """Read again where another process has written since; for a log that nobody here writes.

        Where that fails, what was read stays, and the next call tries again.
        """
        try:
            found = self._segments()
            if found != self._seen:
                self.read_again()
                self._seen = found
            unread = ""
        except OSError as error:  # also: a segment that was sealed or taken away meanwhile
            unread = f"feedback cannot be read again: {_reason(error, self.folder)}"
        if unread and unread != self._unread:
            log.warning("%s; what was read before counts", unread)
        self._unread = unread

    def _segments(self) -> set[tuple[Path, int, int]]:
        """The segments of this folder, with the size and the time of each."""
        names = [*segment_names(self.folder), *segment_names(self.folder / OTHERS)]
        stats = ((name.path, name.path.stat()) for name in names)
        return {(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats}

    def feedback_of(self, person: str) -> PersonFeedback:
        """A person's feedback to this server: the latest stars for each title."""
        return self._by_person.get(person, {})

    def write(self, person: str, feedback: PersonFeedback | Mapping[int, float | None]) -> None:
        """Keep ratings, and None for ratings taken back; durable when this returns.

        Raises AwayError, and keeps nothing, if the disk refuses or the folder stays locked.
        """
        if not feedback:
            return
        if not self._writing.acquire(timeout=SECONDS_TO_WAIT):
            raise AwayError("ratings were not kept: others wait for the disk", "try again")
        try:
            now = int(self._clock())
            lines = [Feedback(person, movie_id, stars, now) for movie_id, stars in feedback.items()]
            append_feedback(self.folder, self.server, lines, SECONDS_TO_WAIT)
            self._add(lines)
            self.failure = ""
            self.written.set()
        except (OSError, MarqueeError) as error:
            self.failure = f"ratings cannot be kept: {_reason(error, self.folder)}"
            raise AwayError(self.failure, "nothing was kept; try again later") from error
        finally:
            self._writing.release()

    def check(self) -> str:
        """Why ratings cannot be kept at this moment; empty if they can. Waits for the disk.

        It writes a test file if the last write failed or the folder is unusable. So health checks
        notice a mended disk, or a missing folder, without waiting for the next rating.
        """
        is_usable = os.access(self.folder, os.W_OK | os.X_OK) and self.folder.is_dir()
        if self.failure or not is_usable:
            try:
                check_writable(self.folder)
                self.failure = ""
            except (OSError, MarqueeError) as error:
                self.failure = f"ratings cannot be kept: {_reason(error, self.folder)}"
        return self.failure

    def _add(self, lines: Iterable[Feedback]) -> None:
        updated: dict[str, dict[int | None, float | None]] = {}
        for line in lines:
            if line.person not in updated:
                updated[line.person] = dict(self.feedback_of(line.person))
            _apply(line, updated[line.person])
            self.lines += 1
        self._by_person.update(updated)


def current_ratings(
    model: RecommenderEngine | None, user_id: int, feedback: PersonFeedback
) -> dict[int, float]:
    """A person's ratings by movie id: the model's training data, overruled by feedback.

    Without a model, only the feedback to this server counts.
    """
    trained = {} if model is None or EVERYTHING in feedback else model.ratings_of(user_id)
    merged: dict[int, float | None] = dict(trained)
    merged.update((movie, stars) for movie, stars in feedback.items() if movie is not None)
    return {movie_id: stars for movie_id, stars in merged.items() if stars is not None}


def _apply(line: Feedback, feedback: dict[int | None, float | None]) -> None:
    """Add one line to a person's feedback."""
    if line.movie_id is EVERYTHING:
        feedback.clear()
    feedback[line.movie_id] = line.rating


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError):
        return f"{error.strerror or error} ({folder})"
    return str(error)
