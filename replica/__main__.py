"""`python -m replica serve` and `python -m replica make-world`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marquee.errors import MarqueeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; wrong input gives one line on standard error and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        _serve(options) if options.command == "serve" else _make_world(options)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m replica", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="a small IMDb-shaped site")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0, help="0: a free one, printed")
    source = serve.add_mutually_exclusive_group()
    source.add_argument("--world", type=Path, help="folder with titles.jsonl")
    source.add_argument("--imdb5000", type=Path, help="IMDB 5000's CSV, read in place")
    serve.add_argument("--pages", type=Path, help="folder of saved pages, served as they are")
    serve.add_argument("--links", type=Path, help="links.csv: serve only its titles")
    serve.add_argument("--layout", default="next_data_v2", help="one of six, or mixed")
    serve.add_argument("--language", choices=("en", "de"), default="en")
    serve.add_argument("--fault", action="append", default=[], help="KIND[,after=N,times=N…]")
    serve.add_argument("--robots", help="text of robots.txt, instead of its own")
    world = commands.add_parser(
        "make-world",
        help="the synthetic world",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    world.add_argument("-h", "--help", action=_WorldHelp, nargs=0, help="show this and exit")
    world.add_argument("--out", type=Path, required=True)
    world.add_argument("--seed", type=int, default=20200229)
    world.add_argument("--people", type=int, default=400)
    world.add_argument("--titles", type=int, default=300)
    world.add_argument("--fault", metavar="NAME", help="what is wrong with it on purpose: below")
    return parser


class _WorldHelp(argparse.Action):
    """Prints the help with the table of faults.

    The table is imported only here, so that `serve` never loads NumPy.
    """

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from replica.world_faults import fault_table

        parser.epilog = (
            f"faults, and which model's condition notices:\n{fault_table()}\n\n"
            "With --out .marquee/synthetic/world the next `make run` learns from it."
        )
        parser.print_help()
        parser.exit()


def _serve(options: argparse.Namespace) -> None:
    from replica.site import Site, check_layout, linked_ids, saved_pages, serve
    from replica.site_faults import fault_from_flag
    from replica.site_titles import load_imdb5000, load_world

    layout = check_layout(options.layout)
    records = load_world(options.world) if options.world else {}
    records = load_imdb5000(options.imdb5000) if options.imdb5000 else records
    saved = saved_pages(options.pages) if options.pages else {}
    if options.links:
        wanted = linked_ids(options.links)
        records = {key: record for key, record in records.items() if key in wanted}
        saved = {key: path for key, path in saved.items() if key in wanted}
    site = Site(records, saved, layout, options.language)
    site.robots = site.robots if options.robots is None else options.robots
    for flag in options.fault:
        site.fault_board.set(fault_from_flag(flag))
    serve(site, options.host, options.port)


def _make_world(options: argparse.Namespace) -> None:
    from replica.make_world import make_world

    make_world(options.out, options.seed, options.people, options.titles, fault=options.fault)


if __name__ == "__main__":
    sys.exit(main())
