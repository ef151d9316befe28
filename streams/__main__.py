"""`python -m streams`: answer the questions of a topic, by the plain loop or by Spark.

It follows the lake's champions as the API does, and waits for Kafka and the lake wherever they are
away. Its health is a line in the log and, with `--status`, a file of JSON: what was answered, what
waits, and why.
"""

# ruff: noqa: E402 - the variables below must be set before NumPy is imported

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

# A request multiplies small arrays: several BLAS threads would only slow it down.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while modules are loaded

from broker.client import Brokers
from marquee.access_tokens import RATE
from marquee.daemon_settings import check_loop_name
from marquee.errors import BAD_INPUT, MarqueeError, SettingsError, exit_status
from marquee.lake import Lake, place_lake
from marquee.process_secrets import java_kafka_security
from marquee.settings import REPOSITORY, Settings, load_settings
from marquee.state_folders import StateFolders
from serving.backend import Backend, WorldCheck, expected_world, has_looked, open_backend
from serving.engines import DEFAULT_ENGINE, ENGINES
from serving.follower import Follower
from streams.loop import StreamLoop
from streams.messages import Answerer, stream_caller
from streams.sessions import Progress, require_own_folder

SECONDS_TO_LOOK = 0.1
"""Pause before it is looked again whether the followers have seen their ledgers."""
log = logging.getLogger("marquee.streams")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer until SIGTERM or Ctrl-C. Returns an error's status: 2 where settings are wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("py4j", "hdfs"):  # they tell of each call
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:  # where py4j logs what it raises besides
        handler.addFilter(lambda record: record.name != "root")
    stop = threading.Event()
    try:
        settings = load_settings()
        options = _parser(settings).parse_args(arguments)
        brokers = Brokers.of(settings)
        lake = place_lake(settings.lake, options.lake, options.webhdfs)
        backend = _backend(lake, settings, options)
        check = WorldCheck(lake, expected_world(settings, options.lake), stop.set)
        _stop_on_signals(stop)
        backend.start()
        if check.passes():
            _run_until(stop, partial(_run, settings, options, brokers, backend, stop))
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status(error)
    backend.stop()
    if check.refusal:
        print(f"error: {check.refusal}", file=sys.stderr)
    return BAD_INPUT if check.refusal else 0


def _run_until(stop: threading.Event, run: Callable[[], None]) -> None:
    """Run until it ends; where `stop` is set by then, its error is no news.

    Ctrl-C, and a supervisor that stops a group, end Spark's virtual machine in the middle of a call
    of ours.
    """
    try:
        run()
    except Exception:
        if not stop.is_set():
            raise


def _run(
    settings: Settings,
    options: argparse.Namespace,
    brokers: Brokers,
    backend: Backend,
    stop: threading.Event,
) -> None:
    topics = f"{settings.streams.requests} to {settings.streams.answers}"
    log.info("answers from %s, Kafka at %s", topics, brokers.bootstrap)
    progress = Progress()
    if options.port is not None:
        from streams.health import Health

        Health(progress, backend).start(options.port)
    Reporter(progress, backend, options.status, settings.streams.status_seconds, stop).start()
    if not wait_for_ledgers(backend, stop):
        return
    stream: Stream
    if options.how == "spark":
        stream = _spark_stream(settings, options, brokers, backend)
    else:
        caller = stream_caller(settings.streams.may)
        answerer = Answerer(backend, caller, options.engine, _uses_feedback(settings))
        stream = StreamLoop(brokers, settings.streams, answerer, options.name)
    stream.progress = progress
    stream.run(stop)


class Stream(Protocol):
    """The loop or the micro-batches of Spark."""

    progress: Progress

    def run(self, stop: threading.Event) -> None: ...


def _spark_stream(
    settings: Settings, options: argparse.Namespace, brokers: Brokers, backend: Backend
) -> Stream:
    from streams.spark_batches import Place, SparkStream, start_session

    require_own_folder(options.checkpoint)
    place = Place(
        options.lake,
        options.webhdfs,
        settings.lake.user,
        settings.lake.replication,
        str(options.cache),
        str(backend.feedback.folder),
        settings.serving.server,
        backend.scale,
        options.engine,
        settings.streams.may,
    )
    log.info("Spark starts on %s", options.master)
    with ThreadPoolExecutor(1) as elsewhere:  # in the main thread pyspark would take Ctrl-C
        session = elsewhere.submit(
            start_session,
            options.master,
            settings.spark.driver_memory,
            options.jars,
            options.checkpoint.parent,
        ).result()
    return SparkStream(
        brokers,
        settings.streams,
        backend,
        place,
        options.checkpoint,
        session,
        java_kafka_security(settings.kafka),
    )


def wait_for_ledgers(backend: Backend, stop: threading.Event) -> bool:
    """Wait until each model serves, or its ledger says why not; False if stopped meanwhile.

    Requests can wait, and an answer is final: a start must not answer that nothing is known yet.
    """
    said = False
    while not stop.is_set():
        waits = [f for f in backend.followers.values() if not has_looked(f) or _is_owed(f)]
        if not waits:
            return True
        if not said:
            log.info("waiting: %s", "; ".join(f.failure for f in waits))
            said = True
        stop.wait(SECONDS_TO_LOOK)
    return False


def _is_owed(follower: Follower[Any]) -> bool:
    """Whether the ledger has a champion, and none could be loaded: the disk here may be full."""
    return bool(follower.view.entries) and follower.view.champion is None


class Reporter(threading.Thread):
    """A thread that says every few seconds what was answered and what waits, where it changed."""

    def __init__(
        self,
        progress: Progress,
        backend: Backend,
        path: Path | None,
        seconds: float,
        stop: threading.Event,
    ) -> None:
        super().__init__(name="report-streams", daemon=True)
        self._progress = progress
        self._backend = backend
        self._path = path
        self._seconds = seconds
        self._stop_event = stop
        self._said = ""
        self._why_unwritten: int | None = None

    def run(self) -> None:
        """Report until the process stops; a full disk costs the report alone."""
        while not self._stop_event.wait(self._seconds):
            self._report()

    def _report(self) -> None:
        found = self._progress
        line = f"{found.answered} answered ({found.problems} problems), {found.refused} refused, "
        line += f"{sum(found.lag.values())} wait" if found.lag else "the first batch is under way"
        if line != self._said and not found.failure and found.sessions:
            log.info("%s", line)
            self._said = line
        if self._path is not None:
            self._write(self._path, found)

    def _write(self, path: Path, found: Progress) -> None:
        facts = found.facts() | {"champions": self._champions()}
        facts["models"] = {f.name: f.failure for f in self._backend.followers.values()}
        beside = path.with_name(f"{path.name}.part")
        try:
            beside.write_text(json.dumps(facts, indent=1), "utf-8")
            beside.replace(path)
        except OSError as error:
            if error.errno != self._why_unwritten:
                log.warning("%s cannot be written: %s", path, error.strerror)
            self._why_unwritten = error.errno
        else:
            self._why_unwritten = None

    def _champions(self) -> dict[str, str]:
        views = {name: f.view for name, f in self._backend.followers.items()}
        return {name: v.champion.entry.bundle for name, v in views.items() if v.champion}


def _backend(lake: Lake, settings: Settings, options: argparse.Namespace) -> Backend:
    """The followers, and the feedback of this host where the streams may use any."""
    feedback = options.feedback if _uses_feedback(settings) else options.cache / "no-feedback"
    return open_backend(
        lake,
        options.cache,
        feedback,
        settings.serving.server,
        (settings.ratings.lowest, settings.ratings.highest),
        settings.serving.poll_seconds,
        options.engine,
    )


def _uses_feedback(settings: Settings) -> bool:
    return any(scope.startswith(RATE) for scope in settings.streams.may)


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)


def _loop_name(text: str) -> str:
    try:
        check_loop_name(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _parser(settings: Settings) -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m streams", description=about)
    add, folders = parser.add_argument, StateFolders(settings.state_folder)
    add("how", nargs="?", choices=("loop", "spark"), default="loop", help="default %(default)s")
    add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
    add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
    add("--cache", type=Path, default=folders.stream_bundles, help="folder for fetched bundles")
    add("--feedback", type=Path, default=folders.feedback, help="folder of people's ratings")
    add("--engine", choices=ENGINES, default=DEFAULT_ENGINE, help="what computes the answers")
    add("--name", type=_loop_name, default="1", help="of the loop (default %(default)s)")
    add("--master", default=settings.spark.master, help="of Spark (default %(default)s)")
    checkpoint = folders.state / "streams" / "checkpoint"
    add("--checkpoint", type=Path, default=checkpoint, help="folder of Spark's query")
    jars = REPOSITORY / settings.cache / "jars" / "spark-kafka"  # its list in config/jars
    add("--jars", type=Path, default=jars, help="folder of Spark's source of topics")
    add("--port", type=int, help="of loopback, for /livez, /readyz and /metrics; 0: any")
    add("--status", type=Path, help="file that says what was answered and what waits, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
