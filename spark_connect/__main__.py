"""`python -m spark_connect`: hold the models in a Spark Connect server and answer the API's routes.

The process follows the same ledgers as the API, and takes no ratings: the API asks it, after it has
checked the caller, where a request says `?engine=spark-connect`. It listens on loopback; beyond it
every request needs the secret of MARQUEE_CONNECT_SECRET.
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
from pathlib import Path
from urllib.parse import urlsplit

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import uvicorn

from marquee.access_tokens import is_loopback
from marquee.errors import MarqueeError, SettingsError
from marquee.lake import place_lake
from marquee.process_secrets import CONNECT_SECRET, CONNECT_TOKEN
from marquee.settings import Settings, load_settings
from serving.app import create_app
from serving.backend import Backend, open_backend
from spark_connect.batches import Batches
from spark_connect.session import SessionKeeper
from spark_connect.worker import InThreads, SecretRules, connect_engine

SECONDS_TO_SHUT_DOWN = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped. Returns 2 for wrong input, 3 for a failed start."""
    try:
        settings = load_settings()
        options = _parser(settings).parse_args(arguments)
        secret = os.environ.get(CONNECT_SECRET, "")
        if not secret and not is_loopback(options.host):
            raise SettingsError(
                f"{options.host} is not loopback, and {CONNECT_SECRET} is not set",
                f"set {CONNECT_SECRET} for this process and for the API",
            )
        keeper = SessionKeeper(checked_remote(options.remote))
        backend = _backend(settings, options, keeper)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # It writes a stack trace for each try; `SessionKeeper` says the same in a sentence.
    logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.CRITICAL)
    app = InThreads(create_app(backend, SecretRules(secret)))
    config = uvicorn.Config(
        app,
        options.host,
        options.port,
        log_level="info",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_SHUT_DOWN,
    )
    server = uvicorn.Server(config)
    keeper.start()
    with suppress(KeyboardInterrupt):
        server.run()
    keeper.stop()
    return 0 if server.started else 3


def checked_remote(remote: str) -> str:
    """The address of the server; SettingsError for one that would hang or show the token.

    With a token, pyspark speaks without TLS to `localhost` alone: `127.0.0.1` waits for ever.
    """
    if not remote.startswith("sc://"):
        raise SettingsError(f"'{remote}' is no address of Spark Connect", "give sc://host:port")
    is_plain = "use_ssl=true" not in remote
    is_number = urlsplit(remote).hostname in ("127.0.0.1", "::1")
    if os.environ.get(CONNECT_TOKEN) and is_plain and is_number:
        raise SettingsError(
            f"with a token, {remote} waits for ever", "write sc://localhost:port instead"
        )
    if "token=" in remote:
        raise SettingsError("the address names the token", f"give it in {CONNECT_TOKEN}")
    return remote


def _backend(settings: Settings, options: argparse.Namespace, keeper: SessionKeeper) -> Backend:
    lake = place_lake(settings.lake, options.lake, options.webhdfs)
    backend = open_backend(
        lake,
        options.cache,
        options.cache / "feedback",  # nobody rates here: it stays empty
        settings.serving.server,
        (settings.ratings.lowest, settings.ratings.highest),
        settings.serving.poll_seconds,
        connect_engine(lake, keeper),
    )
    batches = Batches(lake, backend, settings.connect.batch_rows)
    return replace(backend, engine_failure=lambda: keeper.failure, batches=batches)


def _parser(settings: Settings) -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m spark_connect", description=about)
    add = parser.add_argument
    remote = settings.connect.remote_at(settings.stack.port("connect_server"))
    add("--host", default=settings.connect.host, help="address to bind (default %(default)s)")
    add("--port", type=int, default=settings.stack.port("connect_worker"), help="0: any free one")
    add("--remote", default=remote, help="the server (default %(default)s)")
    add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
    add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
    add("--cache", type=Path, required=True, help="folder for fetched bundles")
    return parser


if __name__ == "__main__":
    sys.exit(main())
