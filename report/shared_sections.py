"""The report's sections of both models: headlines, comparisons, search, costs.

`model_page` puts them on the page. `marquee evaluate` prints the headlines and the comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.document import dig, flat_figures, number, printable
from release.losses import LOG_RMSE, LOG_RMSE_BEFORE, NDCG, RMSE, Metric
from report.cells import (
    DASH,
    cell,
    figure,
    interval_of,
    interval_text,
    rows_in,
    share,
    signed,
    text,
)
from report.charts import WIDTH, Bar, Interval, Whisker, bars, whiskers

_OTHER_MODELS = {
    "bias": "the bias model",
    "popularity": "popularity",
    "popularity_lately": "popularity of four weeks",
    "median_by_genre": "the median by genre",
    "ridge": "ridge regression",
    "champion": "the champion, retrained",
    "record": "the champion, as recorded",
}
_VARIETY = {
    "catalogue_coverage": ("titles that are in anybody's ten", share),
    "novelty": ("novelty, bits (more: less known titles)", figure),
    "gini": ("Gini of what is listed (1: a few titles only)", figure),
}


@dataclass(frozen=True)
class Headline:
    """One figure at the top of the page; `interval` is a dash where there is none."""

    label: str
    value: str
    interval: str


@dataclass(frozen=True)
class PairedComparison:
    """The paired comparison with one other model on one metric."""

    metric: str
    label: str
    challenger: str
    other: str
    difference: str
    interval: str
    whisker: Whisker | None


def headlines(evaluation: Any) -> list[Headline]:
    """RMSE, nDCG@10, log-RMSE and two coverages, each where the evaluation has it."""
    metrics = dig(evaluation, "metrics")
    found = [
        Headline(
            metric.label, figure(value), interval_text(dig(evaluation, "intervals", metric.key))
        )
        for metric in (RMSE, NDCG, LOG_RMSE)
        if (value := number(metrics, metric.key)) is not None
    ]
    shares = {"coverage": "answered personally", "interval_coverage": "inside the 80 % interval"}
    values = ((label, number(metrics, key)) for key, label in shares.items())
    return found + [Headline(label, share(v), DASH) for label, v in values if v is not None]


def paired_comparisons(evaluation: Any) -> list[PairedComparison]:
    """Every paired comparison of the evaluation, by metric; each metric has one scale."""
    found: list[PairedComparison] = []
    others = [(label, ("versus", key)) for key, label in _OTHER_MODELS.items()]
    beside = dig(evaluation, "beside")
    for name in beside if isinstance(beside, Mapping) else ():
        others.append((printable(f"the recipe {name}"), ("beside", name)))
    for metric in (RMSE, NDCG, LOG_RMSE, LOG_RMSE_BEFORE):
        comparisons = {
            label: comparison
            for label, place in others
            if (comparison := dig(evaluation, *place, metric.key)) is not None
        }
        intervals = {label: _interval(c, metric) for label, c in comparisons.items()}
        drawn = {label: i for label, i in intervals.items() if i is not None}
        pictures = dict(zip(drawn, whiskers(list(drawn.values())), strict=True))
        found += [
            _comparison(metric, label, c, pictures.get(label)) for label, c in comparisons.items()
        ]
    return found


def _comparison(
    metric: Metric, label: str, comparison: Any, whisker: Whisker | None
) -> PairedComparison:
    return PairedComparison(
        metric=metric.label,
        label=label,
        challenger=figure(number(comparison, "challenger")),
        other=figure(number(comparison, "other")),
        difference=signed(number(comparison, "difference")),
        interval=interval_text(dig(comparison, "interval"), signed) if whisker else DASH,
        whisker=whisker,
    )


def _interval(comparison: Any, metric: Metric) -> Interval | None:
    """The difference with its two-sided 95 % interval; None where it cannot be read."""
    ends, point = interval_of(dig(comparison, "interval")), number(comparison, "difference")
    if ends is None or point is None:
        return None
    return Interval(ends[0], point, ends[1], metric.lower_is_better)


def variety(evaluation: Any) -> list[tuple[str, str, str]]:
    """Rows of catalogue coverage, novelty and Gini: (label, this model's, popularity's)."""
    popular = dig(evaluation, "baselines", "popularity")
    return [
        (label, form(value), form(number(popular, key)))
        for key, (label, form) in _VARIETY.items()
        if (value := number(evaluation, "metrics", key)) is not None
    ]


@dataclass(frozen=True)
class TriedRecipe:
    """One recipe tried on the inner split."""

    name: str
    is_chosen: bool
    scores: list[str]
    details: str


@dataclass(frozen=True)
class RecipeSearch:
    """Every recipe tried; `scores` are the columns, the scores that any recipe has."""

    scores: list[str]
    tries: list[TriedRecipe]


def recipe_search(card: Any) -> RecipeSearch:
    """The card's `recipes_tried`: the inner split's scores as columns, all else as text."""
    rows = rows_in(card, "recipes_tried")
    inner = [key for row in rows for key in row if str(key).startswith("inner_")]
    scores = [
        key for key in dict.fromkeys(inner) if any(number(row, key) is not None for row in rows)
    ]
    return RecipeSearch([_words(key) for key in scores], [_tried(row, scores) for row in rows])


def _tried(row: Mapping[str, Any], scores: Sequence[str]) -> TriedRecipe:
    shown = {"name", "chosen", *scores}
    rest = {key: value for key, value in row.items() if key not in shown and value is not None}
    return TriedRecipe(
        name=text(row.get("name"), 60),
        is_chosen=row.get("chosen") is True,
        scores=[figure(number(row, key)) for key in scores],
        details="; ".join(f"{_words(key)}: {_inline(value)}" for key, value in rest.items()),
    )


def _inline(value: Any) -> str:
    """A mapping as `key → value, …`, any other value as a cell."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} → {figure(number(inner))}" for key, inner in flat_figures(value))
    return printable(cell(value), 400)


def _words(key: Any) -> str:
    return printable(key).replace("_", " ")


@dataclass(frozen=True)
class TaskCost:
    """The seconds and the memory of one task of the run."""

    task: str
    seconds: str
    memory: str
    phases: list[Bar]


def training_costs(timings: Sequence[Any]) -> list[TaskCost]:
    """The costs of each task; `timings` are the files in `runs/R/timings/`."""
    return [_cost(value) for value in timings if isinstance(value, Mapping)]


def _cost(value: Mapping[str, Any]) -> TaskCost:
    started, ready, ended = (number(value, k) for k in ("started", "session_ready", "finished"))
    phases: dict[str, float] = {}
    if started is not None and ready is not None and ready > started:
        phases["start of Spark"] = ready - started
    work = flat_figures(value.get("work"))
    phases |= {key: seconds for key, s in work if (seconds := number(s)) is not None}
    whole = ended - started if started is not None and ended is not None else None
    return TaskCost(
        task=text(value.get("task"), 60),
        seconds=DASH if whole is None else f"{whole:.1f}",
        memory=_memory(dig(value, "peak_mb")),
        phases=bars(phases),
    )


def _memory(peaks: Any) -> str:
    """The peak memory of each process of the task: `Python driver 310 MB, …`."""
    found = [(key, number(value)) for key, value in flat_figures(peaks)]
    return ", ".join(f"{key} {mb:,.0f} MB" for key, mb in found if mb is not None) or DASH


COVERAGE_WARNING = (0.75, 0.85)
"""A coverage outside is a warning: intervals are made to hold 80 %."""
_TENTHS = {"people": "People, by their ratings in train", "titles": "Titles, by theirs"}


@dataclass(frozen=True)
class Tenth:
    """The coverage of intervals in one group of people or titles."""

    name: str
    rows: str
    coverage: str
    bar: Bar


@dataclass(frozen=True)
class Coverage:
    """How many held-out ratings lie in their intervals; `warning` is empty where four in five."""

    text: str
    warning: str
    tenths: dict[str, list[Tenth]]


def rating_intervals(found: Any) -> Coverage | None:
    """`rating_intervals` of an evaluation or a forecast; None without figures."""
    coverage, width = number(found, "coverage"), number(found, "width")
    if coverage is None or width is None:
        return None
    text = f"{share(coverage)} of the ratings lie in their 80 % interval"
    parts = {"of known people": number(found, "known"), "of strangers": number(found, "strangers")}
    by = [f"{share(value)} {whose}" for whose, value in parts.items() if value is not None]
    text += f" ({', '.join(by)}). Intervals are {width:.2f} stars wide on average"
    if one := number(found, "one_width"):
        text += f"; one width for all of equal coverage is {one:.2f} stars"
        if whole := number(found, "one_width_whole"):
            text += f", {whole:.2f} where its ends are stars of the scale"
    low, high = COVERAGE_WARNING
    is_narrowest = width < (number(found, "step") or 0.0)  # most intervals are one star alone
    warning = ""
    if coverage < low or (coverage > high and not is_narrowest):
        warning = "The intervals do not hold what they promise: "
        warning += f"{share(coverage)}, not {share(low, 0)} to {share(high, 0)}."
    return Coverage(text + ".", warning, {name: _tenths(found, k) for k, name in _TENTHS.items()})


def _tenths(found: Any, key: str) -> list[Tenth]:
    rows = [row for row in rows_in(found, key) if number(row, "coverage") is not None]
    names = [f"{figure(number(row, 'from'))} to {figure(number(row, 'to'))}" for row in rows]
    drawn = [Bar("", value, round(value * WIDTH, 1)) for value in _coverages(rows)]
    return [
        Tenth(name, figure(number(row, "rows")), share(bar.value), bar)
        for name, row, bar in zip(names, rows, drawn, strict=True)
    ]


def _coverages(rows: Sequence[Any]) -> list[float]:
    return [min(max(number(row, "coverage") or 0.0, 0.0), 1.0) for row in rows]
