"""What only a budget model's report shows: its two questions, its residuals, films one knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.reading import dig, name, number
from report.cells import (
    dollars,
    factor,
    figure,
    interval_of,
    listed,
    log10_of,
    rows_in,
    share,
    signed,
    span,
    text,
)
from report.charts import Interval, Whisker, beside, whiskers

_BY = {"year": "By year of release", "genre": "By genre", "size": "By what the film cost"}


@dataclass(frozen=True)
class Residual:
    """One group of films: how far off, to which side, and how often inside the interval."""

    name: str
    films: str
    bias: str
    interval: str
    log_rmse: str
    coverage: str
    picture: Whisker | None


@dataclass(frozen=True)
class KnownFilm:
    """A film one knows; the picture's mark is what it cost, on a logarithmic scale."""

    title: str
    directors: str
    actual: str
    estimate: str
    interval: str
    before: str
    reasons: str
    picture: Whisker | None


def questions(evaluation: Any) -> list[dict[str, str]]:
    """Both questions on the same films."""
    asked = dig(evaluation, "questions")
    pairs = asked.items() if isinstance(asked, Mapping) else ()
    return [
        {
            "question": name(question),
            "answered_as": ", ".join(text(a, 40) for a in listed(dig(row, "answered_as"))),
            "log_rmse": figure(number(row, "log_rmse")),
            "interval": span(dig(row, "interval_of_rmse")),
            "bias": signed(number(row, "bias")),
            "coverage": share(number(row, "coverage")),
            "width": factor(_power(number(row, "width_log"))),
        }
        for question, row in pairs
    ]


def residuals(evaluation: Any) -> dict[str, list[Residual]]:
    """Mean residuals with their intervals, each cut on a scale of its own."""
    found = {}
    for key, heading in _BY.items():
        rows = rows_in(evaluation, "residuals", key)
        drawn = {i: line for i, row in enumerate(rows) if (line := _residual_line(row))}
        pictures = dict(zip(drawn, whiskers(list(drawn.values())), strict=True))
        if rows:
            found[heading] = [_residual(row, pictures.get(i)) for i, row in enumerate(rows)]
    return found


def _residual(row: Mapping[str, Any], picture: Whisker | None) -> Residual:
    return Residual(
        name=text(row.get("name"), 40),
        films=figure(number(row, "films")),
        bias=signed(number(row, "bias")),
        interval=span(row.get("interval"), signed),
        log_rmse=figure(number(row, "log_rmse")),
        coverage=share(number(row, "coverage"), 0),
        picture=picture,
    )


def _residual_line(row: Mapping[str, Any]) -> Interval | None:
    point, ends = number(row, "bias"), interval_of(row.get("interval"))
    if point is None or ends is None:
        return None
    # Neither side is the good one: away from zero is worse.
    away = Interval(ends[0], point, ends[1], lower_is_better=point >= 0)
    return away


def films(evaluation: Any) -> list[KnownFilm]:
    """The films the evaluation chose to show."""
    rows = rows_in(evaluation, "films")
    drawn = {i: line for i, row in enumerate(rows) if (line := _film_line(row))}
    pictures = dict(zip(drawn, beside(list(drawn.values())), strict=True))
    return [_film(row, pictures.get(i)) for i, row in enumerate(rows)]


def _film(row: Mapping[str, Any], picture: Whisker | None) -> KnownFilm:
    year, reasons = number(row, "year"), row.get("reasons")
    moved = reasons.items() if isinstance(reasons, Mapping) else ()
    return KnownFilm(
        title=text(row.get("title")) + (f" ({year:.0f})" if year else ""),
        directors=", ".join(text(d, 60) for d in listed(row.get("directors"))),
        actual=dollars(number(row, "actual")),
        estimate=dollars(number(row, "estimate")),
        interval=span(row.get("interval"), dollars),
        before=dollars(number(row, "before_release")),
        reasons=", ".join(f"{name(what)} {factor(number(by))}" for what, by in moved),
        picture=picture,
    )


def _film_line(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    low, high = interval_of(row.get("interval")) or (None, None)
    found = [log10_of(v) for v in (low, number(row, "estimate"), high, number(row, "actual"))]
    known = [value for value in found if value is not None]
    return (known[0], known[1], known[2], known[3]) if len(known) == 4 else None


def _power(log: float | None) -> float | None:
    return None if log is None or not -300 < log < 300 else 10**log
