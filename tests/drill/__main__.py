"""Long fault drills: `make drill`, or `make drill ARGS="fuzz_pages --count 5000 --seed 7"`.

Ends with one table; the exit status is 1 where anything did not hold. Rounds done are kept under
`--folder`: the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from marquee.settings import REPOSITORY

sys.path.append(str(REPOSITORY / "tests" / "scrapy_imdb"))  # the crawl's rig lives with its tests

from cli.terminal import unwind_on_signals
from tests.drill.cluster_faults import CLUSTER
from tests.drill.compose_up import COMPOSE
from tests.drill.crawl_kill import CRAWL_KILL
from tests.drill.fuzz_pages import FUZZ_PAGES
from tests.drill.power_cut import POWER_CUT
from tests.drill.rounds import run_drill, table
from tests.drill.wrong_worlds import WRONG_WORLDS

DRILLS = {
    "cluster": CLUSTER,
    "compose": COMPOSE,
    "crawl_kill": CRAWL_KILL,
    "fuzz_pages": FUZZ_PAGES,
    "power_cut": POWER_CUT,
    "wrong_worlds": WRONG_WORLDS,
}


def main() -> int:
    options = _options()
    unwind_on_signals()  # a drill that is ended takes its hosts and daemons down
    chosen = options.drills or list(DRILLS)
    rows = {}
    for name in chosen:
        drill = DRILLS[name]
        count = options.count or drill.count
        rows[name] = run_drill(name, drill, options.seed, count, options.folder)
    print(f"\nseed {options.seed}\n{table(rows, DRILLS)}")
    return 1 if any(figures["failures"] for figures in rows.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("drills", nargs="*", metavar="DRILL", help=f"{', '.join(DRILLS)}; or all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, help="kills, pages or faults, in place of its own")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".marquee" / "drill")
    options = parser.parse_args()
    options.drills = [name.replace("-", "_") for name in options.drills]
    unknown = sorted(set(options.drills) - set(DRILLS))
    if unknown:
        parser.error(f"no drill is called {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
