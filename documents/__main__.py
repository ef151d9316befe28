"""`python -m documents`: publish the champions' answers to the CouchDB of `[documents] url`.

The weekly run starts it as a process; `marquee documents publish` calls the same function. The last
line that it prints says what was done. The exit status is 0, or that of an error
(`marquee.errors`): 75 where CouchDB is away, 2 for a wrong password.
"""

# ruff: noqa: E402 - the variables below must be set before NumPy is imported

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # small arrays: several threads only slow them down

from documents.couch import Couch
from documents.publication import publish
from marquee.errors import MarqueeError, exit_status
from marquee.lake import check_world, place_lake
from marquee.lifetimes import end_with_starter
from marquee.settings import Settings, load_settings

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish; returns the exit status."""
    end_with_starter()
    try:
        settings = load_settings()
        options = parser(settings).parse_args(arguments)
        lake = place_lake(settings.lake, options.lake, options.webhdfs, options.user)
        if options.lake.rstrip("/") == settings.lake.root.rstrip("/"):
            check_world(lake, settings.world)
        with Couch(settings.documents) as couch:
            say(publish(lake, couch, say).sentence)
    except MarqueeError as error:
        say(f"error: {error}", file=sys.stderr)
        return exit_status(error)
    return 0


def parser(settings: Settings) -> argparse.ArgumentParser:
    """The program's flags."""
    about = (__doc__ or "").partition("\n")[0]
    made = argparse.ArgumentParser(prog="python -m documents", description=about)
    add = made.add_argument
    add("--lake", default=settings.lake.root, help="hdfs://host:port/path or file:///path")
    add("--webhdfs", default=settings.lake.webhdfs, help="the NameNode's http://host:port")
    add("--user", default=settings.lake.user, help="HDFS user name")
    return made


if __name__ == "__main__":
    sys.exit(main())
