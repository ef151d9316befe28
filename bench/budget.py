"""How well budgets are foretold: the Spark-trained champion beside its peers, on rolling origins.

    python bench/budget.py --titles movie_metadata.csv [--json FILE] [--plot FILE] [--log FILE]

Train on titles released before a year, score those of the next two; error is the root mean square
of log10 dollars (nominal: a title's own inflation adds the same to both). Three feature sets:
`with_rating` (director, genres, year, rating), `before_release` (also cast, writers, companies,
keywords, running time, certificate, language; no rating, votes or anything known only later),
`wide` (everything the file tells by now: votes, takings, reviews and likes too). The champion is
the product's default recipe, the first of config/base.toml, scored from its bundle; it was chosen
on films before 2003 and other films' train (bench/logs/budget_search.jsonl). Every peer has six
configurations, chosen at each origin by least error on the three rolling origins before it and
never on the scored years. "pooled" is the ratio of the champion's error to LightGBM's over the
titles of all origins, with its 95 % interval, directors resampled. Two plain intervals of one width
stand beside the champion's own: split conformal of LightGBM, and the champion's answers with its
errors on the titles after those inner origins; "low" counts the origins whose exact binomial 95 %
interval lies wholly below 80 %. `--quick` takes the last origin alone. "fit s" is the longest fit
of one configuration: CPU seconds of a peer, seconds of the clock of the champion, whose feature
sets are fitted together. `--titles` is IMDB 5000's file, a CSV with title_id, year, directors,
genres and budget (docs/guides/crawl.md lists the other columns), or Parquet in the titles contract.
"""

from __future__ import annotations

from bench_environment import enter

enter()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from scipy.stats import binomtest  # noqa: E402

from bench.budget_champion import Champion, Data  # noqa: E402
from bench.budget_peers import LIGHTGBM, PEERS, one_width, split_conformal  # noqa: E402
from bench.budget_table import draw, print_result  # noqa: E402
from bench.budget_titles import read_budget_titles  # noqa: E402
from marquee.errors import MarqueeError, SourceError  # noqa: E402
from marquee.prices import PriceIndex  # noqa: E402
from scoring.arrays import Floats  # noqa: E402
from scoring.budget.features import ALL_BEFORE_RELEASE, ALL_KNOWN, WITH_RATING  # noqa: E402
from scoring.budget.holdout import Clusters  # noqa: E402

SETS = {"with_rating": WITH_RATING, "before_release": ALL_BEFORE_RELEASE, "wide": ALL_KNOWN}
YEARS = (2003, 2005, 2007, 2009, 2011, 2013)
INNER = (6, 4, 2)
"""Years before an origin at which the clock is stopped to choose a configuration."""
FEWEST_FITTED, FEWEST_SCORED = 60, 15
ALPHA = 0.2
CHAMPION, MEDIAN = "champion (Spark)", "median by genre"
SEED, RESAMPLES = 20190101, 2000
Pair = tuple[Floats, Floats, tuple[str, ...]]
"""Errors of the champion and of LightGBM [titles], and the directors of the titles."""


@dataclass
class Tries:
    """Squared errors and answers of every configuration at every origin, each fitted once."""

    answers: dict[tuple[str, int, int], Floats] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def main() -> int:
    """Run; 2 with one line on standard error where the input cannot be used."""
    options = _options()
    try:
        result = run(options)
    except (MarqueeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_result(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.plot:
        draw(result, options.plot)
    return 0


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    prices = PriceIndex.load(2100)
    titles = read_budget_titles(options.titles, prices)
    print(f"{len(titles.rows)} films; put aside: {dict(titles.aside)}", flush=True)
    years = np.array([row[2] for row in titles.rows])
    outer = usable(YEARS[-1:] if options.quick else YEARS, years)
    if not outer:
        raise SourceError(
            f"{options.titles} has no origin with {FEWEST_FITTED} films before and "
            f"{FEWEST_SCORED} after it ({len(years)} films)",
            "give a file with films before and after 2003",
        )
    every = usable(sorted({*outer, *(o - back for o in outer for back in INNER)}), years)
    with tempfile.TemporaryDirectory() as scratch:
        champion = Champion(titles.rows, prices, every, Path(scratch))
        try:
            found = {name: _measure(champion, name, outer, every, options.log) for name in SETS}
        finally:
            champion.stop()
    return {"films": len(titles.rows), "aside": dict(titles.aside), "origins": outer, "sets": found}


def usable(origins: Sequence[int], years: Floats) -> list[int]:
    """The origins with enough titles before and after."""
    return [
        o
        for o in origins
        if (years < o).sum() >= FEWEST_FITTED
        and ((years >= o) & (years < o + 2)).sum() >= FEWEST_SCORED
    ]


def _measure(
    champion: Champion, name: str, outer: list[int], every: list[int], log: Path | None
) -> dict[str, Any]:
    """One feature set: every model's error at every origin, and the intervals."""
    question, tries = SETS[name], Tries()
    data = {o: champion.data(o, question) for o in every}
    if any(not len(d.rows) for d in data.values()):
        return {"skipped": "the file does not tell enough"}
    for origin in every:
        _try_all(champion, tries, data[origin], origin, question)
        print(f"[{name}] origin {origin} fitted", flush=True)
    rows: dict[str, list[float]] = {model: [] for model in (MEDIAN, *PEERS, CHAMPION)}
    kinds = ("champion", "champion, one width", "LightGBM, one width")
    intervals: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    pairs: list[Pair] = []
    for origin in outer:
        inner = [origin - back for back in INNER if origin - back in data] or [origin]
        later, errors = data[origin], {}
        rows[MEDIAN].append(_rms(later.actual - later.medians))
        for model in PEERS:
            chosen, scores = _choose(tries, data, model, inner)
            _note(log, name, model, origin, scores, chosen)
            errors[model] = later.actual - tries.answers[model, chosen, origin]
            if model == LIGHTGBM:
                plain = split_conformal(PEERS[model][chosen], later.rows, later.target, later.later)
                intervals["LightGBM, one width"].append(_judge(plain, later.actual))
        answers, bounds = champion.from_bundle(origin, question, inner)
        errors[CHAMPION] = later.actual - answers
        intervals["champion"].append(_judge(bounds, later.actual))
        earlier = [data[o].actual - tries.answers[CHAMPION, 0, o] for o in inner]
        plain = one_width(np.concatenate(earlier), answers)
        intervals["champion, one width"].append(_judge(plain, later.actual))
        for model, found in errors.items():
            rows[model].append(_rms(found))
        pairs.append((errors[CHAMPION], errors[LIGHTGBM], later.directors))
        print(f"[{name}] origin {origin} scored", flush=True)
    seconds = tries.seconds
    return {"rmse": rows, "seconds": seconds, "intervals": intervals, "pooled": pooled(pairs)}


def pooled(pairs: Sequence[Pair]) -> list[float]:
    """RMSE of the champion over LightGBM's, all origins' titles together: the ratio, and the ends
    of its 95 % interval. The percentile bootstrap draws directors, with all of their titles."""
    ours, theirs = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    clusters = Clusters.of_keys([name for pair in pairs for name in pair[2]])
    sums = np.stack([clusters.sums(ours**2), clusters.sums(theirs**2)])
    rng = np.random.default_rng(SEED)
    draws = rng.multinomial(clusters.count, np.full(clusters.count, 1 / clusters.count), RESAMPLES)
    ratios = np.sqrt(np.divide(*(sums @ draws.T)))
    return [_rms(ours) / _rms(theirs), *np.quantile(ratios, [0.025, 0.975]).tolist()]


def _try_all(champion: Champion, tries: Tries, data: Data, origin: int, question: str) -> None:
    for model, makers in PEERS.items():
        started = time.process_time()
        for number, make in enumerate(makers):
            fitted = make().fit(data.rows, data.target)
            tries.answers[model, number, origin] = fitted.predict(data.later)
        _spend(tries, model, (time.process_time() - started) / len(makers))
    tries.answers[CHAMPION, 0, origin] = champion.answers(origin, question)
    tries.seconds[CHAMPION] = round(champion.seconds, 2)


def _spend(tries: Tries, model: str, seconds: float) -> None:
    """The longest a single fit took."""
    tries.seconds[model] = max(tries.seconds.get(model, 0.0), round(seconds, 2))


def _choose(
    tries: Tries, data: dict[int, Data], model: str, inner: list[int]
) -> tuple[int, list[float]]:
    """The configuration of least mean error over the inner origins, and all their errors."""
    count = 1 + max(number for m, number, _ in tries.answers if m == model)
    scores = [
        float(np.mean([_rms(data[o].actual - tries.answers[model, n, o]) for o in inner]))
        for n in range(count)
    ]
    return int(np.argmin(scores)), scores


def _note(
    log: Path | None, name: str, model: str, origin: int, scores: list[float], chosen: int
) -> None:
    if log:
        line = {"set": name, "model": model, "origin": origin, "inner": scores, "chosen": chosen}
        with log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _judge(bounds: Floats, actual: Floats) -> list[float]:
    """Coverage, the mean interval score (Gneiting and Raftery, JASA 102, 2007: width plus 2 / alpha
    times what lies outside), and the upper end of the exact 95 % interval of the coverage."""
    low, high = bounds[:, 0], bounds[:, 1]
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    inside = (actual >= low) & (actual <= high)
    upper = binomtest(int(inside.sum()), len(inside)).proportion_ci(0.95).high
    return [float(inside.mean()), float(np.mean(high - low + 2 / ALPHA * outside)), float(upper)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--titles", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="keep the figures")
    parser.add_argument("--plot", type=Path, help="draw errors by origin (.png or .svg)")
    parser.add_argument("--log", type=Path, help="append inner scores, one JSON line a choice")
    parser.add_argument("--quick", action="store_true", help="the last origin alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
