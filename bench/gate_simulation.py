"""What chance does at the gate: years of weekly decisions on noise, and on losses that are there.

    python -m bench.gate_simulation [--weeks 200] [--histories 40] [--seed 1] [--errors FILE]

Every week a challenger is compared with the retrained champion on another holdout and judged by
the product's own gate; what it accepts is promoted, with the balance that it books. The comparison
is the true loss plus normal noise of the size that `bench.paired_errors` measured (`--errors`). Its
bounds are as uncertain as that many people or directors make them; the other metric is exactly the
champion's. Weeks are independent, which real holdouts are not: these share most of their rows, so
that noise adds up less than here.

A row is a pair of models and a metric. `noise`: nothing is lost; weeks refused by the balance, and
by the margin alone because the holdout is too small to tell; and histories in which the balance
refused at all. `twice`: a loss of two margins; refused by the balance alone, by the gate. `slide`:
0.3 margins lost every week; the week the balance first refuses (median; - where it does in less
than half of the histories), and the margins lost after a year, of 15.6 without a gate.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.model_card import NO_FIGURES
from marquee.artefacts.verdict import CHAMPION, Head, Subject, Verdict
from marquee.errors import MarqueeError
from marquee.policy import Policy, read_policy
from marquee.settings import load_settings
from release.champion_conditions import GateChampion
from release.gate import GateCase, decide
from release.losses import LOG_RMSE, LOG_RMSE_BEFORE, NDCG, ONE_SIDED_95, RMSE, Metric, is_balance
from release.same_world import DataComparison
from scoring.arrays import Mask

MEASURED = Path(__file__).parent / "paired_errors.json"
MARGINS = {RMSE.key: "margin_rmse", NDCG.key: "margin_ndcg", LOG_RMSE.key: "margin_log_rmse"}
HEAD = Head(1, "d" * 64)
TWICE, SLIDE, YEAR = 2.0, 0.3, 52


@dataclass(frozen=True)
class Pair:
    """Two models on one holdout: the metric's `figure`, and the `error` of a paired difference as
    a share of it; `units` are what is resampled."""

    what: str
    model: str
    metric: Metric
    figure: float
    error: float
    units: int

    @property
    def margin(self) -> float:
        """Of the metric, as a share."""
        return float(getattr(policy_of(self.model), MARGINS[self.metric.key]))


@dataclass(frozen=True)
class Weeks:
    """What became of every week: [histories, weeks] of refusals by the balance, by the margin."""

    by_balance: Mask
    by_margin: Mask

    @property
    def accepted(self) -> Mask:
        """Weeks in which the challenger was promoted."""
        accepted: Mask = ~(self.by_balance | self.by_margin)
        return accepted

    @property
    def first(self) -> float:
        """The week in which the balance first refuses, the median over histories."""
        weeks = np.where(self.by_balance.any(axis=1), self.by_balance.argmax(axis=1) + 1.0, np.inf)
        return float(np.quantile(weeks, 0.5, method="inverted_cdf"))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 2 with one line where the measured errors cannot be read."""
    options = _options(argv)
    try:
        pairs = read_pairs(options.errors)
    except (MarqueeError, OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {options.errors} holds no paired errors: {error}", file=sys.stderr)
        return 2
    print(f"{options.histories} histories of {options.weeks} weeks, seed {options.seed}")
    print(HEADER)
    for pair in pairs:
        print(line(row(pair, options.weeks, options.histories, options.seed)), flush=True)
    return 0


def read_pairs(path: Path) -> list[Pair]:
    """What `bench.paired_errors` wrote, a metric at a time."""
    metrics = {metric.key: metric for metric in (RMSE, NDCG, LOG_RMSE)}
    found = []
    for pair in json.loads(path.read_text())["pairs"]:
        units = min(pair["holdout"].values())
        for key, noise in pair["metrics"].items():
            known = metrics[key], float(noise["figure"]), float(noise["error"])
            found.append(Pair(pair["what"], pair["model"], *known, units))
    return found


def row(pair: Pair, weeks: int, histories: int, seed: int) -> dict[str, Any]:
    """All figures of one pair and metric; shares of weeks, losses in margins."""
    noise, twice, slide = (
        simulate(pair, margins * pair.margin, weeks, histories, seed)
        for margins in (0.0, TWICE, SLIDE)
    )
    return {
        "pair": pair,
        "balance": float(noise.by_balance.mean()),
        "margin": float(noise.by_margin.mean()),
        "any": float(noise.by_balance.any(axis=1).mean()),
        "twice by balance": float(twice.by_balance.mean()),
        "twice by gate": float(1.0 - twice.accepted.mean()),
        "slide first": slide.first,
        "slide lost": SLIDE * float(slide.accepted[:, :YEAR].sum(axis=1).mean()),
    }


def simulate(pair: Pair, loss: float, weeks: int, histories: int, seed: int) -> Weeks:
    """Weekly decisions where every challenger truly loses the share `loss`."""
    rng = np.random.default_rng(seed)
    refused = np.zeros((2, histories, weeks), dtype=bool)
    for history in range(histories):
        accepted: Mapping[str, float] = {}
        for week in range(weeks):
            verdict = judged(pair, comparison(pair, loss, rng), accepted)
            refused[:, history, week] = refusals(verdict)
            if not refused[:, history, week].any():
                accepted = verdict.losses
    return Weeks(*refused)


def comparison(pair: Pair, loss: float, rng: np.random.Generator) -> dict[str, Any]:
    """A paired comparison: the true loss and noise, with bounds from an error that is itself
    estimated from so many units."""
    freedom = pair.units - 1
    error = pair.figure * pair.error
    found = error * math.sqrt(rng.chisquare(freedom) / freedom)
    sign = 1.0 if pair.metric.lower_is_better else -1.0
    difference = sign * loss * pair.figure + error * rng.normal()
    return compared(pair.figure, difference, ONE_SIDED_95 * found)


def compared(figure: float, difference: float, spread: float) -> dict[str, Any]:
    """COMPARISON of ARCHITECTURE."""
    return {
        "challenger": figure + difference,
        "other": figure,
        "difference": difference,
        "upper95": difference + spread,
        "lower95": difference - spread,
    }


@cache
def policy_of(model: str) -> Policy:
    """The gate's of `config/`."""
    return read_policy(model, getattr(load_settings().policy, model))


def judged(pair: Pair, found: Mapping[str, Any], accepted: Mapping[str, float]) -> Verdict:
    """The gate's verdict on an evaluation that says no more than this comparison."""
    others = (RMSE, NDCG) if pair.model == "recommender" else (LOG_RMSE, LOG_RMSE_BEFORE)
    versus = {m.key: compared(0.5, 0.0, 0.0) for m in others} | {pair.metric.key: found}
    metrics = {key: c["challenger"] for key, c in versus.items()}
    sizes = dict.fromkeys(("rows", "people", "titles", "directors"), pair.units)
    evaluation = {
        "model": pair.model,
        "holdout": sizes,
        "metrics": metrics | {"answered": 1.0, "coverage": 1.0},
        "versus": {"champion": versus},
    }
    case = GateCase(
        subject=_subject(pair.model),
        evaluation=read_evaluation(evaluation),
        policy=policy_of(pair.model),
        champion=GateChampion(HEAD, same_code=True, accepted=accepted),
        data=DataComparison(NO_FIGURES, None),
    )
    return decide(case)


def refusals(verdict: Verdict) -> tuple[bool, bool]:
    """Whether the balance refuses, and whether the margin does; nothing else counts here."""
    failed = [c for c in verdict.failed if c.number == CHAMPION]
    return any(map(is_balance, failed)), not all(map(is_balance, failed))


HEADER = (
    f"{'pair':<32}{'metric':<10}{'error':>8}{'margins':>9} |"
    f"{'noise: balance':>15}{'margin':>8}{'ever':>6} |{'twice: balance':>15}{'gate':>7} |"
    f"{'slide: first':>13}{'lost':>6}"
)


def line(found: Mapping[str, Any]) -> str:
    """One row of the table."""
    pair = found["pair"]
    in_margins = pair.error / pair.margin
    first = f"{found['slide first']:.0f}" if math.isfinite(found["slide first"]) else "-"
    return (
        f"{pair.what:<32}{pair.metric.label:<10}{pair.error:>8.2%}{in_margins:>9.3f} |"
        f"{found['balance']:>15.1%}{found['margin']:>8.1%}{found['any']:>6.0%} |"
        f"{found['twice by balance']:>15.1%}{found['twice by gate']:>7.1%} |"
        f"{first:>13}{found['slide lost']:>6.1f}"
    )


def _subject(model: str) -> Subject:
    return Subject(
        run="simulated", model=model, as_of=datetime(2026, 1, 4, 3, tzinfo=UTC),
        run_type="scheduled", promote="yes", recipe={"name": "simulated"}, code="simulated",
        fingerprint="f" * 64, bundle_digest="b" * 64,
    )  # fmt: skip


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--histories", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", type=Path, default=MEASURED, help="of bench.paired_errors")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
