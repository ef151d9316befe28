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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

# A request multiplies small arrays: several BLAS threads would only slow it down.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from broker.feedback_outbox import feedback_outbox
from marquee.errors import MarqueeError
from marquee.lake import Lake, place_lake
from marquee.process_secrets import CONNECT_SECRET
from marquee.settings import Settings, load_settings
from marquee.state_folders import StateFolders
from serving.access import access_rules
from serving.app import create_app
from serving.backend import Backend, WorldCheck, expected_world, open_backend
from serving.engines import DEFAULT_ENGINE, ENGINES
from serving.feedback_hand_over import HandOver, HandOverTimes
from serving.other_engines import EngineProcess, OtherEngines

SECONDS_TO_SHUT_DOWN = 5
"""How long a stopping server waits for open requests."""
log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped. Returns 2 for wrong input or a wrong world, 3 for a failed start."""
    try:
        settings = load_settings()
        options = _parser(settings).parse_args(arguments)
        rules = access_rules(settings.serving, options.host, options.tokens)
        lake = place_lake(settings.lake, options.lake, options.webhdfs)
        world = expected_world(settings, options.lake)
        backend = _backend(lake, settings, options, world)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("hdfs").setLevel(logging.WARNING)  # it tells of each call
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


def _run(server: uvicorn.Server, check: WorldCheck) -> int:
    """Serve until stopped, or until the check refuses the lake; returns the exit status."""
    if check.passes():
        with suppress(KeyboardInterrupt):
            server.run()
    if check.refusal:
        print(f"error: {check.refusal}", file=sys.stderr)
        return 2
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
