"""Micro-batches of Spark: Structured Streaming reads the requests, executors answer them.

The driver follows the champions as the API does, and tells the executors with each batch which
bundles answer it; an executor keeps them loaded. The answers come back to the driver, which writes
a batch in one transaction with its marker (`streams.batch_markers`): Spark's own sink of topics
writes a batch twice where it does not know whether the batch ended.

This is the one module of the room that imports Spark.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from broker.client import Brokers
from marquee.artefacts.ledger_entry import Entry
from marquee.clock import now
from marquee.daemon_settings import StreamSettings
from marquee.errors import MarqueeError, SettingsError, StackError
from marquee.lake import Lake, open_lake
from marquee.place_settings import is_local_master
from marquee.spark_master import LOCAL_CONF
from serving.backend import Backend, open_backend
from serving.bundle_cache import BundleCache
from serving.engines import load_budget, load_recommender
from serving.follower import Follower, LoadedChampion, View
from streams.batch_markers import MarkedAnswers, query_id, starting_offsets
from streams.messages import Answer, Answerer, Refused, stream_caller
from streams.sessions import (
    SECONDS_BETWEEN_CHECKS,
    MadeAnewError,
    Progress,
    StreamTopics,
    lag_of,
    run_sessions,
    session_folder,
    why_ended,
)

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_END = 5.0
"""How long a stream that is stopped waits for the batch under way."""
SECONDS_TO_FETCH = 30
"""How long an executor waits for the messages of its batch."""
LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
Outcome = Answer | Refused
log = logging.getLogger("marquee.streams")


@dataclass(frozen=True)
class Champions:
    """What answers a batch, as an executor is told: the entries, or why a model does not serve."""

    entries: tuple[tuple[str, Entry | None, str], ...]
    """By model: its name, the entry whose bundle serves, and the failure."""


@dataclass(frozen=True)
class Place:
    """Where an executor finds the bundles, and for whom it answers."""

    lake: str
    webhdfs: str
    user: str
    replication: int
    cache: str
    feedback: str
    server: str
    scale: tuple[float, float]
    engine: str
    scopes: tuple[str, ...]


# On the executors -----------------------------------------------------------------------------


def answer_rows(
    rows: Iterable[Any], place: Place, champions: Champions
) -> Iterator[tuple[int, int, Outcome]]:
    """Answer the requests of one partition; partition and offset stand beside each outcome."""
    found = [(row["partition"], row["offset"], row["value"]) for row in rows]
    values = [None if value is None else bytes(value) for _, _, value in found]
    outcomes = _answerer(place, champions).answers(values)
    for (part, offset, _), outcome in zip(found, outcomes, strict=True):
        yield part, offset, outcome


def _answerer(place: Place, champions: Champions) -> Answerer:
    lake = open_lake(place.lake, place.webhdfs, place.user, replication=place.replication)
    cache, feedback = Path(place.cache), Path(place.feedback)
    backend = open_backend(lake, cache, feedback, place.server, place.scale, engine=place.engine)
    for name, entry, failure in champions.entries:
        found = None if entry is None else _loaded(lake, place, name, entry)
        backend.followers[name].view = View(found, failure=failure)
    return Answerer(backend, stream_caller(place.scopes), place.engine)


_CHAMPIONS: dict[str, LoadedChampion[Any]] = {}
"""By model, the champion that this process answered with last."""


def _loaded(lake: Lake, place: Place, name: str, entry: Entry) -> LoadedChampion[Any]:
    """The entry's champion; it is loaded where this process has another one, or none."""
    found = _CHAMPIONS.get(name)
    if found is None or found.entry.bundle_digest != entry.bundle_digest:
        load: Any = load_recommender if name == "recommender" else load_budget
        folder = BundleCache(lake, name, Path(place.cache)).fetch(entry)
        found = LoadedChampion(load(folder, engine=place.engine), entry, now())
    _CHAMPIONS[name] = replace(found, entry=entry)
    return _CHAMPIONS[name]


# On the driver --------------------------------------------------------------------------------


def champions_of(followers: Iterable[Follower[Any]]) -> Champions:
    """The champions of this moment."""
    found = []
    for follower in followers:
        view = follower.view
        entry = view.champion.entry if view.champion else None
        found.append((follower.name, entry, "" if entry else follower.failure))
    return Champions(tuple(found))


@dataclass
class SparkStream:
    """The driver of micro-batches; `run` goes on until it is stopped."""

    brokers: Brokers
    settings: StreamSettings
    backend: Backend
    place: Place
    checkpoint: Path
    session: SparkSession
    options: Mapping[str, str] = field(default_factory=dict)
    """Kafka's options for Spark's own client, such as those of its credentials."""
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self._topics = StreamTopics(self.brokers, self.settings)

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set; where Kafka or the lake is away, say so and wait.

        Raises StackError where Spark's virtual machine has ended.
        """
        what = f"another stream of Spark answers for the group {self.settings.group}"
        twin = SettingsError(what, "stop one of the two")
        try:
            run_sessions(self._session, self.progress, stop, twin)
        except (Py4JError, ConnectionError) as error:
            how = "refuses" if isinstance(error, Py4JJavaError) else "has ended"
            what = f"Spark's virtual machine {how} ({type(error).__name__})"
            raise StackError(what, "see the lines above, then start the stream again") from None

    def _session(self, stop: threading.Event) -> None:
        """One query, from its marker on, until it fails or is stopped."""
        self._topics.ensure()
        marked = MarkedAnswers(self.brokers, self.settings, self._topics)
        try:
            if marked.is_anew:
                self.progress.report(str(MadeAnewError(self.settings.requests)))
            self.progress.sessions += 1
            with session_folder(self.checkpoint) as folder:
                query = self._start(marked, folder)
                log.info("query %s answers from %s on", query.id, marked.ends)
                try:
                    self._watch(query, marked, stop)
                finally:
                    self._end(query, stop)
        finally:
            marked.close()

    def _end(self, query: StreamingQuery, stop: threading.Event) -> None:
        """End the query, between two batches where one ends soon; Spark tells of one cut short."""
        if stop.is_set():
            until = time.monotonic() + SECONDS_TO_END
            while query.status["isTriggerActive"] and time.monotonic() < until:
                time.sleep(0.05)
            self.session.sparkContext.setLogLevel("OFF")
            logging.getLogger("py4j").setLevel(logging.CRITICAL + 1)
        try:
            query.stop()
        except Py4JJavaError:  # it still waits for silent brokers; what it writes is fenced
            log.warning("query %s does not end in time; it is left behind", query.id)

    def _watch(self, query: StreamingQuery, marked: MarkedAnswers, stop: threading.Event) -> None:
        """Wait until the query ends; raises where it failed, or the topic is another one."""
        checked = time.monotonic()
        while not stop.is_set() and query.isActive:
            stop.wait(SECONDS_BETWEEN_LOOKS)
            if marked.failure is not None:
                raise marked.failure
            if time.monotonic() >= checked + SECONDS_BETWEEN_CHECKS:
                self._topics.check()
                checked = time.monotonic()
                self._measure(query, marked)
        if not stop.is_set() and (error := query.exception()) is not None:
            self._topics.check()  # the better reason
            raise why_ended(str(error))

    def _measure(self, query: StreamingQuery, marked: MarkedAnswers) -> None:
        """Count what waits; a query that has had a batch is well."""
        found = query.lastProgress
        if found is not None:
            self.progress.lag = lag_of(found.json, self.settings.requests, marked.ends)
            self.progress.report("")

    def _start(self, marked: MarkedAnswers, folder: Path) -> StreamingQuery:
        settings = self.settings
        source = self.session.readStream.format("kafka").options(
            **{
                "kafka.bootstrap.servers": self.brokers.bootstrap,
                "kafka.isolation.level": "read_committed",
                "kafka.allow.auto.create.topics": "false",
                "subscribe": settings.requests,
                "startingOffsets": starting_offsets(settings.requests, marked.ends),
                "maxOffsetsPerTrigger": str(settings.spark_batch),
                # A message that does not come in time must end the query, not be left out.
                "failOnDataLoss": "true",
                "kafkaConsumer.pollTimeoutMs": str(SECONDS_TO_FETCH * 1000),
                **self.options,
            }
        )
        answer = partial(self._answer_batch, marked, folder)
        return (
            source.load()
            .select("partition", "offset", "value")
            .writeStream.foreachBatch(answer)
            .option("checkpointLocation", str(folder))
            .trigger(processingTime=f"{int(settings.spark_seconds * 1000)} milliseconds")
            .start()
        )

    def _answer_batch(
        self, marked: MarkedAnswers, folder: Path, frame: DataFrame, batch: int
    ) -> None:
        """Answer one batch. What fails ends the session, and is not Spark's to print."""
        if marked.failure is not None:  # Spark goes on until the session ends
            return
        champions = champions_of(self.backend.followers.values())
        answer = partial(answer_rows, place=self.place, champions=champions)
        # What is answered already is not computed again: a batch that Spark repeats.
        ends = dict(marked.ends)
        new = frame.rdd.filter(lambda row: row["offset"] >= ends.get(row["partition"], 0))
        try:
            outcomes = new.mapPartitions(answer).collect()
            self.progress.count(marked.write(query_id(folder), batch, outcomes))
        except MarqueeError as error:
            marked.failure = error
        except Py4JJavaError as error:
            marked.failure = why_ended(str(error))


def start_session(master: str, memory: str, jars: Path, folder: Path) -> SparkSession:
    """A session with Spark's source of topics, all of `jars`; SettingsError where there is none."""
    found = sorted(jars.glob("*.jar"))
    if not found:
        raise SettingsError(f"Spark cannot read topics: no jar is in {jars}", "make setup-kafka")
    # Executors answer as serving does, so they want its environment and not any python3.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Spark's classes, as `make setup` has recorded them; and Java reads no TMPDIR by itself.
    given = {"-XX:SharedArchiveFile": "SPARK_ARCHIVE", "-Djava.io.tmpdir": "TMPDIR"}
    java = [
        f'"{option}={os.environ[name]}"' for option, name in given.items() if name in os.environ
    ]
    values = {
        "spark.master": master,
        "spark.driver.memory": memory,
        "spark.jars": ",".join(map(str, found)),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.streaming.stopTimeout": "20s",
        **(LOOPBACK | LOCAL_CONF if is_local_master(master) else {}),
        "spark.driver.extraJavaOptions": " ".join(["-XX:+UseSerialGC", *java]),
    }
    try:
        session = SparkSession.builder.appName("marquee-streams").config(map=values).getOrCreate()
    except Exception as error:  # of Java, or of a master that is away
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StackError(f"Spark does not start: {reason[:300]}", "see the lines above") from None
    session.sparkContext.setLogLevel("ERROR")
    return session
