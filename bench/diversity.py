"""What `diversity` costs and brings: nDCG beside coverage, novelty and the variety of a list.

    python -m bench.diversity --data FOLDER [--split last20] [--inner] [--svg FILE] [--json FILE]

Fits the default recipe to the train rows of the split and asks its lists for everybody in the
holdout at each diversity. `--inner` splits train once more and leaves the holdout alone: there the
method was chosen (`bench/logs/diversity_search.jsonl`). `coverage` is the share of all titles that
are in a list, `novelty` the mean of -log2(share of people who rated a title) in bits, and `variety`
1 - the mean cosine of the genres of two titles in a list. Several folders are one plot.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from bench.recommender_splits import RULES, Split, make_split
from bench.spark_session import spark_session
from marquee.errors import MarqueeError
from marquee.settings import load_settings
from scoring.arrays import Floats, Ints, rows_of
from scoring.recommender.holdout import LIST_LENGTH, HoldoutSplit
from scoring.recommender.list_variety import catalogue_metrics
from scoring.recommender.model import Recommender
from scoring.recommender.ratings_files import Release, read_any_release
from spark_apps.recommender.recipes import read_recipes
from spark_apps.recommender.trainer import Trainer

DEGREES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
FIGURES = ("ndcg@10", "liked ndcg@10", "coverage", "novelty", "variety")
SEED = 42
WIDTH, HEIGHT, MARGIN = 260, 210, 44
COLOURS = ("#2b6cb0", "#c05621", "#2c7a7b", "#97266d")
Line = dict[str, Any]


def main() -> int:
    """Print a table of each folder; keep the figures and the plot."""
    options = _options()
    lines: list[Line] = []
    try:
        with spark_session("diversity bench", "2g") as spark:
            for folder in options.data:
                lines += traded(spark, folder, options.split, options.inner)
                print(table(lines, folder.name), flush=True)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1) + "\n")
    if options.svg:
        options.svg.write_text(draw(lines))
    return 0


def traded(spark: SparkSession, folder: Path, rule: str, inner: bool) -> list[Line]:
    """One line of figures for each of `DEGREES`."""
    release = read_any_release(folder)
    split = make_split(folder, release, rule, SEED)
    if inner:
        held = RULES[rule](split.train, SEED)
        split = Split(rule, split.train.take(~held), split.train.take(held))
    with tempfile.TemporaryDirectory() as scratch:
        model = fitted(spark, release, split, Path(scratch) / "bundle")
        holdout = HoldoutSplit.of(split.train, split.holdout)
        head = {"data": folder.name, "split": rule, "inner": inner}
        return [head | {"diversity": d} | figures(model, holdout, d) for d in DEGREES]


def fitted(spark: SparkSession, release: Release, split: Split, bundle: Path) -> Recommender:
    """The default recipe, fitted to the split's train rows."""
    stars, recipe = split.train.values, read_recipes(load_settings().recipes.recommender)[0]
    clip = float(stars.min()), float(stars.max())
    trainer = Trainer(spark, release.titles, clip, "2026-01-01T00:00:00Z", SEED)
    trainer.fit_bundle(split.train, recipe, 0.0, bundle)
    return Recommender.load(bundle)


def figures(model: Recommender, holdout: HoldoutSplit, diversity: float) -> dict[str, float]:
    """The figures of everybody's list at one diversity, by the names of `FIGURES`."""
    lists = varied_lists(model, holdout, diversity)
    catalogue = catalogue_metrics(holdout, lists, model.movie_ids)
    found = (
        holdout.ranking(lists)["ndcg"].mean(),
        holdout.ranking_liked(lists)["ndcg"].mean(),
        catalogue["catalogue_coverage"],
        catalogue["novelty"],
        variety(lists, model),
    )
    return {name: round(float(value), 4) for name, value in zip(FIGURES, found, strict=True)}


def varied_lists(model: Recommender, holdout: HoldoutSplit, diversity: float) -> Ints:
    """Movie ids [people, 10], each person asked at the time of their first held-out rating."""
    lists = np.full((len(holdout.people), LIST_LENGTH), -1, dtype=np.int64)
    moments = np.zeros(len(lists), np.int64) if holdout.moments is None else holdout.moments
    for place in np.argsort(moments, kind="stable").tolist():
        at = int(moments[place]) or None
        found = model.ranked_rows(int(holdout.people[place]), LIST_LENGTH, at, diversity)
        lists[place, : len(found.rows)] = model.movie_ids[found.rows]
    return lists


def variety(lists: Ints, model: Recommender) -> float:
    """1 - the mean cosine of two titles' genres, over the pairs of each list."""
    genres, found = _genres(model), list[float]()
    for movies in lists:
        units = genres[rows_of(model.movie_ids, movies[movies >= 0])]
        pairs = len(units) * (len(units) - 1)
        if pairs:
            cosines = units @ units.T
            found.append(1.0 - float(cosines.sum() - np.trace(cosines)) / pairs)
    return float(np.mean(found)) if found else 0.0


def _genres(model: Recommender) -> Floats:
    """Unit vectors [I, genres]; 0 for a title without a genre."""
    names = sorted({name for title in model.titles.values() for name in title.genres})
    known = [model.titles.get(movie) for movie in model.movie_ids.tolist()]
    marks = [[title is not None and name in title.genres for name in names] for title in known]
    vectors = np.array(marks, dtype=np.float64).reshape(len(known), len(names))
    lengths: Floats = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = vectors / np.maximum(lengths, 1.0)
    return units


# Shown


def table(lines: Sequence[Line], data: str) -> str:
    """A Markdown table of one folder; nDCG with its part of that at 0."""
    own = [line for line in lines if line["data"] == data]
    rows = [f"| {data} | {' | '.join(FIGURES)} |", "|---|" + "---|" * len(FIGURES)]
    for line in own:
        cells = [f"{line[name]:.{2 if name == 'novelty' else 4}f}" for name in FIGURES]
        for place in (0, 1):
            part = line[FIGURES[place]] / max(own[0][FIGURES[place]], 1e-12)
            cells[place] += f" ({part:.0%})"
        rows.append(f"| diversity {line['diversity']:g} | {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def draw(lines: Sequence[Line]) -> str:
    """An SVG: nDCG@10, as its part of that at 0, downwards over what each list gains."""
    panels = "".join(
        f'<g transform="translate({n * WIDTH},0)">{_panel(lines, name)}</g>'
        for n, name in enumerate(FIGURES[2:])
    )
    size = f'viewBox="0 0 {WIDTH * 3} {HEIGHT}" font-family="sans-serif" font-size="11" fill="#444"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{paper}{panels}</svg>\n'


def _panel(lines: Sequence[Line], name: str) -> str:
    low, high = min(x[name] for x in lines), max(x[name] for x in lines)
    span = (high - low) or 1.0
    elements = [f'<text x="{MARGIN}" y="16" font-weight="bold">nDCG@10 by {name}</text>']
    for part in (0.0, 0.5, 1.0):
        y = _height(part)
        elements.append(f'<path d="M{MARGIN} {y}H{WIDTH - 10}" stroke="#ddd"/>')
        elements.append(f'<text x="{MARGIN - 5}" y="{y + 4}" text-anchor="end">{part:.0%}</text>')
    for value, anchor in ((low, "start"), (high, "end")):
        x = _place(value, low, span)
        text = f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="{anchor}">{value:.3g}</text>'
        elements.append(text)
    for n, data in enumerate(dict.fromkeys(line["data"] for line in lines)):
        own = [line for line in lines if line["data"] == data]
        points = [
            (_place(x[name], low, span), _height(x[FIGURES[0]] / own[0][FIGURES[0]])) for x in own
        ]
        path = " ".join(f"{x},{y}" for x, y in points)
        colour = COLOURS[n % len(COLOURS)]
        elements.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        elements += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in points]
        height = HEIGHT - 40 - 14 * n
        elements.append(f'<text x="{MARGIN + 6}" y="{height}" fill="{colour}">{data}</text>')
    return "".join(elements)


def _place(value: float, low: float, span: float) -> float:
    return round(MARGIN + (value - low) / span * (WIDTH - MARGIN - 20), 1)


def _height(part: float) -> float:
    return round(HEIGHT - 28 - part * (HEIGHT - 64), 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with releases")
    parser.add_argument("--split", choices=[*RULES], default="last20")
    parser.add_argument("--inner", action="store_true", help="split train once more")
    parser.add_argument("--svg", type=Path, help="write a plot")
    parser.add_argument("--json", type=Path, help="write all figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
