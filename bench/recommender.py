"""Marquee's recommender beside its peers: the same rows, the same split, the same run.

    python bench/recommender.py --data FOLDER --splits u1,u2,u3,u4,u5 [--json FILE]

FOLDER is MovieLens 100K or any release (`ratings.csv`, or `ratings.dat`). Splits: `u1`-`u5`
(100K's own), `session` (each person's last sitting), `global` (all that comes after one moment),
`last20`, `random75`. `marquee` is the default recipe as a run trains and evaluates it, by the
weekly run's own code in one warm Spark session, scored from the bundle it writes. Other recipes of
config/ stand beside it by name (`--recipes`). After a name, `+demographics`: with the demographics
of ML-100K; `+served`: chains go on from an earlier fit inside train, as those of the served bundle
go on from the evaluated one's. Every parameter was fixed, or is chosen here, on inner splits of
train. The error counts every held-out pair, cold ones too. Ranking: ten titles a person out of all
in the catalogue that they have not rated in train; every held-out title is relevant (`ndcg@10`),
or those rated 4 and more (`liked`).

A person asks at the time of their first held-out rating: what is rated lately is counted in train
rows before it. Rating peers stand beside all splits but `random75`, ranking peers beside all but
`u1`-`u5`; `--peers` names others (`all,SASRec`: these and SASRec, which has an environment of its
own, 5.5 GB). Ranking peers tune themselves inside train by the split's rule; the JSON has each try.
Seconds are of the clock, warm; megabytes are the most that this process and Spark held together
(PSS).
"""

from __future__ import annotations

from bench_environment import enter

enter()

import argparse  # noqa: E402
import json  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

from bench.recommender_comparison import Comparison, Line  # noqa: E402
from bench.recommender_splits import RULES, SEEDED, make_split, seed_list  # noqa: E402
from bench.recommender_tables import show  # noqa: E402
from bench.spark_session import spark_session  # noqa: E402
from marquee.errors import MarqueeError  # noqa: E402
from scoring.recommender.ratings_files import read_any_release  # noqa: E402

SEEDS = (42, 1, 2)
MEMORY = "2g"


def main() -> int:
    """Run every split with every seed; print tables, keep the figures."""
    options = _options()
    lines: list[Line] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        compare_all(options, lines)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:  # an hour's lines are not lost with the one that failed or was stopped
        result = show(lines)
        if options.json and lines:
            options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def compare_all(options: argparse.Namespace, lines: list[Line]) -> None:
    """Add all lines to `lines`; each is printed as it comes."""
    release = read_any_release(options.data)
    with spark_session("recommender bench", MEMORY) as spark:
        comparison = Comparison(spark, release, options.search, options.intervals)
        comparison.warm_up()
        for name in options.splits:
            for seed in options.seeds:
                split = make_split(options.data, release, name, seed)
                lines += comparison.ours(split, seed, options.recipes)
                if name in SEEDED or seed == options.seeds[0] or options.all_peer_seeds:
                    lines += comparison.peers(split, seed, options.peers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with a release")
    parser.add_argument("--splits", type=_names, default=list(RULES), help="joined by commas")
    parser.add_argument("--seeds", type=seed_list, default=list(SEEDS), help="joined by commas")
    parser.add_argument("--peers", type=_names, help="names, joined by commas; all, none")
    parser.add_argument(
        "--all-peer-seeds", action="store_true", help="peers with every seed, not with the first"
    )
    parser.add_argument("--search", choices=["none", "quick", "full"], default="none")
    parser.add_argument(
        "--recipes", type=_recipes, help="of config/, beside the default; none: the default alone"
    )
    parser.add_argument(
        "--intervals", action="store_true", help="measure ours' 80 %% intervals: one more fit"
    )
    parser.add_argument("--json", type=Path, help="keep every line and the means")
    return parser.parse_args()


def _recipes(text: str) -> Sequence[str]:
    return [name for name in _names(text) if name != "none"]


def _names(text: str) -> Sequence[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    sys.exit(main())
