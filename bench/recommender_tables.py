"""Lines of a comparison as tables: means over seeds, a split a column, and who is better."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.recommender_comparison import OURS, Line
from scoring.model_comparison import paired_bootstrap

FIGURES = (
    "rmse",
    "mae",
    "ndcg@10",
    "liked ndcg@10",
    "recall@10",
    "seconds",
    "cpu_seconds",
    "peak_mb",
)


def show(lines: Sequence[Line]) -> dict[str, Any]:
    """Print a table a figure and the comparisons; returns all of it for JSON."""
    means = {figure: table(lines, figure) for figure in FIGURES}
    for figure, rows in means.items():
        if rows:
            print(f"\n{figure} (mean over seeds)")
            print_table(rows)
    compared = compare(lines)
    for split, found in compared.items():
        low, high = found["interval"]
        print(
            f"\n{split}: {OURS}'s nDCG@10 {found['challenger']:.4f} against {found['best']}'s "
            f"{found['other']:.4f}: {found['difference']:+.4f}, 95 % from {low:+.4f} to {high:+.4f}"
        )
    return {"lines": [line.as_json() for line in lines], "means": means, "compared": compared}


def table(lines: Sequence[Line], figure: str) -> dict[str, dict[str, float]]:
    """Model to split to the mean over its seeds; `mean` is over the splits."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        value = line.as_json().get(figure)
        if value is not None:
            found[line.model][line.split].append(float(value))
    rows = {m: {s: statistics.mean(v) for s, v in by.items()} for m, by in found.items()}
    return {m: by | {"mean": statistics.mean(by.values())} for m, by in rows.items()}


def print_table(rows: dict[str, dict[str, float]]) -> None:
    """Models down, splits across; a gap where a model was not run."""
    splits = dict.fromkeys(s for by in rows.values() for s in by if s != "mean")
    columns = [*splits, "mean"]
    print(f"{'':<24}" + "".join(f"{s:>10}" for s in columns))
    for model, by in rows.items():
        print(f"{model:<24}" + "".join(_cell(by.get(s)) for s in columns))


def _cell(value: float | None) -> str:
    if value is None:
        return f"{'':>10}"
    return f"{value:>10.4f}" if value < 10 else f"{value:>10.1f}"


def compare(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Ours against the best ranking peer of each split, people resampled (seeds averaged)."""
    compared = {}
    for split in dict.fromkeys(line.split for line in lines):
        people = {m: per_person(lines, split, m) for m in {line.model for line in lines}}
        ranked = {m: p for m, p in people.items() if p}
        peers = [m for m in ranked if not m.startswith(OURS)]
        if OURS not in ranked or not peers:
            continue
        best = max(peers, key=lambda m: statistics.mean(ranked[m].values()))
        both = sorted(ranked[OURS].keys() & ranked[best].keys())
        ours, other = (np.array([ranked[m][p] for p in both]) for m in (OURS, best))
        compared[split] = {"best": best, **paired_bootstrap(ours, other, seed=1)}
    return compared


def per_person(lines: Sequence[Line], split: str, model: str) -> dict[int, float]:
    """Each person's nDCG, averaged over the seeds that every ranking model has in this split."""
    chosen = [x for x in lines if x.split == split and x.people]
    models = {x.model for x in chosen}
    seeds = [{x.seed for x in chosen if x.model == m} for m in models]
    shared = set.intersection(*seeds) if seeds else set()
    found: dict[int, list[float]] = defaultdict(list)
    for line in chosen:
        if line.model == model and line.seed in shared:
            for person, value in line.people.items():
                found[person].append(value)
    return {person: statistics.mean(values) for person, values in found.items()}
