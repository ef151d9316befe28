"""Exports beside the native scorer: parity, size, and times, for budget bundles.

    python -m bench.exports BUNDLE... [--rows 20000] [--json FILE]

Each bundle is exported to every format, and its widest question is asked in the stock engine:
golden rows, and rows whose values are drawn column by column from the golden rows. A row of the
table is an engine. `write` and `load` are seconds (load includes the start of a virtual machine,
once), `check` the seconds of all golden rows, `one row` the median in microseconds, `batch` rows a
second. Needs `make setup-exports`; with nothing to ask an engine it says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exports.exported_questions import (
    ExportedQuestion,
    ExportedRow,
    exported_questions,
    exported_rows,
)
from exports.formats import FORMATS
from local_stack.java_setup import listed_folder
from marquee.errors import SettingsError
from marquee.settings import load_settings
from scoring.arrays import Floats
from scoring.budget.model import BudgetModel

COLUMNS = ("engine", "worst", "KB", "write", "load", "check", "one row", "batch")
ONE_ROW_SECONDS, MOST_ONE_ROWS = 1.5, 2_000
BATCH_SECONDS = 3.0
Scorer = Callable[[Floats], Floats]


def drawn_rows(golden: Floats, count: int, seed: int = 5) -> Floats:
    """Rows whose every value is that of some golden row [count, F]."""
    rng = np.random.default_rng(seed)
    places = rng.integers(len(golden), size=(count, golden.shape[1]))
    return np.take_along_axis(golden, places, axis=0)


def median_of_one(score: Scorer, rows: Floats) -> float:
    """Median microseconds of one row."""
    score(rows[:1])
    times, started = [], time.perf_counter()
    for place in range(MOST_ONE_ROWS):
        row = rows[place % len(rows)][None, :]
        before = time.perf_counter()
        score(row)
        times.append(time.perf_counter() - before)
        if time.perf_counter() - started > ONE_ROW_SECONDS:
            break
    return 1e6 * statistics.median(times)


def rows_a_second(score: Scorer, rows: Floats) -> float:
    """Of the best of as many batches as fit into BATCH_SECONDS; at least one batch."""
    best, started = np.inf, time.perf_counter()
    while True:
        before = time.perf_counter()
        score(rows)
        best = min(best, time.perf_counter() - before)
        if time.perf_counter() - started > BATCH_SECONDS:
            return len(rows) / best


def measure(score: Scorer, one: ExportedQuestion, golden: list[ExportedRow], count: int) -> Any:
    """Parity and times of one engine."""
    values = np.array([row.values for row in golden])
    recorded = np.array([row.log10 for row in golden])
    started = time.perf_counter()
    worst = float(np.abs(score(values) - recorded).max())
    checked = time.perf_counter() - started
    rows = drawn_rows(values, count)
    sample = rows[: min(count, 2_000)]
    worst = max(worst, float(np.abs(score(sample) - one.answers(sample)).max()))
    return {
        "worst": worst,
        "check": checked,
        "one row": median_of_one(score, rows),
        "batch": rows_a_second(score, rows),
    }


def measure_bundle(folder: Path, count: int) -> list[dict[str, Any]]:
    """A row for the native scorer and for each format."""
    started = time.perf_counter()
    model = BudgetModel.load(folder)
    loaded = time.perf_counter() - started
    questions = exported_questions(model.bundle)
    one = max(questions, key=lambda question: len(question.inputs))
    golden = [r for r in exported_rows(model, questions) if r.question == one.question]
    name = str(model.bundle.facts["recipe"]["name"])
    trees = 0 if one.trees is None else len(one.trees.root)
    print(f"{name}: {one.question}, {len(one.inputs)} inputs, {trees} trees, {len(golden)} golden")
    found = [{"engine": "native", "load": loaded} | measure(one.answers, one, golden, count)]
    for name, chosen in FORMATS.items():
        started = time.perf_counter()
        data = chosen.code.write_question(one, {"question": one.question})
        written = time.perf_counter()
        try:
            score = chosen.code.load_question(data, listed_folder("mleap", load_settings()))
        except SettingsError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        facts = {"KB": len(data) / 1e3, "write": written - started}
        facts["load"] = time.perf_counter() - written
        # A virtual machine behind a socket or JPype takes rows one by one.
        most = count if name == "onnx" else min(count, 1_000)
        found.append({"engine": chosen.engine} | facts | measure(score, one, golden, most))
    return found


def shown(rows: list[dict[str, Any]]) -> str:
    """The table as text."""
    forms = {"worst": "{:.1e}", "KB": "{:,.0f}", "one row": "{:,.0f} µs", "batch": "{:,.0f}/s"}
    cells = [
        [
            str(row[c])
            if c == "engine"
            else forms.get(c, "{:.3f} s").format(row[c])
            if c in row
            else "–"
            for c in COLUMNS
        ]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *cells, strict=True)]
    lines = [COLUMNS, *cells]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths)) for line in lines)


def main() -> int:
    """Measure each bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    for folder in options.bundles:
        found[str(folder)] = measure_bundle(folder, options.rows)
        print(shown(found[str(folder)]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
