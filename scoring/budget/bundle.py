"""The budget model's bundle as files, written and read with one mind.

    bundle.json      recipe, as_of, price_year, feature stages, the trend, and for each question its
                     linear part, its trees' share, the features' means and the interval's residuals
    films.jsonl      the films the fit has seen: directors' records and evidence come from them
    trees_*.npy      one set of flat arrays a question that has trees
    golden.json      {"tolerance", "queries": [{directors, genres, year, rating, question, log10}]}

A reader that finds a part missing, torn or not finite raises BundleError.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee.errors import BundleError
from scoring.arrays import Floats
from scoring.budget.features import BEFORE_RELEASE, QUESTIONS, Stages
from scoring.budget.interval import STEADY, Spread, read_spread
from scoring.budget.records import FOUR, RECORD, Film
from scoring.budget.trees import REMEDY, FlatTrees, load_trees, save_trees
from scoring.budget.trend import FLAT, Trend, read_trend

FORMAT = 2
READABLE = (1, 2)
"""Format 1 has no trend: its answers are the fits' alone."""


@dataclass(frozen=True)
class Fit:
    """One question's answerer: linear_share * linear + tree_share * trees."""

    linear_share: float
    intercept: float
    coefficients: Floats  # [features]; zeros where the recipe has no linear part
    trees: FlatTrees | None
    means: Floats  # [features], of the films the fit has seen: what a typical film is like
    residuals: tuple[float, float]  # 10th and 90th percentile, out of sample, in spreads
    spread: Spread = STEADY
    tree_share: float | None = None  # None: what linear_share leaves

    @property
    def share_of_trees(self) -> float:
        """What the trees' answer is multiplied with."""
        return 1.0 - self.linear_share if self.tree_share is None else self.tree_share

    def answers(self, rows: Floats) -> Floats:
        """log10 dollars of [films, features]."""
        linear = rows @ self.coefficients + self.intercept
        if self.trees is None:
            return self.linear_share * linear
        return self.linear_share * linear + self.share_of_trees * self.trees.predict(rows)

    def filled(self, row: Floats) -> Floats:
        """A film's features; a typical film's where they are not told."""
        return np.where(np.isnan(row), self.means, row)


@dataclass(frozen=True)
class BudgetBundle:
    """All that a folder holds."""

    stages: Stages
    fits: Mapping[str, Fit]
    films: tuple[Film, ...]
    facts: Mapping[str, Any]
    golden: Mapping[str, Any]
    trend: Trend = FLAT
    """Added to the answer of every question."""


def write_bundle(folder: Path, bundle: BudgetBundle) -> Path:
    """Write the files into `folder`, made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = {}
    for question, fit in bundle.fits.items():
        if fit.trees:
            save_trees(fit.trees, folder, _prefix(question))
        questions[question] = {
            "linear_share": fit.linear_share,
            "intercept": fit.intercept,
            "coefficients": fit.coefficients.tolist(),
            "has_trees": fit.trees is not None,
            "means": fit.means.tolist(),
            "residuals": list(fit.residuals),
            "spread": None if fit.spread == STEADY else asdict(fit.spread),
            "tree_share": fit.share_of_trees,
        }
    facts = {
        "format": FORMAT,
        "model": "budget",
        **bundle.facts,
        "stages": asdict(bundle.stages),
        "trend": None if bundle.trend == FLAT else asdict(bundle.trend),
        "questions": questions,
    }
    _write_json(folder / "bundle.json", facts)
    _write_json(folder / "golden.json", bundle.golden)
    lines = (json.dumps(asdict(f), ensure_ascii=False, allow_nan=False) for f in bundle.films)
    (folder / "films.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder


def read_bundle(folder: Path) -> BudgetBundle:
    """Read and check everything; BundleError says what is wrong and where."""
    facts = _read_json(folder / "bundle.json")
    if facts.get("format") not in READABLE or facts.get("model") != "budget":
        formats = " or ".join(map(str, READABLE))
        raise BundleError(f"{folder} is not a budget bundle of format {formats}", REMEDY)
    try:
        bundle = BudgetBundle(
            stages=(stages := _stages(facts["stages"])),
            fits={q: _fit(folder, q, stages, facts["questions"][q]) for q in facts["questions"]},
            films=tuple(_films(folder / "films.jsonl")),
            facts={"price_year": int(facts["price_year"]), **facts},
            golden=_read_json(folder / "golden.json"),
            trend=read_trend(facts.get("trend")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder}/bundle.json is not complete: {error!r}", REMEDY) from None
    if BEFORE_RELEASE not in bundle.fits or not set(bundle.fits) <= set(QUESTIONS):
        raise BundleError(f"{folder} must answer '{BEFORE_RELEASE}' and nothing unknown", REMEDY)
    if not bundle.films:
        raise BundleError(f"{folder} knows no film", REMEDY)
    return bundle


def _stages(table: Mapping[str, Any]) -> Stages:
    smoothing = float(table["director_smoothing"])
    if not smoothing > 0:
        raise ValueError("director_smoothing is not positive")
    years = int(table["first_year"]), int(table["last_year"])
    step = float(table["rating_step"])
    record = tuple(table.get("record", FOUR))
    if not set(record) <= set(RECORD):
        raise ValueError(f"unknown features of a record: {', '.join(record)}")
    return Stages(
        tuple(table["genres"]),
        *years,
        director_smoothing=smoothing,
        rating_step=step,
        record=record,
        people=tuple(table.get("people", ())),
        numbers=tuple(table.get("numbers", ())),
        labels={column: tuple(words) for column, words in table.get("labels", {}).items()},
        ranges={
            name: (float(low), float(high)) for name, (low, high) in table.get("ranges", {}).items()
        },
    )


def _fit(folder: Path, question: str, stages: Stages, table: Mapping[str, Any]) -> Fit:
    width = len(stages.names(question))
    trees = load_trees(folder, _prefix(question), width) if table["has_trees"] else None
    low, high = (float(x) for x in table["residuals"])
    fit = Fit(
        linear_share=float(table["linear_share"]),
        intercept=float(table["intercept"]),
        coefficients=np.asarray(table["coefficients"], dtype=np.float64),
        trees=trees,
        means=np.asarray(table["means"], dtype=np.float64),
        residuals=(low, high),
        spread=read_spread(table.get("spread")),
        tree_share=float(table.get("tree_share", 1.0 - float(table["linear_share"]))),
    )
    numbers = np.concatenate(
        [fit.coefficients, fit.means, [fit.intercept, fit.linear_share, fit.share_of_trees]]
    )
    if len(fit.coefficients) != width or len(fit.means) != width:
        raise ValueError(f"'{question}' has not {width} coefficients and means")
    if not np.isfinite(numbers).all() or not low <= 0 <= high or not np.isfinite(high - low):
        raise ValueError(f"'{question}' holds a number that cannot be")
    if trees is None and (fit.linear_share != 1.0 or fit.share_of_trees != 0.0):
        raise ValueError(f"'{question}' has no trees for their share of {fit.share_of_trees}")
    return fit


def _films(path: Path) -> Iterable[Film]:
    for line in _read_text(path).splitlines():
        record = json.loads(line)
        lists = {k: tuple(record[k]) for k in ("directors", "director_names", "genres")}
        people = {role: tuple(names) for role, names in record.get("people", {}).items()}
        film = Film(**(record | lists | {"people": people}))
        if not np.isfinite(film.log_budget) or not np.isfinite(film.above_time or 0.0):
            raise ValueError(f"{film.title_id} has a budget that is not finite")
        yield film


def _prefix(question: str) -> str:
    return f"trees_{question.replace(' ', '_')}"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot read {path}: {error}", REMEDY) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read_text(path))
    except ValueError as error:
        raise BundleError(f"{path} is not JSON: {error}", REMEDY) from None
    if not isinstance(value, dict):
        raise BundleError(f"{path} holds no object", REMEDY)
    return value
