"""A model's report: one self-contained page, the verdict first, every number beside its rivals.

It shows whatever it is handed: what is missing or malformed appears as a dash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from marquee.names import iso
from marquee.release.charts import WIDTH, Interval, Whisker, bars, whiskers
from marquee.release.condition import Condition
from marquee.release.metric import LOG_RMSE, NDCG, RMSE, Metric
from marquee.release.reading import dig, figures, name, number
from marquee.release.verdict import Verdict

DASH = "–"
_LABELS = {
    "bias": "the bias model",
    "popularity": "popularity",
    "median_by_genre": "the median by genre",
    "ridge": "ridge regression",
    "champion": "the champion, retrained",
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


def model_report(verdict: Verdict, evaluation: Any, card: Any) -> str:
    """The page as text; `evaluation` and `card` as their files hold them."""
    page = _template().render(
        verdict=verdict,
        as_of=iso(verdict.subject.as_of),
        conditions=[_condition_row(c) for c in verdict.conditions],
        rivals=_rivals(evaluation),
        metrics=_shown(dig(evaluation, "metrics")),
        holdout=_shown(dig(evaluation, "holdout")),
        trained_on={key: _figure(number(card, key)) for key in ("rows", "people", "titles")},
        recipe=_recipe_text(verdict.subject.recipe),
        tried=_table(dig(card, "recipes_tried")),
        seconds=bars(_numbers(dig(card, "seconds"))),
        notes=[name(note, 400) for note in _sequence(dig(card, "notes"))],
        width=WIDTH,
    )
    return page.encode("utf-8", "replace").decode()


@cache
def _template() -> Template:
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _condition_row(condition: Condition) -> dict[str, Any]:
    bound = _valued(condition.bound, condition.form)
    return {
        "condition": condition,
        "measured": _valued(condition.measured, condition.form),
        "bound": bound if bound == DASH else f"{condition.relation} {bound}",
    }


def _rivals(evaluation: Any) -> list[Rival]:
    """Every comparison the evaluation holds, metric by metric, each metric on its own scale."""
    rivals: list[Rival] = []
    for metric in (RMSE, NDCG, LOG_RMSE):
        found = {
            label: comparison
            for key, label in _LABELS.items()
            if (comparison := dig(evaluation, "versus", key, metric.key)) is not None
        }
        intervals = {label: _interval(c, metric) for label, c in found.items()}
        drawn = {label: i for label, i in intervals.items() if i is not None}
        pictures = dict(zip(drawn, whiskers(list(drawn.values())), strict=True))
        rivals += [_rival(metric, label, c, pictures.get(label)) for label, c in found.items()]
    return rivals


def _rival(metric: Metric, label: str, comparison: Any, whisker: Whisker | None) -> Rival:
    interval = _interval(comparison, metric)
    return Rival(
        metric=metric.label,
        label=label,
        challenger=_figure(number(comparison, "challenger")),
        other=_figure(number(comparison, "other")),
        difference=_signed(number(comparison, "difference")),
        interval=f"{_signed(interval.low)} to {_signed(interval.high)}" if interval else DASH,
        whisker=whisker,
    )


def _interval(comparison: Any, metric: Metric) -> Interval | None:
    """The two-sided 95 % interval of a comparison, or None where it cannot be read."""
    ends = _sequence(dig(comparison, "interval"))
    low, high = (number(end) for end in ends) if len(ends) == 2 else (None, None)
    point = number(comparison, "difference")
    if low is None or high is None or point is None or low > high:
        return None
    return Interval(low, point, high, metric.lower_is_better)


def _table(rows: Any) -> dict[str, list[Any]]:
    """A list of mappings as columns and cells, columns in order of appearance."""
    found = [row for row in _sequence(rows) if isinstance(row, Mapping)]
    columns = list(dict.fromkeys(key for row in found for key in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in found]
    return {"columns": [name(column) for column in columns], "rows": cells}


def _cell(value: Any) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if number(value) is not None:
        return _figure(number(value))
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _shown(values: Any) -> dict[str, str]:
    return {key: _figure(number(value)) for key, value in figures(values)}


def _numbers(values: Any) -> dict[str, float]:
    found = {key: number(value) for key, value in figures(values)}
    return {key: value for key, value in found.items() if value is not None}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _recipe_text(recipe: Any) -> str:
    return json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False, default=str)


def _valued(value: float | None, form: str) -> str:
    if value is None:
        return DASH
    if form == "share":
        return f"{_unsigned_zero(value, 4):.2%}"
    return f"{value:,.0f}" if form == "count" else _figure(value)


def _figure(value: float | None) -> str:
    """Whole numbers whole, the rest with the four decimals that metrics are compared in."""
    if value is None:
        return DASH
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.4g}"


def _signed(value: float | None) -> str:
    return DASH if value is None else f"{_unsigned_zero(value, 4):+.4f}"


def _unsigned_zero(value: float, digits: int) -> float:
    """Rounded, and never a minus zero."""
    return round(value, digits) + 0.0
