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
    for split, kinds in compared.items():
        for kind, peers in kinds.items():
            print_differences(split, kind, peers)
    return {"lines": [line.as_json() for line in lines], "means": means, "compared": compared}


def print_differences(split: str, kind: str, peers: dict[str, dict[str, Any]]) -> None:
    """Ours beside each peer, the best peer first."""
    own = next(iter(peers.values()))["challenger"]
    print(f"\n{split}: {OURS}'s nDCG@10 of {kind} titles {own:.4f}; the difference to")
    for name, found in peers.items():
        low, high = found["interval"]
        share = found["difference"] / found["other"] if found["other"] else float("nan")
        print(
            f"  {name:<20}{found['other']:.4f}  {found['difference']:+.4f} ({share:+.1%}), "
            f"95 % from {low:+.4f} to {high:+.4f}"
        )


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


def compare(lines: Sequence[Line]) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Split to `any` and `liked` to each ranking peer, the best first: ours minus the peer's nDCG,
    people resampled (seeds averaged)."""
    compared: dict[str, dict[str, dict[str, dict[str, Any]]]] = defaultdict(dict)
    for split in dict.fromkeys(line.split for line in lines):
        for kind in ("any", "liked"):
            people = {m: per_person(lines, split, m, kind) for m in {x.model for x in lines}}
            ranked = {m: p for m, p in people.items() if p}
            peers = [m for m in ranked if not m.startswith(OURS)]
            if OURS in ranked and peers:
                peers.sort(key=lambda m: (-statistics.mean(ranked[m].values()), m))
                own = ranked[OURS]
                compared[split][kind] = {m: _difference(own, ranked[m]) for m in peers}
    return dict(compared)


def _difference(own: dict[int, float], other: dict[int, float]) -> dict[str, Any]:
    both = sorted(own.keys() & other.keys())
    ours, theirs = (np.array([values[p] for p in both]) for values in (own, other))
    return {"people": len(both), **paired_bootstrap(ours, theirs, seed=1)}


def per_person(
    lines: Sequence[Line], split: str, model: str, kind: str = "any"
) -> dict[int, float]:
    """Each person's nDCG, averaged over the seeds that every ranking model has in this split."""
    chosen = [x for x in lines if x.split == split and x.people]
    models = {x.model for x in chosen}
    seeds = [{x.seed for x in chosen if x.model == m} for m in models]
    shared = set.intersection(*seeds) if seeds else set()
    found: dict[int, list[float]] = defaultdict(list)
    for line in chosen:
        if line.model == model and line.seed in shared:
            for person, value in (line.people if kind == "any" else line.liked).items():
                found[person].append(value)
    return {person: statistics.mean(values) for person, values in found.items()}
