"""`python -m serving`: follow the lake's ledgers and answer over HTTP.

The server asks the lake for the name of its world, and asks again while the lake is away. It stops
if the lake holds another world than the settings name.
"""

# ruff: noqa: E402 - the variables below must be set before NumPy is imported

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

# A request multiplies small arrays: several BLAS threads would only slow it down.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from broker.feedback_outbox import feedback_outbox
from marquee.errors import LakeUnavailableError, MarqueeError
from marquee.lake import Lake, check_world, place_lake, read_world
from marquee.process_secrets import CONNECT_SECRET
from marquee.settings import Settings, load_settings
from marquee.state_folders import StateFolders
from serving.access import access_rules
from serving.app import create_app
from serving.backend import Backend, open_backend
from serving.engines import DEFAULT_ENGINE, ENGINES
from serving.feedback_hand_over import HandOver, HandOverTimes
from serving.other_engines import EngineProcess, OtherEngines

SECONDS_TO_SHUT_DOWN = 5
"""How long a stopping server waits for open requests."""
SECONDS_TO_WAIT_FOR_WORLD = 2.0
"""How long the start waits for the lake. After that, cached bundles serve until it answers."""
SECONDS_BETWEEN_TRIES = 1.0
"""Pause before the lake is asked for its world again."""
log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped. Returns 2 for wrong input or a wrong world, 3 for a failed start."""
    try:
        settings = load_settings()
        options = _parser(settings).parse_args(arguments)
        rules = access_rules(settings.serving, options.host, options.tokens)
        lake = place_lake(settings.lake, options.lake, options.webhdfs)
        world = _expected_world(settings, options.lake)
        backend = _backend(lake, settings, options, world)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asked = f"asks for the tokens of {options.tokens}" if rules.asks_for_tokens else "asks nobody"
    log.info("the API %s", asked)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(backend, rules),
            options.host,
            options.port,
            log_level="info",
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(settings.serving.trusted_proxies),
            timeout_graceful_shutdown=SECONDS_TO_SHUT_DOWN,
        )
    )
    return _run(server, WorldCheck(lake, world, partial(setattr, server, "should_exit", True)))


def _backend(
    lake: Lake, settings: Settings, options: argparse.Namespace, world: str | None
) -> Backend:
    """The backend of this process, which hands its feedback over to the lake, and to Kafka."""
    backend = open_backend(
        lake,
        options.cache,
        options.feedback or options.cache / "feedback",
        settings.serving.server,
        (settings.ratings.lowest, settings.ratings.highest),
        settings.serving.poll_seconds,
        options.engine,
    )
    times = HandOverTimes(settings.serving.feedback_minutes, settings.schedule.cron)
    worker = settings.connect.worker_at(settings.stack.port("connect_worker"))
    secret = os.environ.get(CONNECT_SECRET, "")
    others = [EngineProcess("spark-connect", worker, secret)] if worker else []
    log = backend.feedback
    return replace(
        backend,
        hand_over=HandOver(lake, log, times, world),
        outbox=feedback_outbox(settings, log.folder, log.server, log.written),
        other_engines=OtherEngines({each.name: each for each in others}),
    )


def _parser(settings: Settings) -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m serving", description=about)
    add = parser.add_argument
    add("--host", default=settings.serving.host, help="address to bind (default %(default)s)")
    add("--port", type=int, default=settings.stack.port("serving"), help="0: any free one")
    add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
    add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
    add("--cache", type=Path, required=True, help="folder for fetched bundles")
    add("--feedback", type=Path, help="folder for people's ratings (default: CACHE/feedback)")
    tokens = StateFolders(settings.state_folder).tokens
    add(
        "--tokens",
        type=Path,
        default=tokens,
        help="file of `marquee tokens` (default: the world's)",
    )
    add(
        "--engine",
        choices=ENGINES,
        default=DEFAULT_ENGINE,
        help="what computes the answers (default %(default)s)",
    )
    return parser


def _expected_world(settings: Settings, lake: str) -> str | None:
    """The world that the lake must hold; None where `--lake` alone names the lake.

    Every command accepts any world of a lake that only a flag names. MARQUEE_WORLD overrules this.
    """
    is_settings_lake = lake.rstrip("/") == settings.lake.root.rstrip("/")
    return settings.world if is_settings_lake or "MARQUEE_WORLD" in os.environ else None


def _run(server: uvicorn.Server, check: WorldCheck) -> int:
    """Serve until stopped, or until the check refuses the lake; returns the exit status."""
    if check.passes():
        with suppress(KeyboardInterrupt):
            server.run()
    if check.refusal:
        print(f"error: {check.refusal}", file=sys.stderr)
        return 2
    return 0 if server.started else 3


class WorldCheck(threading.Thread):
    """A thread that asks the lake for its world until the lake answers.

    The server may already serve from cached bundles. `expected` is the world that the lake must
    hold; None accepts any world. If the lake holds another one, the thread sets `refusal` to the
    reason and calls `stop`.
    """

    def __init__(self, lake: Lake, expected: str | None, stop: Callable[[], None]) -> None:
        super().__init__(name="ask-world", daemon=True)
        self.refusal = ""
        self._lake = lake
        self._expected = expected
        self._stop_serving = stop
        self._answered = threading.Event()

    def passes(self) -> bool:
        """Start the thread and wait a moment; False if the lake was refused meanwhile."""
        self.start()
        self._answered.wait(SECONDS_TO_WAIT_FOR_WORLD)
        return not self.refusal

    def run(self) -> None:
        """Ask until the lake answers or is refused; an unavailable lake is asked again."""
        while not self._answered.is_set():
            try:
                self._ask()
            except LakeUnavailableError as error:
                log.warning("which world the lake holds is not known yet: %s", error)
                self._answered.wait(SECONDS_BETWEEN_TRIES)
                continue
            except MarqueeError as error:
                self.refusal = str(error)
                self._stop_serving()
            except Exception:  # otherwise the thread would end and never check the world
                log.exception("which world the lake holds cannot be read; it is asked again")
                self._answered.wait(SECONDS_BETWEEN_TRIES)
                continue
            self._answered.set()

    def _ask(self) -> None:
        lake, expected = self._lake, self._expected
        found = check_world(lake, expected) if expected else read_world(lake)
        log.info("%s holds %s", lake.root, f"the world '{found.name}'" if found else "no world yet")


if __name__ == "__main__":
    sys.exit(main())
