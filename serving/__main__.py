"""`python -m serving`: follow the lake's ledgers and answer over HTTP.

It also asks the lake which world it holds, before serving and again while the lake is away, and
stops where the lake holds another world than the settings name.
"""

# ruff: noqa: E402 - BLAS reads its number of threads when NumPy is imported

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

# One request is one small product; threads of BLAS would only fight over the cores.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from marquee.errors import LakeUnavailableError, MarqueeError
from marquee.lake import Lake, check_world, open_lake, read_world
from marquee.settings import Settings, load_settings
from serving.app import create_app
from serving.backend import open_backend
from serving.engines import DEFAULT_ENGINE, ENGINES

SECONDS_TO_FINISH = 5
"""How long a server that stops waits for open requests."""
SECONDS_TO_ANSWER = 2.0
"""How long the start waits for the lake's world; while it is away, cached bundles serve."""
SECONDS_BETWEEN = 1.0
"""Pause before the next request for the lake's world."""
log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; 2 where the input, or the lake's world, makes that impossible."""
    try:
        settings = load_settings()
        given = _parser(settings).parse_args(arguments)
        place = settings.lake
        lake = open_lake(given.lake, given.webhdfs, place.user, drill=place.drill)
        backend = open_backend(
            lake,
            given.cache,
            given.feedback or given.cache / "feedback",
            settings.serving.server,
            (settings.ratings.lowest, settings.ratings.highest),
            settings.serving.poll_seconds,
            given.engine,
        )
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = create_app(backend)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            given.host,
            given.port,
            log_level="info",
            access_log=False,
            timeout_graceful_shutdown=SECONDS_TO_FINISH,
        )
    )
    world = _expected_world(settings, given.lake)
    return _run(server, WorldCheck(lake, world, partial(setattr, server, "should_exit", True)))


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
    add(
        "--engine",
        choices=ENGINES,
        default=DEFAULT_ENGINE,
        help="what computes the answers (default %(default)s)",
    )
    return parser


def _expected_world(settings: Settings, lake: str) -> str | None:
    """The world the lake must hold: the settings', where they or the environment name it.

    Any world is accepted from a lake that only `--lake` names, as in every command.
    """
    is_settings_lake = lake.rstrip("/") == settings.lake.root.rstrip("/")
    return settings.world if is_settings_lake or "MARQUEE_WORLD" in os.environ else None


def _run(server: uvicorn.Server, check: WorldCheck) -> int:
    """Serve until stopped, or until the lake says that it holds another world."""
    if check.passes():
        with suppress(KeyboardInterrupt):
            server.run()
    if check.refusal:
        print(f"error: {check.refusal}", file=sys.stderr)
        return 2
    return 0 if server.started else 3


class WorldCheck(threading.Thread):
    """Asks the lake for its world until it answers, beside a server that may already serve.

    `expected` is the world the lake must hold; None accepts any, and a log line says which. Where
    the lake must not be served, `refusal` holds the reason and `stop` is called.
    """

    def __init__(self, lake: Lake, expected: str | None, stop: Callable[[], None]) -> None:
        super().__init__(name="ask-world", daemon=True)
        self.refusal = ""
        self._lake = lake
        self._expected = expected
        self._stop_serving = stop
        self._answered = threading.Event()

    def passes(self) -> bool:
        """Start asking; whether nothing speaks against serving so far."""
        self.start()
        self._answered.wait(SECONDS_TO_ANSWER)
        return not self.refusal

    def run(self) -> None:
        """Ask again after every failure that may pass, until the lake answers or is refused."""
        while not self._answered.is_set():
            try:
                self._ask()
            except LakeUnavailableError as error:
                log.warning("which world the lake holds is not known yet: %s", error)
                self._answered.wait(SECONDS_BETWEEN)
                continue
            except MarqueeError as error:
                self.refusal = str(error)
                self._stop_serving()
            except Exception:  # without this the thread would end unseen, the world unchecked
                log.exception("which world the lake holds cannot be read; it is asked again")
                self._answered.wait(SECONDS_BETWEEN)
                continue
            self._answered.set()

    def _ask(self) -> None:
        lake, expected = self._lake, self._expected
        found = check_world(lake, expected) if expected else read_world(lake)
        log.info("%s holds %s", lake.root, f"the world '{found.name}'" if found else "no world yet")


if __name__ == "__main__":
    sys.exit(main())
