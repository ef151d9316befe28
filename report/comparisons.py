"""The model beside its rivals: every paired comparison of the evaluation with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marquee.artefacts.reading import dig, number
from release.metric import LOG_RMSE, LOG_RMSE_BEFORE, NDCG, RMSE, Metric
from report.cells import DASH, figure, interval_of, share, signed, span
from report.charts import Interval, Whisker, whiskers

_LABELS = {
    "bias": "the bias model",
    "popularity": "popularity",
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
class Rival:
    """One line of the comparison: another model on one metric."""

    metric: str
    label: str
    challenger: str
    other: str
    difference: str
    interval: str
    whisker: Whisker | None


@dataclass(frozen=True)
class Headline:
    """One figure at the top, with its own interval where there is one."""

    label: str
    value: str
    interval: str


def headlines(evaluation: Any) -> list[Headline]:
    """The figures a reader looks for first, those the evaluation holds."""
    metrics = dig(evaluation, "metrics")
    found = [
        Headline(metric.label, figure(value), span(dig(evaluation, "intervals", metric.key)))
        for metric in (RMSE, NDCG, LOG_RMSE)
        if (value := number(metrics, metric.key)) is not None
    ]
    shares = {"coverage": "answered personally", "interval_coverage": "inside the 80 % interval"}
    return found + [
        Headline(label, share(value), DASH)
        for key, label in shares.items()
        if (value := number(metrics, key)) is not None
    ]


def rivals(evaluation: Any) -> list[Rival]:
    """Every comparison the evaluation holds, metric by metric, each metric on its own scale."""
    found: list[Rival] = []
    for metric in (RMSE, NDCG, LOG_RMSE, LOG_RMSE_BEFORE):
        told = {
            label: comparison
            for key, label in _LABELS.items()
            if (comparison := dig(evaluation, "versus", key, metric.key)) is not None
        }
        intervals = {label: _interval(c, metric) for label, c in told.items()}
        drawn = {label: i for label, i in intervals.items() if i is not None}
        pictures = dict(zip(drawn, whiskers(list(drawn.values())), strict=True))
        found += [_rival(metric, label, c, pictures.get(label)) for label, c in told.items()]
    return found


def variety(evaluation: Any) -> list[tuple[str, str, str]]:
    """Coverage, novelty and Gini: label, this model's, popularity's."""
    popular = dig(evaluation, "baselines", "popularity")
    return [
        (label, form(value), form(number(popular, key)))
        for key, (label, form) in _VARIETY.items()
        if (value := number(evaluation, "metrics", key)) is not None
    ]


def _rival(metric: Metric, label: str, comparison: Any, whisker: Whisker | None) -> Rival:
    return Rival(
        metric=metric.label,
        label=label,
        challenger=figure(number(comparison, "challenger")),
        other=figure(number(comparison, "other")),
        difference=signed(number(comparison, "difference")),
        interval=span(dig(comparison, "interval"), signed) if whisker else DASH,
        whisker=whisker,
    )


def _interval(comparison: Any, metric: Metric) -> Interval | None:
    """The two-sided 95 % interval of a comparison, or None where it cannot be read."""
    ends, point = interval_of(dig(comparison, "interval")), number(comparison, "difference")
    if ends is None or point is None:
        return None
    return Interval(ends[0], point, ends[1], metric.lower_is_better)
