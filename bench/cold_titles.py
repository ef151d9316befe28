"""Titles nobody rated: what content makes of them, and what a place for one costs.

    python bench/cold_titles.py --data FOLDER [--split last20] [--titles FILE] [--seeds 1,2,3]

Everything happens inside the train rows of the split; its held-out rows are never read. *Hidden*:
all ratings of a random tenth of the titles are taken away, the ranker and the content map are
fitted on the rest, and the hidden titles are ranked for the people who rated one. There is no
popularity of a hidden title: the baselines are chance, the same map from genres alone, and nearness
of content to what the person rated. *A place*: an inner split of rows by the rule of the split;
top tens with no cold title, with one always in the last place, and as they ship.

`--titles` is IMDB 5000's CSV, for directors, cast and keywords beside a release's
genres and years. A title *in* that file is a known one: read its figure with care.
"""

from __future__ import annotations

from bench_environment import enter

enter()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from bench.cold_title_ranking import Setting, hidden_titles, last_place  # noqa: E402
from bench.recommender_comparison import OTHERS  # noqa: E402
from bench.recommender_splits import RULES, make_split, seed_list  # noqa: E402
from bench.recommender_tables import print_table  # noqa: E402
from bench.spark_session import spark_session  # noqa: E402
from marquee.errors import MarqueeError  # noqa: E402
from marquee.settings import load_settings  # noqa: E402
from scoring.recommender.ratings_files import read_any_release  # noqa: E402
from spark_apps.recommender.recipes import read_recipes  # noqa: E402


def main() -> int:
    """Both tables; every line goes to `--json` too."""
    options = _options()
    try:
        lines = measure(options)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for evaluation in ("hidden titles", "a place"):
        rows = {x["model"]: x["figures"] for x in lines if x["exam"] == evaluation}
        print(f"\n{evaluation} (mean over seeds)")
        print_table(rows)
    if options.json:
        options.json.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return 0


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    """One line a model and evaluation (key `exam`, as in the logs)."""
    release = read_any_release(options.data)
    split = make_split(options.data, release, options.split, options.seeds[0])
    recipes = read_recipes(load_settings().recipes.recommender)
    (name,) = OTHERS.get(options.split, (recipes[0].name,))
    recipe = next(one for one in recipes if one.name == name)
    with spark_session("cold titles bench", "2g") as spark:
        setting = Setting(spark, release, split, recipe, options.titles)
        found = {
            "hidden titles": hidden_titles(setting, options.seeds),
            "a place": last_place(setting),
        }
    about = {"train_of": f"{release.name} {options.split}", "titles": options.titles is not None}
    return [
        about | {"exam": evaluation, "model": model, "figures": figures}
        for evaluation, rows in found.items()
        for model, figures in rows.items()
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with a release")
    parser.add_argument("--split", choices=list(RULES), default="last20", help="whose train rows")
    parser.add_argument("--titles", type=Path, help="IMDB 5000's movie_metadata.csv")
    parser.add_argument(
        "--seeds", type=seed_list, default=[1, 2, 3], help="of hidden titles, joined by commas"
    )
    parser.add_argument("--json", type=Path, help="keep the figures, one JSON line a model")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
