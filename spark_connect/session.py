"""The session with a Spark Connect server, and the models that it holds.

A restart of the server ends the session and every model in it (`NO_ACTIVE_SESSION`).
`SessionKeeper` notices that at the next question or ping, connects, and loads all models again.
Meanwhile a question is answered with 503 and `Retry-After`.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from serving.problems import ProblemError

M = TypeVar("M")
T = TypeVar("T")
log = logging.getLogger("marquee.connect")
SECONDS_BETWEEN_PINGS = 5.0
"""Spark ends a session that nobody uses for an hour; a ping uses it, and finds a lost one before
somebody asks."""
SECONDS_BETWEEN_TRIES = 2.0
RETRY_AFTER = "10"
SETTINGS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.shuffle.partitions": "2",
}
"""Of one row, Spark's code generation takes longer than interpretation."""
# The classes of pyspark.ml read it once and for all: this process talks to a server alone.
os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"


class Held(Generic[M]):
    """A model in the session; `load` makes it in a new session."""

    def __init__(self, keeper: SessionKeeper, load: Callable[[SparkSession], M]) -> None:
        self._keeper = keeper
        self.load = load
        self.model: M | None = None

    def use(self, question: Callable[[M], T]) -> T:
        """The answer; ProblemError (503) while the session is lost or the model loads again."""
        return self._keeper.ask(self, question)

    def reload(self, session: SparkSession) -> None:
        """Load the model in this session."""
        self.model = self.load(session)


class SessionKeeper:
    """One session with the server at `remote` (sc://host:port), lost and made again."""

    def __init__(self, remote: str) -> None:
        self.remote = remote
        self.failure = f"no session with {remote} yet"
        """Why nothing can be asked at this moment; empty if it can."""
        self.sessions = 0
        """Sessions made; more than one means that the server was started again."""
        self._session: SparkSession | None = None
        self._held: weakref.WeakSet[Held[object]] = weakref.WeakSet()
        self._lock = threading.RLock()  # of connecting and loading
        self._wake, self._stop = threading.Event(), threading.Event()

    def start(self) -> None:
        """Keep a session in a thread, until `stop`."""
        threading.Thread(target=self._keep, name="keep-session", daemon=True).start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._wake.set()

    def hold(self, load: Callable[[SparkSession], M]) -> Held[M]:
        """Load a model, and again in each later session; ProblemError (503) without a session."""
        held: Held[M] = Held(self, load)
        with self._lock:
            session = self._session or self._connected()
            self._loaded(held, session)
            self._held.add(held)  # type: ignore[arg-type]
        return held

    def ask(self, held: Held[M], question: Callable[[M], T]) -> T:
        """The answer of a model; an error of Spark is a 503 where the session is lost."""
        session, model = self._session, held.model
        if session is None or model is None:
            raise self._away()
        _activate(session)
        try:
            return question(model)
        except ProblemError:
            raise
        except Exception as error:
            if _answers(session):
                raise
            self._lose(session, error)
            raise self._away() from None

    # Internals --------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stop.is_set():
            session = self._session
            if session is None:
                self._try_again()
            elif not _answers(session):
                self._lose(session, None)
                continue
            else:
                self._load_missing(session)
            self._wake.wait(SECONDS_BETWEEN_PINGS if self._session else SECONDS_BETWEEN_TRIES)
            self._wake.clear()

    def _try_again(self) -> None:
        with self._lock:
            try:
                if self._session is None:
                    self._connected()
            except ProblemError:
                return

    def _connected(self) -> SparkSession:
        """A new session in which every held model is loaded."""
        try:
            session = _connect(self.remote)
        except Exception as error:
            self.failure = f"{self.remote} does not answer: {_first_line(error)}"
            raise self._away() from None
        self._session, self.failure = session, ""
        self.sessions += 1
        self._load_missing(session)
        log.info("session %d with %s holds %d models", self.sessions, self.remote, len(self._held))
        return session

    def _load_missing(self, session: SparkSession) -> None:
        """Load what an earlier session held; what does not load is tried again at each ping."""
        with self._lock:
            missing = [held for held in list(self._held) if held.model is None]
            for held in missing:
                try:
                    self._loaded(held, session)
                except ProblemError:
                    return
                except Exception as error:  # the folder is gone, for example
                    self.failure = f"a model does not load: {_first_line(error)}"
                    log.warning(self.failure)
                    return
            if missing and self._session is session:
                self.failure = ""

    def _loaded(self, held: Held[M], session: SparkSession) -> None:
        _activate(session)
        try:
            held.reload(session)
        except Exception as error:
            if _answers(session):
                raise
            self._lose(session, error)
            raise self._away() from None

    def _lose(self, session: SparkSession, error: Exception | None) -> None:
        reason = f": {_first_line(error)}" if error else ""
        if self._session is session:
            self._session = None
            for held in list(self._held):
                held.model = None
        self.failure = f"the session with {self.remote} is lost{reason}"
        log.warning("%s; models load again once it answers", self.failure)
        self._wake.set()

    def _away(self) -> ProblemError:
        what = self.failure or "the models load again in a new session"
        return ProblemError(
            503, what, "ask again, or ask the native engine", {"Retry-After": RETRY_AFTER}
        )


def _connect(remote: str) -> SparkSession:
    """A session of its own; an error after three tries, not after Spark's ten minutes."""
    SparkSession._default_session = None  # a lost one would be taken for the new one
    SparkSession._active_session.session = None
    session = SparkSession.builder.remote(remote).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=3, max_backoff=1000)])
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    return session


def _activate(session: SparkSession) -> None:
    """Make it the session of this thread, which the models of pyspark.ml ask for."""
    SparkSession._active_session.session = session


def _answers(session: SparkSession) -> bool:
    try:
        return bool(session.conf.get("spark.sql.session.timeZone") == "UTC")
    except Exception:  # of gRPC, of Spark, or an assertion of pyspark about the server's session
        return False


def _first_line(error: Exception) -> str:
    details = getattr(error, "details", None)  # of gRPC, whose text begins with its class
    text = str(details() or "") if callable(details) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0][:300]
