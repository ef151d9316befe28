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

import httpx

from documents.couch import Couch
from documents.generation import Pair, read_pair
from documents.pointer import POINTER, abouts, is_ahead
from documents.publication import publish
from documents.sample_check import check
from marquee.errors import MarqueeError, NotFoundError, exit_status
from marquee.lake import Lake, check_world, open_lake
from marquee.settings import Settings, load_settings

REPLACE = "overwrite documents that somebody else has changed"
API_TOKEN = "MARQUEE_API_TOKEN"
"""The token that `check` shows to an API beyond loopback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
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


def print_check(couch: Couch, address: str, each: int, seed: int) -> int:
    """Print a line for each difference, and a last line; returns 1 where there is any."""
    token = os.environ.get(API_TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as api:
        found = check(couch, api, each, seed)
    for line in found.differences:
        print(line, flush=True)
    ends = f"{len(found.differences)} differences" if found.differences else "as the API answers"
    print(f"{found.documents} documents of {found.generation}: {ends}", flush=True)
    return 1 if found.differences or not found.documents else 0


def status_lines(couch: Couch, lake: Lake) -> list[str]:
    """What is published, what is being published, and what is owed."""
    couch.require_version()
    if not couch.exists():
        return [f"{couch.where} does not exist yet: `marquee documents publish` creates it"]
    pointer = couch.get(POINTER)
    lines = [f"{couch.where} has no current generation yet"]
    if pointer:
        as_of = ", ".join(f"{model} as of {at}" for model, at in sorted(pointer["as_of"].items()))
        lines = [f"{couch.where} answers from generation {pointer['generation']}: {as_of}"]
    for about in sorted(abouts(couch), key=lambda one: str(one["generation"])):
        counts = about.get("counts")
        what = ", ".join(f"{n:,} {kind}s" for kind, n in sorted((counts or {}).items()))
        state = "is being removed" if about.get("going") else what or "is not whole"
        lines.append(f"generation {about['generation']}: {state}")
    try:
        pair = read_pair(lake)
    except NotFoundError as error:
        return [*lines, str(error)]
    return [*lines, owed(pointer, pair, couch.settings.top_n)]


def owed(pointer: dict[str, object] | None, pair: Pair, top_n: int) -> str:
    """Whether the champions of the lake are published, in a sentence."""
    generation = pair.name(top_n)
    if pointer and pointer["generation"] == generation:
        return "the champions are published"
    if pointer and is_ahead(pointer, pair):
        return "the documents are of later champions than this lake's"
    return f"owed: generation {generation}; `marquee documents publish` writes it"


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
