"""`make drill`: one crawl, killed (SIGKILL) at 200 random moments, must change nothing.

python tests/drill/crawl_kill.py [--kills 200] [--titles 6000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1] / "scrapy_imdb")]

from crawl_rig import Crawl, start_site, stop_site, titles  # noqa: E402
from killing import crawl_under_fire  # noqa: E402
from made_up_titles import title_id, write_world  # noqa: E402

LANES = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--titles", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        world = write_world(folder / "world", options.titles)
        process, site = start_site(world, "--fault", "slow,seconds=0.03")
        try:
            crawl = Crawl(site.url, folder, options.titles)
            command = crawl.command(pages=options.titles)
            killed = crawl_under_fire(
                command, folder / "log", options.kills, site.asked, options.seed
            )
            served = site.served()
        finally:
            stop_site(process)
        wanted = [title_id(n) for n in range(options.titles)]
        is_whole = [t["title_id"] for t in titles(crawl.out)] == wanted
    repeats = sum(served.values()) - len(served)
    verdict = "equal" if is_whole else "DIFFER from"
    print(
        f"{killed.kills} kills, {killed.mid_crawl} of them in mid-crawl: items {verdict} an "
        f"undisturbed crawl's; {repeats} repeats, {options.kills * LANES} may be in flight"
    )
    return 0 if is_whole and repeats <= options.kills * LANES else 1


if __name__ == "__main__":
    sys.exit(main())
