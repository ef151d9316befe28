"""The budget model's holdout: errors by director, paired comparisons, and the holdout record.

The holdout's titles are newer than the fit. Titles that share a director are not independent, so
every interval resamples whole directors. A title's cluster is its first director; a title without
a director is a cluster of its own.

The holdout record of a promoted model has one line for each title, in order of title id:

    {"unit": title id, "holdout": 12 hex, "cluster": first director's key, "error": log10,
     "error_before_release": log10}

`holdout` is a digest of the query (directors, genres, year, rating) and of the budget in dollars of
the release year: a title whose budget or rating was corrected is not compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from marquee.dataset_contracts import MOST_GENRES
from marquee.errors import ContractError
from marquee.identifiers import digest_value
from scoring.arrays import Floats, Mask, Rows
from scoring.budget.features import DIRECTOR, KnownTitle, person_key
from scoring.budget.model import BudgetEstimate, BudgetModel, BudgetQuery
from scoring.evaluation_blocks import DIGEST_DIGITS, LARGEST_ERROR, RecordLine, matched_lines
from scoring.model_comparison import paired_bootstrap

UNITS = "directors"
BESIDE_METRICS = ("log_rmse", "log_rmse_before_release")
DIGITS = 9
"""Significant digits of the dollars in a digest, so that rounding does not change it."""


@dataclass(frozen=True)
class BudgetHoldout:
    """Titles of train and of the holdout, and the holdout's budgets in log10 dollars [titles]."""

    train: Sequence[KnownTitle]
    titles: Sequence[KnownTitle]
    actual: Floats

    @classmethod
    def of(cls, train: Sequence[KnownTitle], titles: Sequence[KnownTitle]) -> BudgetHoldout:
        """Raises ContractError where either has no title."""
        if not train or not titles:
            raise ContractError(
                f"{len(train)} films in train and {len(titles)} in the holdout measure nothing",
                "crawl more titles",
            )
        return cls(train, titles, np.array([title.log_budget for title in titles]))

    @cached_property
    def clusters(self) -> Clusters:
        """The clusters of the holdout's titles."""
        return Clusters.of(self.titles)

    def errors(self, model: BudgetModel, with_rating: bool = True) -> Floats:
        """log10 of actual over estimate [titles]: above zero where the estimate is too low."""
        queries = [query_of(title, with_rating) for title in self.titles]
        return self.actual - model.log_estimates(queries)

    def estimates(self, model: BudgetModel, with_rating: bool = True) -> list[BudgetEstimate]:
        """The model's estimates [titles], with intervals and contributions."""
        return [model.estimate(query_of(title, with_rating)) for title in self.titles]

    def inside(self, estimates: Sequence[BudgetEstimate]) -> Mask:
        """Whether each title's budget lies in its interval, [titles]."""
        low = np.array([math.log10(e.low) for e in estimates])
        high = np.array([math.log10(e.high) for e in estimates])
        found: Mask = (low <= self.actual) & (self.actual <= high)
        return found


def query_of(title: KnownTitle, with_rating: bool = True) -> BudgetQuery:
    """The query for a title whose budget is to be estimated."""
    rating = title.rating if with_rating else None
    return BudgetQuery(title.directors, title.genres[:MOST_GENRES], title.year, rating)


@dataclass(frozen=True)
class Clusters:
    """The cluster of each title: `rows` [titles] are numbers from 0 to `count` - 1."""

    rows: Rows
    count: int

    @classmethod
    def of_keys(cls, keys: Sequence[str]) -> Clusters:
        """Titles with equal keys are one cluster."""
        names, rows = np.unique(np.array(keys, dtype=np.str_), return_inverse=True)
        return cls(rows, len(names))

    @classmethod
    def of(cls, titles: Sequence[KnownTitle]) -> Clusters:
        """Titles with the same first director are one cluster."""
        return cls.of_keys([cluster_key(title.directors, title.title_id) for title in titles])

    def take(self, titles: Mask) -> Clusters:
        """The clusters of some of the titles."""
        return Clusters.of_keys(self.rows[titles].astype(np.str_).tolist())

    def sums(self, values: Floats | Mask) -> Floats:
        """The sum of the titles' values in each cluster, [count]."""
        found = np.bincount(self.rows, weights=values, minlength=self.count)
        return found.astype(np.float64)

    @property
    def sizes(self) -> Floats:
        """Titles in each cluster, [count]."""
        return self.sums(np.ones(len(self.rows)))


def cluster_key(directors: Sequence[str], title_id: str) -> str:
    """The first director's key, or the title id of a title without directors."""
    return person_key(directors[0]) if directors else title_id


def compare_log_rmse(clusters: Clusters, ours: Floats, other: Floats, seed: int) -> dict[str, Any]:
    """`paired_bootstrap` of two models' log-RMSE; `ours` and `other` are errors [titles]."""
    squares = clusters.sums(ours**2), clusters.sums(other**2)
    return paired_bootstrap(*squares, weights=clusters.sizes, root=True, units=UNITS, seed=seed)


def mean_interval(clusters: Clusters, values: Floats | Mask, seed: int) -> list[float]:
    """The 95 % interval of the mean of `values` [titles]."""
    sums = clusters.sums(values)
    found = paired_bootstrap(
        sums, np.zeros(len(sums)), weights=clusters.sizes, units=UNITS, seed=seed
    )
    interval: list[float] = found["interval"]
    return interval


def rmse_interval(clusters: Clusters, errors: Floats, seed: int) -> list[float]:
    """The 95 % interval of the root mean square of `errors` [titles]."""
    found = compare_log_rmse(clusters, errors, np.zeros(len(errors)), seed)
    interval: list[float] = found["interval"]
    return interval


Text = Annotated[str, Field(min_length=1)]
Error = Annotated[float, Field(ge=-LARGEST_ERROR, le=LARGEST_ERROR, allow_inf_nan=False)]


class TitleLine(RecordLine):
    """One title of a holdout record. Errors are log10(actual / estimate), with rating and before
    release; early records lack the latter."""

    unit: Text
    cluster: Text
    error: Error
    error_before_release: Error | None = None


def holdout_record(
    titles: Sequence[KnownTitle], dollars: Mapping[str, float], errors: Floats, before: Floats
) -> list[TitleLine]:
    """One line for each title, in order of title id.

    `dollars` are of the release year, by title id; `errors` (with rating) and `before` (before
    release) are [titles].
    """
    lines = [
        TitleLine(
            unit=title.title_id,
            holdout=_digest(title, dollars[title.title_id]),
            cluster=cluster_key(title.directors, title.title_id),
            error=float(error),
            error_before_release=float(unrated),
        )
        for title, error, unrated in zip(titles, errors, before, strict=True)
    ]
    return sorted(lines, key=lambda line: line.unit)


def compare_with_record(
    ours: Sequence[TitleLine], recorded: Sequence[TitleLine], seed: int
) -> dict[str, Any]:
    """`versus.record`: `{"matched", "units", "log_rmse", "log_rmse_before_release"}`.

    Both metrics are a `compare_log_rmse` with the recorded errors, on titles with the same
    `holdout`; null where no title has both errors. `units` is the number of directors of our
    titles, `matched` the number of those with a compared title.
    """
    pairs = matched_lines(ours, recorded)
    before = [(a.cluster, a.error_before_release, b.error_before_release) for a, b in pairs]
    return {
        "matched": len({line.cluster for line, _ in pairs}),
        "units": len({line.cluster for line in ours}),
        "log_rmse": _compared([(a.cluster, a.error, b.error) for a, b in pairs], seed),
        "log_rmse_before_release": _compared(before, seed),
    }


def _compared(
    titles: Sequence[tuple[str, float | None, float | None]], seed: int
) -> dict[str, Any] | None:
    """`compare_log_rmse` of the titles with both errors; None where there is none."""
    known = [(key, a, b) for key, a, b in titles if a is not None and b is not None]
    if not known:
        return None
    keys, ours, theirs = zip(*known, strict=True)
    return compare_log_rmse(Clusters.of_keys(keys), np.array(ours), np.array(theirs), seed)


def _digest(title: KnownTitle, dollars: float) -> str:
    query = query_of(title)
    facts = [sorted(title.keys(DIRECTOR)), sorted(set(query.genres)), query.year, query.rating]
    return digest_value([*facts, f"{dollars:.{DIGITS}g}"])[:DIGEST_DIGITS]


# Recipes that stand beside the model


def compare_beside(
    holdout: BudgetHoldout, ours: tuple[Floats, Floats], folder: Path | None, seed: int
) -> dict[str, Any]:
    """The paired comparisons with each recipe whose answers are in `folder`, by its name.

    `ours` are the model's errors [titles] with rating and before release. The training job writes
    the answers (`Trainer.write_answers`). A recipe without an answer for every title is left out.
    """
    found = {}
    for path in sorted(folder.glob("*.json")) if folder else ():
        answers = json.loads(path.read_text("utf-8"))["answers"]
        if all(title.title_id in answers for title in holdout.titles):
            rows = np.array([answers[title.title_id] for title in holdout.titles])
            found[path.stem] = {
                key: compare_log_rmse(holdout.clusters, mine, holdout.actual - theirs, seed=seed)
                for key, mine, theirs in zip(BESIDE_METRICS, ours, rows.T, strict=True)
            }
    return found
