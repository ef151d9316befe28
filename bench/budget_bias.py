"""Is the budget model too low or too high on new titles, and do its intervals cover what they say?

    python bench/budget_bias.py --titles movie_metadata.csv --ratings ml-latest-small
        [--pages 300 600] [--origins 2001 2003] [--world FOLDER [--world-pages 300 600]]
        [--recipes gbt gbt-trend] [--json FILE]

`--pages N` takes the N most rated titles of a MovieLens release, as a first crawl of N pages does,
and holds out the newest fifth; `--origins Y` takes every American title, learns from those before Y
and estimates those of Y and the year after; `--world` is a folder of `make-world`, its titles
taken as pages are. Recipes are those of config/base.toml, by name; with or without `-trend` a name
is the same recipe with or without its trend. Everything is the product's own: Spark's features and
fits, the bundle, and its evaluation. One row a question: bias is the mean of log10 actual over
estimate (+0.1: 20 % low), coverage the share of titles inside the 80 % interval; both with their
95 % interval, directors resampled.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.spark_session import spark_session  # noqa: E402
from marquee.errors import MarqueeError, SourceError  # noqa: E402
from marquee.lake import open_lake  # noqa: E402
from marquee.prices import PriceIndex, RateTable  # noqa: E402
from marquee.settings import load_settings  # noqa: E402
from scoring.budget.holdout import BudgetHoldout  # noqa: E402
from scoring.budget.holdout_evaluation import measure  # noqa: E402
from scoring.budget.known_titles import (  # noqa: E402
    SCHEMA,
    read_titles,
    titles_table,
)
from scoring.budget.model import BudgetModel  # noqa: E402
from sources.titles_imdb5000 import read_imdb5000  # noqa: E402
from spark_apps.budget.families import BudgetRecipe, read_recipe  # noqa: E402
from spark_apps.budget.features import (  # noqa: E402
    with_attributes,
    with_target,
)
from spark_apps.budget.folds import (  # noqa: E402
    FoldFits,
    make_folds,
    with_place,
)
from spark_apps.budget.trainer import Trainer  # noqa: E402
from spark_apps.train_budget import IN_HOLDOUT, SMALL_DATA  # noqa: E402

PRICE_YEAR = 2025
TRAIN_SHARE = 0.8
Case = tuple[str, pa.Table, pa.Table]
"""Its name, the titles of train and those of the holdout."""


def main() -> int:
    """Run; 2 with one line on standard error where the input cannot be used."""
    options = _options()
    try:
        found = run(options)
    except (MarqueeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a case, a recipe and a question; each printed as it is found."""
    recipes, rows = _recipes(options.recipes), []
    print(_line("films", "recipe", "question", "asked", "log-RMSE", "bias", "coverage"))
    with spark_session("budget bias") as spark:
        for key, value in SMALL_DATA.items():
            spark.conf.set(key, value)
        for case in _cases(options):
            for recipe in recipes:
                for row in _measured(spark, case, recipe):
                    rows.append(row)
                    print(_printed(row), flush=True)
    return rows


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    if options.titles:
        table = _usable(titles_table(options.titles, PRICE_YEAR))
        yield from _by_pages(table, options.ratings, options.pages)
        american = _american(options.titles) if options.origins else pa.array([], pa.string())
        table = table.filter(pc.is_in(table["title_id"], value_set=american))
        for year in options.origins:
            ahead = pc.subtract(table["year"], year)
            later = pc.and_(pc.greater_equal(ahead, 0), pc.less(ahead, 2))
            yield f"before {year}", table.filter(pc.less(ahead, 0)), table.filter(later)
    if options.world:
        table = _usable(_world(options.world))
        yield from _by_pages(table, options.world, options.world_pages, "world, ")


def _by_pages(
    table: pa.Table, release: Path | None, pages: Sequence[int], prefix: str = ""
) -> Iterator[Case]:
    order = _most_rated(release) if pages else []
    for count in pages:
        chosen = pc.is_in(table["title_id"], value_set=pa.array(order[:count]))
        yield f"{prefix}{count} pages", *_newest_fifth(table.filter(chosen))


def _usable(table: pa.Table) -> pa.Table:
    """Those with budget, year and genre, oldest first."""
    known = pc.and_(table["budget_usd"].is_valid(), table["year"].is_valid())
    kept = table.filter(pc.and_(known, pc.greater(pc.list_value_length(table["genres"]), 0)))
    return kept.sort_by([("year", "ascending"), ("title_id", "ascending")])


def _newest_fifth(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    train = -(-table.num_rows * int(10 * TRAIN_SHARE) // 10)
    return table.slice(0, train), table.slice(train)


def _most_rated(release: Path | None) -> list[str]:
    """Title ids as a first crawl visits them."""
    if release is None:
        raise SourceError("--pages needs --ratings", "give a MovieLens release")
    with (release / "ratings.csv").open() as stream:
        counts = Counter(row["movieId"] for row in csv.DictReader(stream))
    with (release / "links.csv").open() as stream:
        ids = {row["movieId"]: f"tt{row['imdbId']}" for row in csv.DictReader(stream)}
    return [i for _, i in sorted((-n, ids[movie]) for movie, n in counts.items())]


def _american(path: Path) -> pa.Array:
    return pa.array([r["title_id"] for r in read_imdb5000(path) if r["countries"] == ["US"]])


def _world(folder: Path) -> pa.Table:
    """A made-up world's titles; budgets at the rates of their years."""
    rates, rows = RateTable.load(PRICE_YEAR + 1), []
    for line in (folder / "titles.jsonl").read_text("utf-8").splitlines():
        title = json.loads(line)
        row = {field.name: title.get(field.name) for field in SCHEMA}
        row["directors"] = [p["name_id"] for p in title["directors"]]
        row["director_names"] = [p["name"] for p in title["directors"]]
        row["budget_usd"] = _dollars(title, rates)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _dollars(title: Mapping[str, Any], rates: RateTable) -> float | None:
    budget, year = title.get("budget"), title.get("year")
    if not budget or not year:
        return None
    found = rates.dollars(float(budget["amount"]), budget["currency"], year)
    return found.amount if found else None


def _measured(spark: SparkSession, case: Case, recipe: BudgetRecipe) -> Iterator[dict[str, Any]]:
    name, train, later = case
    with tempfile.TemporaryDirectory() as scratch:
        folders = [_parquet(Path(scratch) / p, t) for p, t in (("train", train), ("later", later))]
        model = _fitted(spark, folders, (len(train), len(later)), recipe, Path(scratch))
        titles = [read_titles(folder, model.price_year) for folder in folders]
        found = measure(model, BudgetHoldout.of(*titles), load_settings().seed, None, {})
    for question, figures in found["questions"].items():
        about = {"films": name, "recipe": recipe.name, "question": question}
        yield figures | about | {"asked": len(later)}


def _parquet(folder: Path, table: pa.Table) -> Path:
    folder.mkdir()
    whole = table.append_column("release_date", pa.nulls(len(table), pa.string()))
    pq.write_table(whole, folder / "part-0.parquet")
    return folder


def _fitted(
    spark: SparkSession,
    folders: Sequence[Path],
    sizes: tuple[int, int],
    recipe: BudgetRecipe,
    scratch: Path,
) -> BudgetModel:
    """As `train_budget` fits and keeps the evaluated model."""
    prices = PriceIndex.load(PRICE_YEAR + 1)
    frames = [
        spark.read.parquet(str(folder)).selectExpr("*", f"{number} = 1 AS {IN_HOLDOUT}")
        for number, folder in enumerate(folders)
    ]
    both = frames[0].unionByName(frames[1])
    titles = with_place(with_attributes(with_target(spark, both, prices)), IN_HOLDOUT)
    origins, kept = make_folds(*sizes)
    fits = FoldFits(spark, titles, [*origins, *kept], load_settings().seed)
    lake = open_lake((scratch / "lake").as_uri())
    trainer = Trainer(lake, fits, origins, {"as_of": "", "price_year": prices.last})
    trainer.write_fit(recipe, kept[0], scratch / "model")
    return BudgetModel.load(scratch / "model/bundle")


def _recipes(names: Sequence[str]) -> list[BudgetRecipe]:
    tables = {table["name"]: dict(table) for table in load_settings().recipes.budget}
    return [read_recipe(_table(tables, name)) for name in names or [next(iter(tables))]]


def _table(tables: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    plain, _, _ = name.partition("-trend")
    found = tables.get(name) or tables.get(plain) or tables.get(f"{plain}-trend")
    if found is None:
        raise SourceError(f"no recipe is called {name}", f"there are {', '.join(tables)}")
    return found | {"name": name, "trend": name.endswith("-trend")}


def _printed(row: Mapping[str, Any]) -> str:
    bias, coverage = (
        f"{row[key]:+.3f} [{row[span][0]:+.3f}, {row[span][1]:+.3f}]"
        for key, span in (("bias", "bias_interval"), ("coverage", "coverage_interval"))
    )
    plain = coverage.replace("+", "")
    error = f"{row['log_rmse']:.3f}"
    return _line(
        row["films"], row["recipe"], row["question"], str(row["asked"]), error, bias, plain
    )


def _line(*cells: str) -> str:
    widths = (18, 12, 16, 6, 9, 26, 24)
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=Path, help="IMDB 5000's movie_metadata.csv")
    parser.add_argument("--ratings", type=Path, help="a MovieLens release, for --pages")
    parser.add_argument("--pages", type=int, nargs="*", default=[])
    parser.add_argument("--origins", type=int, nargs="*", default=[])
    parser.add_argument("--world", type=Path, help="a folder that make-world wrote")
    parser.add_argument("--world-pages", type=int, nargs="*", default=[300, 600])
    parser.add_argument("--recipes", nargs="*", default=[], help="the default one where left out")
    parser.add_argument("--json", type=Path, help="keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
