"""`python -m serving`: follow the lake's ledgers and answer over HTTP."""

# ruff: noqa: E402 - BLAS reads its number of threads when NumPy is imported

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

# One request is one small product; threads of BLAS would only fight over the cores.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from marquee.errors import MarqueeError
from marquee.lake import open_lake
from marquee.settings import Settings, load_settings
from serving.app import create_app
from serving.source import open_source
from serving.world import WorldCheck

SECONDS_TO_FINISH = 5
"""How long a server that stops waits for requests under way."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 2 where the input, or the lake's world, makes that impossible."""
    try:
        settings = load_settings()
        given = _parser(settings).parse_args(arguments)
        place = settings.lake
        lake = open_lake(given.lake, given.webhdfs, place.user, drill=place.drill)
        source = open_source(
            lake,
            given.cache,
            given.feedback or given.cache / "feedback",
            settings.serving.server,
            (settings.ratings.lowest, settings.ratings.highest),
            settings.serving.poll_seconds,
        )
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = create_app(source)
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
    world = _world_named(settings, given.lake)
    return _run(server, WorldCheck(lake, world, partial(setattr, server, "should_exit", True)))


def _run(server: uvicorn.Server, check: WorldCheck) -> int:
    """Serve until told to stop, or until the lake says that it holds another world."""
    if check.passes():
        with suppress(KeyboardInterrupt):
            server.run()
    if check.refusal:
        print(f"error: {check.refusal}", file=sys.stderr)
        return 2
    return 0 if server.started else 3


def _world_named(settings: Settings, lake: str) -> str | None:
    """The world the lake must hold: the settings', where they or the environment name it.

    A lake that `--lake` alone names is taken as it is, as by every command.
    """
    is_settings_lake = lake.rstrip("/") == settings.lake.root.rstrip("/")
    return settings.world if is_settings_lake or "MARQUEE_WORLD" in os.environ else None


def _parser(settings: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    add = parser.add_argument
    add("--host", default=settings.serving.host, help="address to bind (default %(default)s)")
    add("--port", type=int, default=settings.stack.port("serving"), help="0: any free one")
    add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
    add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
    add("--cache", type=Path, required=True, help="folder for fetched bundles")
    add("--feedback", type=Path, help="folder for people's ratings (default: CACHE/feedback)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
