"""`python -m documents publish|check|status`: documents in the CouchDB of `[documents] url`.

The weekly run starts `publish` as a process, and `marquee documents` calls the same functions. The
last line that it prints says what was done. The exit status is 0, or that of an error
(`marquee.errors`): 75 where CouchDB is away, 2 for a wrong password; `check` ends with 1 where a
document differs.
"""

# ruff: noqa: E402 - the variables below must be set before NumPy is imported

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # small arrays: several threads only slow them down

from documents.couch import Couch
from documents.publication import publish, status_lines
from documents.sample_check import print_check
from marquee.errors import MarqueeError, exit_status
from marquee.lake import Lake, check_world, open_lake
from marquee.lifetimes import end_with_parent
from marquee.settings import Settings, load_settings

PARENT = "MARQUEE_PARENT"
"""The process whose end ends this one; the task sets it."""
REPLACE = "overwrite documents that somebody else has changed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    if parent := os.environ.get(PARENT):
        end_with_parent(int(parent))
    try:
        settings = load_settings()
        options = parser(settings).parse_args(arguments)
        lake = open_lake(
            options.lake,
            options.webhdfs,
            options.user,
            drill=settings.lake.drill,
            replication=settings.lake.replication,
        )
        if options.lake.rstrip("/") == settings.lake.root.rstrip("/"):
            check_world(lake, settings.world)
        with Couch(settings.documents) as couch:
            return run(options, settings, lake, couch)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_status(error)


def run(options: argparse.Namespace, settings: Settings, lake: Lake, couch: Couch) -> int:
    """One command against an open lake and database."""
    if options.command == "publish":
        print(publish(lake, couch, _say, options.replace).sentence, flush=True)
        return 0
    if options.command == "status":
        print("\n".join(status_lines(couch, lake)), flush=True)
        return 0
    return print_check(couch, options.api or settings.serving_url, options.each, options.seed)


def parser(settings: Settings) -> argparse.ArgumentParser:
    """The program's flags."""
    about = (__doc__ or "").partition("\n")[0]
    made = argparse.ArgumentParser(prog="python -m documents", description=about)
    commands = made.add_subparsers(dest="command", required=True)
    texts = {
        "publish": "write the champions' generation, and let readers read it",
        "check": "compare a sample with the API",
        "status": "what is published, and what is owed",
    }
    for name, text in texts.items():
        one = commands.add_parser(name, help=text, description=text)
        add = one.add_argument
        add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
        add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
        add("--user", default=settings.lake.user, help="HDFS user name")
        if name == "publish":
            add("--replace", action="store_true", help=REPLACE)
        if name == "check":
            add("--api", default="", help="the API's address; default: the settings'")
            add("--each", type=int, default=20, help="documents of each kind (default 20)")
            add("--seed", type=int, default=1, help="seed of the sample (default 1)")
    return made


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
