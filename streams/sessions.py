"""The sessions of a stream: any trouble ends one, and the next begins where the last one was.

Both kinds of streams share what stands here: what was done, and the topics. Each session finds out
which topics are there, for somebody may delete them.

A topic that is deleted and made anew has another id, and its offsets begin at zero again. So an
offset means nothing without the id of its topic: the offsets of the group carry it as metadata, and
the markers of Spark as a field. An offset without an id was written by a version before, or where
we may not ask for ids; it counts as one of the present topic.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from broker.client import SECONDS_TO_ANSWER, Brokers, Offsets, Topic
from marquee.daemon_settings import StreamSettings
from marquee.errors import AwayError, MarqueeError, NameTakenError, SettingsError
from marquee.process_secrets import KAFKA_LOGIN
from streams.messages import Answer, Refused

if TYPE_CHECKING:
    from confluent_kafka import Consumer

SECONDS_BETWEEN_SESSIONS = 1.0
"""Pause before a new session, where the last one ended with an error."""
LOSSES, SECONDS_OF_A_SHORT_SESSION = 4, 3600.0
"""So many sessions in a row that lost the name, each within an hour, tell of a twin. Spark learns
of a loss with its next request, a loop within seconds."""
SECONDS_BETWEEN_CHECKS = 1.0
"""A stream that reads nothing asks so often whether its topic is still there."""
SECONDS_TO_LEAVE = 60.0
"""A topic that is deleted while a stream runs is left to whoever deleted it for so long: they may
want to make it anew with other settings."""
CHECKPOINT = {"metadata", ".metadata.crc", "offsets", "commits", "sources", "state"}
"""What Spark writes there; a version before had it in the folder itself."""
SESSION = "session-"
SECONDS_OF_AN_OLD_ONE = 86_400.0
"""A session's checkpoint is a folder of its own; one that is a day old was left by a kill."""
OWN = {one.__name__: one for one in (SettingsError, NameTakenError)}
"""Our errors that say more than that a retry may help."""
REFUSED = re.compile(r"((?:Sasl|Ssl)AuthenticationException|\w*AuthorizationException): ([^\n]+)")
"""Of Kafka's client for Java: credentials, a certificate or a right; a retry meets it again."""
log = logging.getLogger("marquee.streams")


@dataclass
class Progress:
    """What a stream has done since its start, and what waits."""

    answered: int = 0
    problems: int = 0
    """Of the answers, how many are problem documents."""
    refused: int = 0
    batches: int = 0
    sessions: int = 0
    failure: str = ""
    """Why it waits; empty while it answers."""
    lag: dict[int, int] = field(default_factory=dict)
    """Requests that wait, by partition."""

    def count(self, outcomes: list[Answer | Refused]) -> None:
        """Count one committed batch."""
        answers = [one for one in outcomes if isinstance(one, Answer)]
        self.batches += 1
        self.answered += len(answers)
        self.problems += sum(one.status != 200 for one in answers)
        self.refused += len(outcomes) - len(answers)

    def facts(self) -> dict[str, Any]:
        """All of it, for people and scripts; of the lag its sum, None before it is known."""
        return asdict(self) | {"lag": sum(self.lag.values()) if self.lag else None}

    @property
    def why_unready(self) -> str:
        """Why no request is answered at this moment; empty if any would be."""
        return self.failure if self.sessions else "the stream has not begun"

    def report(self, failure: str) -> None:
        """Note why it waits, or that it does not; a change is one line in the log."""
        if failure != self.failure:
            log.warning("%s", failure) if failure else log.info("requests are answered again")
        self.failure = failure


class MadeAnewError(AwayError):
    """The topic of requests is another one than the session has read."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} was made anew", "it is read from its beginning")


class StreamTopics:
    """The topics of one stream. `id` is that of the topic of requests which is read."""

    def __init__(
        self, brokers: Brokers, settings: StreamSettings, seconds_to_leave: float = SECONDS_TO_LEAVE
    ) -> None:
        self.id = ""
        """Empty before the first look, and where we may not ask for it."""
        self._brokers = brokers
        self._settings = settings
        self._seconds_to_leave = seconds_to_leave
        self._admin: Any = None
        self._asking = ThreadPoolExecutor(1, "ask-topic")
        self._were_there = False
        self._missing_since: float | None = None

    def ensure(self) -> None:
        """Make what is missing: at the start at once, later only after a while.

        Raises AwayError where a topic was deleted, and may be made anew by somebody else.
        """
        missing = sorted(self._missing()) if self._were_there else []
        if missing:
            self._missing_since = self._missing_since or time.monotonic()
            if time.monotonic() < self._missing_since + self._seconds_to_leave:
                raise _gone(missing, self._seconds_to_leave)
        if made := ensure_topics(self._brokers, self._settings):
            log.info("topic %s was missing, and is made", ", ".join(made))
        self._were_there, self._missing_since = True, None

    def look(self) -> bool:
        """Find out which topic of requests is read from now on; whether it was another before."""
        before, self.id = self.id, self._ask()
        return not self.is_present(before)

    def partitions(self) -> int:
        """How many partitions the topic of requests has."""
        topic = self._settings.requests
        with self._brokers.errors(f"topic {topic} cannot be read"):
            found = self._client().list_topics(topic, timeout=SECONDS_TO_ANSWER)
        return len(found.topics[topic].partitions)

    def ask(self) -> Future[str]:
        """Ask for the id of the topic of requests, for `check`; the answer comes meanwhile."""
        return self._asking.submit(self._ask)

    def check(self, asked: Future[str] | None = None) -> None:
        """Raise MadeAnewError where the topic of requests has another id than the last look found.

        What was read before the question was asked is then of unknown origin. Raises AwayError
        where the brokers do not answer, or the topic is gone.
        """
        found = self._ask() if asked is None else asked.result()
        if not self.is_present(found):
            raise MadeAnewError(self._settings.requests)

    def is_present(self, topic_id: str | None) -> bool:
        """Whether an offset with this id counts for the topic that is read."""
        return not topic_id or not self.id or topic_id == self.id

    def bounds(self, consumer: Consumer, topic: str) -> dict[int, Offsets]:
        """The offsets of one of the topics; AwayError where it was deleted a moment ago."""
        try:
            return self._brokers.offsets(consumer, topic)
        except SettingsError:
            if topic in self._missing():
                raise _gone([topic], self._seconds_to_leave) from None
            raise

    def require_alone(self) -> None:
        """Raise AwayError while loops answer: Spark is no member of their group."""
        group = self._settings.group
        with self._brokers.errors(f"group {group} cannot be described"):
            # The newer call of the library aborts the process where its broker dies meanwhile.
            found = self._client().list_groups(group, SECONDS_TO_ANSWER)
        if any(one.members for one in found):
            raise AwayError(
                f"loops of the group {group} answer these topics",
                "stop them; Spark goes on ten seconds after",
            )

    def _ask(self) -> str:
        topic = self._settings.requests
        found = self._brokers.topic_id(topic, self._client())
        if not found and topic in self._missing():
            raise _gone([topic], self._seconds_to_leave)
        return found

    def _missing(self) -> set[str]:
        with self._brokers.errors("topics cannot be listed"):
            there = self._client().list_topics(timeout=SECONDS_TO_ANSWER).topics
        return {topic.name for topic in _topics(self._settings)} - set(there)

    def _client(self) -> Any:
        """One client for all questions: a new one would connect first."""
        if self._admin is None:  # a client without messages to send is false
            self._admin = self._brokers.admin()
        return self._admin


def run_sessions(
    session: Callable[[threading.Event], None],
    progress: Progress,
    stop: threading.Event,
    twin: SettingsError,
) -> None:
    """Run one session after another until `stop` is set; say once why one ended.

    Raises `twin` where somebody takes our name back each time that we have taken it. A broker that
    was killed may know another member under our name than it has told us, and it ends the
    transaction of who pauses too long. A new session ends either.
    """
    losses = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            session(stop)
        except AwayError as error:
            progress.report(str(error))
            is_short = time.monotonic() < began + SECONDS_OF_A_SHORT_SESSION
            losses = losses + 1 if isinstance(error, NameTakenError) and is_short else 0
            if losses == LOSSES:
                raise twin from None
            if not isinstance(error, MadeAnewError):
                stop.wait(SECONDS_BETWEEN_SESSIONS)


def require_own_folder(checkpoint: Path) -> None:
    """Raise SettingsError where the folder of Spark's checkpoints holds anything else."""
    try:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        names = {one.name for one in checkpoint.iterdir()} if checkpoint.exists() else set[str]()
    except OSError as error:
        what = f"{checkpoint} can be no checkpoint: {error.strerror}"
        raise SettingsError(what, "give another --checkpoint") from None
    if others := sorted(n for n in names - CHECKPOINT if not n.startswith(SESSION)):
        what = f"{checkpoint} holds other files than a checkpoint: {', '.join(others)[:100]}"
        raise SettingsError(what, "give an empty --checkpoint, or one of its own")


@contextmanager
def session_folder(checkpoint: Path) -> Iterator[Path]:
    """A new checkpoint for one session: the marker says where to go on, and an old checkpoint may
    plan what the topic has no longer, or be of another stream that runs here."""
    checkpoint.mkdir(parents=True, exist_ok=True)
    for old in checkpoint.glob(f"{SESSION}*"):
        if time.time() - old.stat().st_mtime > SECONDS_OF_AN_OLD_ONE:
            shutil.rmtree(old, ignore_errors=True)
    with TemporaryDirectory(prefix=SESSION, dir=checkpoint, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def lag_of(report: str, topic: str, ends: Mapping[int, int]) -> dict[int, int]:
    """By partition, the requests behind `ends` that Spark knew of when it wrote its report."""
    latest = json.loads(report)["sources"][0]["latestOffset"] or {}
    found = {int(part): end for part, end in latest.get(topic, {}).items()}
    return {part: max(0, end - ends.get(part, 0)) for part, end in found.items()}


def ensure_topics(brokers: Brokers, settings: StreamSettings) -> list[str]:
    """Make the topics of the streams that are missing; their names."""
    return brokers.ensure_topics(_topics(settings))


def _topics(settings: StreamSettings) -> Iterable[Topic]:
    days = {"retention.ms": str(settings.retention_days * 86_400_000)}
    for name in (settings.requests, settings.answers):
        yield Topic(name, settings.partitions, settings.copies, days)
    # A refused message of a megabyte, and its reason, must fit.
    yield Topic(settings.refused, 1, settings.copies, days)
    yield Topic(settings.markers, 1, settings.copies, {"cleanup.policy": "compact"})


def _gone(topics: list[str], seconds: float) -> AwayError:
    return AwayError(
        f"topic {', '.join(topics)} is gone",
        f"make it anew; if nobody does, it is made here after {seconds:g} seconds",
    )


def why_ended(text: str) -> MarqueeError:
    """Why a query of Spark ended: an outage, or wrong settings, which no retry mends."""
    own = re.search(r"(?:marquee\.errors\.)(\w+): ([^\n]+)", text)
    if own:
        message, _, remedy = own[2].partition(" — ")
        kind = OWN.get(own[1], AwayError)
        return kind(message, remedy or "it is started again")
    if refused := REFUSED.search(text):
        remedy = f"correct [kafka], or {KAFKA_LOGIN}"
        return SettingsError(f"Kafka refuses Spark's client: {refused[2][:400]}", remedy)
    # Neither Python's traceback nor Java's begins with the reason; both end with it.
    causes = re.findall(r"^(?:Caused by: )?([\w.$]+(?:Error|Exception): .+)$", text, re.MULTILINE)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "no reason")
    line = (causes or [first])[-1]
    return AwayError(f"Spark's query ended: {line[:400]}", "it is started again")
