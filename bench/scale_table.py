"""The tables of `bench.scale`: tasks, exponents, a sweep beside one core's limit, the bundle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from bench.scale_tasks import BUNDLE, TASKS, Figures

MATRIX = 1_000
"""Rows of the square matrices whose product measures DGEMM."""
REPEATS = 5


def report(found: Sequence[Figures], fit_from: int) -> str:
    """Everything that is printed at the end."""
    parts = [table(found), *exponents(found, fit_from), *sweeps(found, dgemm_rate())]
    return "\n".join([*parts, *bundles(found), *ends(found)])


def table(found: Sequence[Figures]) -> str:
    """One line a task and number of rows, then the sum by rows."""
    lines = [
        f"{'task':20}{'rows':>12}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}{'CPU s/million':>15}"
    ]
    for f in sorted(found, key=lambda f: (TASKS.index(f.task), f.rows)):
        lines.append(_line(f.task, f, f" {f.why}" if f.status else ""))
    for rows in sorted({f.rows for f in found}):
        lines.append(_line("all tasks above", _together([f for f in found if f.rows == rows]), ""))
    return "\n".join(lines)


def _together(tasks: Sequence[Figures]) -> Figures:
    """The sums of the seconds, and the highest peak."""
    seconds, cpu = sum(f.seconds for f in tasks), sum(f.cpu_seconds for f in tasks)
    return Figures("sum", tasks[0].rows, seconds, cpu, max(f.peak_mb for f in tasks))


def _line(name: str, f: Figures, note: str) -> str:
    cost = f"{f.seconds:>10,.1f}{f.cpu_seconds:>10,.1f}{f.peak_mb:>10,.0f}"
    return f"{name:20}{f.rows:>12,}{cost}{1e6 * f.cpu_seconds / f.rows:>15.2f}{note}"


def exponents(found: Sequence[Figures], fit_from: int) -> Iterator[str]:
    """For each task and for all tasks together: the slope of log CPU seconds over log rows."""
    good = [f for f in found if not f.status and f.rows >= fit_from]
    by_task = {task: {f.rows: f.cpu_seconds for f in good if f.task == task} for task in TASKS}
    by_task.pop(BUNDLE)
    measured = {task: points for task, points in by_task.items() if points}
    rows = set.intersection(*(set(points) for points in measured.values())) if measured else set()
    measured["all of them"] = {n: sum(points[n] for points in measured.values()) for n in rows}
    for task, points in measured.items():
        if len(points) > 1:
            span = f"{min(points):,} to {max(points):,} rows"
            yield f"exponent of CPU seconds, {task}: {exponent(points):.2f} from {span}"


def exponent(points: dict[int, float]) -> float:
    """The least-squares slope of the logarithms; `points` are CPU seconds by rows, at least two."""
    rows, seconds = (
        np.log(np.array(list(side), float)) for side in (points.keys(), points.values())
    )
    return float(np.polyfit(rows, seconds, 1)[0])


def sweep_operations(rows: int, people: int, titles: int, rank: int) -> float:
    """2 N (k² + 3 k) + (U + I)(k³ / 3 + 3 k²): products, a Cholesky factor and solves a row.

    N ratings, U people, I titles, k factors: what a Gibbs sweep cannot do without.
    """
    return 2 * rows * (rank**2 + 3 * rank) + (people + titles) * (rank**3 / 3 + 3 * rank**2)


def dgemm_rate() -> float:
    """Operations a CPU second of one core in a product of doubles: the best of REPEATS."""
    one = np.random.default_rng(1).normal(size=(MATRIX, MATRIX))
    best = 0.0
    for _ in range(REPEATS):
        before = time.process_time()
        one @ one
        best = max(best, 2 * MATRIX**3 / max(time.process_time() - before, 1e-9))
    return best


def sweeps(found: Sequence[Figures], rate: float) -> Iterator[str]:
    """A sweep of every trained size beside the limit of one core."""
    for f in found:
        facts = f.facts
        if f.task == "train_recommender" and facts.get("rank"):
            size = facts["rows"], facts["people"], facts["titles"], facts["rank"]
            limit = sweep_operations(*size) / rate
            yield (
                f"a sweep over {f.rows:,} ratings: {_sweep(facts, limit)}one core's limit "
                f"{limit:.4f} s at {rate / 1e9:.1f} GFLOP/s of DGEMM; recipe {facts['recipe']}"
            )


def _sweep(facts: dict[str, float], limit: float) -> str:
    if "sweep_cpu_seconds" in facts:
        took = facts["sweep_cpu_seconds"]
        return f"{took:.3f} CPU s, {took / limit:.1f} times "
    if "sweep_at_most" in facts:
        took = facts["sweep_at_most"]
        return f"at most {took:.3f} s (the whole fit over its sweeps), {took / limit:.1f} times "
    return "not stated by the job; "


def bundles(found: Sequence[Figures]) -> Iterator[str]:
    """The shipped bundle of every trained size."""
    for f in found:
        if f.task == BUNDLE and not f.status:
            yield (
                "bundle of {rows:,} ratings, {bundle_mb} MB: start {start_seconds:.1f} s "
                "({start_cpu_seconds:.1f} CPU s), resident {resident_mb} MB ({own_mb} MB its own), "
                "top-10 {top10_ms_median:.1f} ms, 95 % within {top10_ms_95:.1f} ms"
            ).format(rows=f.rows, **f.facts)


def ends(found: Sequence[Figures]) -> Iterator[str]:
    """Where a curve ends, and why."""
    for f in found:
        if f.status:
            yield f"{f.task} ends at {f.rows:,} ratings: {f.why}"
