"""How long an estimate takes, from fields to interval, contributions, evidence and notes.

    python -m bench.budget_speed [--bundle FOLDER] [--titles 3000] [--repeats 2000] [--json FILE]

Without `--bundle`, the bundle is made up: so many titles, and for each question as many trees as
`rounds`, `trees` and `depth` of the default recipe give, each of full depth. Queries are the known
titles' own fields, a different one each time. Prints microseconds of CPU an estimate, by question.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from marquee.settings import load_settings
from scoring.budget.bundle import BudgetBundle, read_bundle
from scoring.budget.features import (
    ALL_BEFORE_RELEASE,
    ALL_KNOWN,
    BEFORE_RELEASE,
    QUESTIONS,
    RECORD_FEATURES,
    WITH_RATING,
    BudgetQuery,
    FeatureEncoder,
    KnownTitle,
)
from scoring.budget.flat_trees import LEAF, FlatTrees
from scoring.budget.model import BudgetModel
from scoring.budget.predictor import ErrorSpread, Predictor, Trend

GENRES = tuple(f"Genre {number}" for number in range(20))
LABELS = {
    "certificate": ("G", "PG", "PG-13", "R"),
    "country": ("GB", "US"),
    "language": ("en", "fr"),
    "month": tuple(f"{month:02d}" for month in range(1, 13)),
}


def main() -> int:
    """Measure and print."""
    options = _options()
    bundle = read_bundle(options.bundle) if options.bundle else made_up(options.titles)
    model, found = BudgetModel(bundle), {}
    print(f"{len(bundle.titles)} known films; microseconds of CPU an estimate")
    for question in [q for q in QUESTIONS if q in bundle.predictors]:
        found[question] = round(1e6 * seconds(model, question, options.repeats), 1)
        print(f"{question:<40}{found[question]:>8.1f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def seconds(model: BudgetModel, question: str, repeats: int) -> float:
    """CPU seconds of one estimate, the mean of `repeats`."""
    known = model.bundle.titles
    queries = [query_of(known[number % len(known)], question) for number in range(repeats)]
    for query in queries[:100]:
        assert model.estimate(query).low > 0
    started = time.process_time()
    for query in queries:
        model.estimate(query)
    return (time.process_time() - started) / repeats


def query_of(title: KnownTitle, question: str) -> BudgetQuery:
    """The title's fields, as far as the question reads them."""
    core = (title.directors, title.genres[:12], title.year + 1)
    rating = (7.0 if title.rating is None else title.rating) if "release" not in question else None
    if question in (WITH_RATING, BEFORE_RELEASE):
        return BudgetQuery(*core, rating)
    planned = {n: v for n, v in title.numbers.items() if n == "runtime" or question == ALL_KNOWN}
    return BudgetQuery(*core, rating, title.people, planned, title.labels)


def made_up(count: int) -> BudgetBundle:
    """A bundle with `count` titles, which answers all four questions."""
    rng = np.random.default_rng(5)
    recipe = next(one for one in load_settings().recipes.budget if one.get("wide"))
    ensembles = 1 + bool(recipe.get("direct_share"))
    trees = ensembles * int(recipe.get("rounds", 1)) * int(recipe.get("trees", 1))
    people = ("writer", "cast", "company", "keyword")
    encoder = FeatureEncoder(
        GENRES, 1950, 2020, 2.0, 1.0, RECORD_FEATURES, people, ("runtime", "vote_count"), LABELS
    )
    predictors = {
        question: _predictor(rng, len(encoder.names(question)), trees, int(recipe["depth"]))
        for question in (WITH_RATING, BEFORE_RELEASE, ALL_BEFORE_RELEASE, ALL_KNOWN)
    }
    titles = tuple(_title(rng, number, count) for number in range(count))
    facts, golden = {"price_year": 2025}, {"tolerance": 1e-9, "queries": []}
    return BudgetBundle(encoder, predictors, titles, facts, golden, Trend(0.01, 1990, 1950, 2030))


def _predictor(rng: np.random.Generator, width: int, trees: int, depth: int) -> Predictor:
    return Predictor(
        linear_share=0.2,
        intercept=7.0,
        coefficients=rng.normal(0, 0.01, width),
        trees=_full_trees(rng, width, trees, depth),
        means=np.zeros(width),
        residuals=(-1.0, 1.0),
        spread=ErrorSpread(0.4, -0.2, 0.1, 7.0),
        tree_share=0.8,
    )


def _full_trees(rng: np.random.Generator, width: int, count: int, depth: int) -> FlatTrees:
    size, inner = 2 ** (depth + 1) - 1, 2**depth - 1
    place = np.tile(np.arange(size, dtype=np.int32), count)
    first = np.repeat(np.arange(count, dtype=np.int32) * size, size)
    is_inner = place < inner
    return FlatTrees(
        np.where(is_inner, rng.integers(0, width, len(place)), LEAF).astype(np.int32),
        rng.normal(0, 1, len(place)),
        np.where(is_inner, first + 2 * place + 1, 0).astype(np.int32),
        np.where(is_inner, first + 2 * place + 2, 0).astype(np.int32),
        rng.normal(0, 0.1, len(place)),
        (np.arange(count) * size).astype(np.int32),
        np.full(count, 1 / count),
    )


def _title(rng: np.random.Generator, number: int, count: int) -> KnownTitle:
    def some(kind: str, most: int, size: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{kind} {n}" for n in rng.integers(0, most, size).tolist()))

    people: dict[str, Sequence[str]] = {
        "writer": some("nm1", count, 2),
        "cast": some("nm2", count, 10),
        "company": some("company", 100, 3),
        "keyword": some("word", 2000, 8),
    }
    return KnownTitle(
        title_id=f"tt{number:07d}",
        title=f"Film {number}",
        year=1950 + 70 * number // count,
        directors=some("nm3", count // 3 + 1, 1),
        director_names=(f"Director {number}",),
        genres=tuple(rng.choice(GENRES, 3, replace=False).tolist()),
        rating=float(rng.uniform(4, 9)),
        log_budget=float(rng.normal(7, 0.7)),
        above_time=float(rng.normal(0, 0.5)),
        people={role: tuple(names) for role, names in people.items()},
        numbers={"runtime": 100.0, "vote_count": 5000.0},
        labels={"certificate": "R", "country": "US", "language": "en", "month": "05"},
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="a budget bundle's folder")
    parser.add_argument("--titles", type=int, default=3000, help="known titles of a made-up one")
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--json", type=Path, help="keep the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
