"""Long fault drills: `make drill`, or `make drill ARGS="fuzz_pages --count 5000 --seed 7"`.

Ends with one table; the exit status is 1 where anything did not hold. Rounds done are kept under
`--folder`: the same command goes on where it was interrupted. `--only` runs single parts of a
drill that has some: `cluster --only undisturbed,kill_master`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marquee.settings import REPOSITORY

sys.path.append(str(REPOSITORY / "tests" / "scrapy_imdb"))  # the crawl's rig lives with its tests

from cli.terminal import unwind_on_signals
from tests.drill.cluster_faults import CLUSTER
from tests.drill.compose_up import COMPOSE
from tests.drill.crawl_kill import CRAWL_KILL
from tests.drill.feedback_kill import FEEDBACK_KILL
from tests.drill.fuzz_pages import FUZZ_PAGES
from tests.drill.namenodes import NAMENODES
from tests.drill.power_cut import POWER_CUT
from tests.drill.rounds import Drill, Figures, NamedDrill, run_drill, table
from tests.drill.stream_kill import STREAM
from tests.drill.wrong_worlds import WRONG_WORLDS
from tests.drill.yarn_weekly import YARN

DRILLS: dict[str, Drill | NamedDrill] = {
    "cluster": CLUSTER,
    "compose": COMPOSE,
    "crawl_kill": CRAWL_KILL,
    "feedback_kill": FEEDBACK_KILL,
    "fuzz_pages": FUZZ_PAGES,
    "namenodes": NAMENODES,
    "power_cut": POWER_CUT,
    "stream": STREAM,
    "wrong_worlds": WRONG_WORLDS,
    "yarn": YARN,
}


def main() -> int:
    options = read_options()
    unwind_on_signals()  # a drill that is ended takes its hosts and daemons down
    chosen = options.drills or list(DRILLS)
    rows = {name: _run(name, DRILLS[name], options) for name in chosen}
    print(f"\nseed {options.seed}\n{table(rows, DRILLS)}")
    return 1 if any(figures["failures"] for figures in rows.values()) else 0


def _run(name: str, drill: Drill | NamedDrill, options: argparse.Namespace) -> Figures:
    if isinstance(drill, NamedDrill):
        parts = options.only or drill.parts[: options.count]
        return drill.run(options.seed, parts, options.folder / f"{name}-{options.seed}")
    return run_drill(name, drill, options.seed, options.count or drill.count, options.folder)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Our own arguments, or those given; wrong ones end the process with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"{', '.join(DRILLS)}; or all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, help="kills, pages or faults, in place of its own")
    parser.add_argument("--only", help="parts of the one drill that is named, joined by commas")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".marquee" / "drill")
    options = parser.parse_args(arguments)
    options.drills = [name.replace("-", "_") for name in options.drills]
    unknown = sorted(set(options.drills) - set(DRILLS))
    if unknown:
        parser.error(f"no drill is called {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    options.only = _parts(parser, options) if options.only else ()
    return options


def _parts(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The parts that `--only` names, in the drill's own order; the parser ends us for others."""
    (drill,) = [DRILLS[name] for name in options.drills] if len(options.drills) == 1 else [None]
    if not isinstance(drill, NamedDrill):
        with_parts = [name for name, one in DRILLS.items() if isinstance(one, NamedDrill)]
        parser.error(f"--only wants one drill, and one of parts: {', '.join(with_parts)}")
    wanted = set(options.only.split(","))
    if unknown := sorted(wanted - set(drill.parts)):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(drill.parts)}")
    return [part for part in drill.parts if part in wanted]


if __name__ == "__main__":
    sys.exit(main())
