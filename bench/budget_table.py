"""The tables and the plot of `bench/budget.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.budget_peers import LIGHTGBM


def print_result(result: dict[str, Any]) -> None:
    """One table a feature set, then its intervals."""
    for name, found in result["sets"].items():
        print(f"\n{name}: RMSE of log10 dollars")
        if "skipped" in found:
            print(f"  skipped: {found['skipped']}")
            continue
        print_errors(result["origins"], found)
        ratio, low, high = found["pooled"]
        print(f"pooled, of {LIGHTGBM}: {ratio:.3f} [{low:.3f}, {high:.3f}]")
        _print_intervals(result["origins"], found["intervals"])


def print_errors(origins: list[int], found: dict[str, Any]) -> None:
    """A line a model; ratio and ahead are against LightGBM, where it is there."""
    heads = "".join(f"{origin:>8}" for origin in origins)
    print(f"{'model':<34}{heads}{'mean':>8}{'ratio':>8}{'ahead':>7}{'fit s':>8}")
    other = np.array(found["rmse"].get(LIGHTGBM, [np.nan] * len(origins)))
    for model, errors in found["rmse"].items():
        mean, ahead = float(np.mean(errors)), int((np.array(errors) < other).sum())
        cells = "".join(f"{error:>8.3f}" for error in errors)
        seconds = found["seconds"].get(model, 0.0)
        ratio = f"{mean / other.mean():>8.3f}{ahead:>7}" if LIGHTGBM in found["rmse"] else 15 * " "
        print(f"{model:<34}{cells}{mean:>8.4f}{ratio}{seconds:>8.1f}")


def _print_intervals(origins: list[int], intervals: dict[str, list[list[float]]]) -> None:
    for model, judged in intervals.items():
        covered = "".join(f"{100 * one[0]:>7.0f}%" for one in judged)
        means, low = np.mean(judged, axis=0), sum(upper < 0.8 for _, _, upper in judged)
        label, score = f"80 %: {model}", f"interval score {means[1]:.3f}"
        print(f"{label:<34}{covered}{100 * means[0]:>7.1f}%  {score}  low {low}")


def draw(result: dict[str, Any], path: Path) -> None:
    """Errors by origin, one panel a feature set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(result["sets"]), figsize=(15, 4), squeeze=False)
    for panel, (name, found) in zip(panels[0], result["sets"].items(), strict=True):
        for model, errors in found.get("rmse", {}).items():
            panel.plot(result["origins"], errors, marker="o", label=model)
        panel.set(title=name, xlabel="scored from", ylabel="RMSE of log10 dollars")
    panels[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
