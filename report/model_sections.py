"""The report's sections of one model only.

The recommender has its error by segment, its forecast and real people. The budget model has its
questions, its residuals and well-known titles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marquee.artefacts.document import dig, number, printable
from report.cells import (
    dollars,
    factor,
    figure,
    interval_of,
    interval_text,
    list_or_empty,
    log10_of,
    rows_in,
    share,
    signed,
    text,
)
from report.charts import Interval, Whisker, marked_intervals, whiskers

LIKED_FROM_STARS = 4.0
LAST_SECOND = 253402300799
"""The last second of the year 9999."""
_SEGMENT_HEADINGS = {
    "people": "People, by their ratings in train",
    "titles": "Titles, by their ratings in train",
}
_RESIDUAL_HEADINGS = {
    "year": "By year of release",
    "genre": "By genre",
    "size": "By what the film cost",
}


@dataclass(frozen=True)
class Segment:
    """The error of one segment; the picture's mark is the bias model's RMSE."""

    name: str
    rows: str
    people: str
    rmse: str
    interval: str
    bias_model_rmse: str
    picture: Whisker | None


def segments(evaluation: Any) -> dict[str, list[Segment]]:
    """Segments by heading (people or titles), all on one scale."""
    rows = [
        row for row in rows_in(evaluation, "segments") if row.get("by") in list(_SEGMENT_HEADINGS)
    ]
    drawn = {i: line for i, row in enumerate(rows) if (line := _segment_line(row))}
    pictures = dict(zip(drawn, marked_intervals(list(drawn.values())), strict=True))
    found: dict[str, list[Segment]] = {}
    for i, row in enumerate(rows):
        found.setdefault(_SEGMENT_HEADINGS[row["by"]], []).append(_segment(row, pictures.get(i)))
    return found


def _segment(row: Mapping[str, Any], picture: Whisker | None) -> Segment:
    start, end = figure(number(row, "from")), number(row, "below")
    return Segment(
        name=f"{start} and more" if end is None else _range(start, end),
        rows=figure(number(row, "rows")),
        people=figure(number(row, "people")),
        rmse=figure(number(row, "rmse")),
        interval=interval_text(row.get("interval")),
        bias_model_rmse=figure(number(row, "bias")),
        picture=picture,
    )


def _range(start: str, end: float) -> str:
    last = figure(end - 1)
    return "none" if last == start == "0" else f"{start} to {last}"


def _segment_line(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    point, bias, ends = number(row, "rmse"), number(row, "bias"), interval_of(row.get("interval"))
    if point is None or bias is None or ends is None:
        return None
    return ends[0], point, ends[1], bias


def forecast(found: Any) -> str:
    """A sentence on the rows that a forecast was scored on; empty where `found` holds no figures.

    `found` is `figures` of `forecast.json`.
    """
    since = number(found, "since")
    if since is None or not 0 <= since <= LAST_SECOND:
        return ""
    return (
        f"Fitted anew on everybody's ratings before {datetime.fromtimestamp(since, UTC):%d %B %Y} "
        f"and asked about the {figure(number(found, 'rows'))} later ones of "
        f"{figure(number(found, 'people'))} people; "
        f"{share(number(found, 'metrics', 'coverage'))} of them could be answered personally, "
        "the others are of strangers."
    )


def turned_stars(evaluation: Any) -> str:
    """A sentence on what the stars do to the lists; empty in older evaluations."""
    found = dig(evaluation, "turned_stars")
    people, overlap = number(found, "people"), number(found, "overlap")
    if not people or overlap is None:
        return ""
    return (
        f"Of {figure(people)} people, {share(number(found, 'changed'))} get other titles where all "
        f"their stars are turned upside down; {share(overlap)} of the titles stay. "
        f"{figure(number(found, 'disliked_reasons'))} reasons are titles that somebody disliked."
    )


@dataclass(frozen=True)
class ListedTitle:
    """A title that a person has rated, or that is recommended to them."""

    title: str
    stars: str
    tone: str
    """`hit`: later rated as liked; `seen`: later rated lower; empty: not rated later."""
    reason: str


@dataclass(frozen=True)
class Person:
    """One real person, known by id only."""

    name: str
    summary: str
    past: list[ListedTitle]
    recommended: list[ListedTitle]


def people(evaluation: Any) -> list[Person]:
    """The people in the evaluation's list `people`."""
    return [_person(row) for row in rows_in(evaluation, "people")]


def _person(row: Mapping[str, Any]) -> Person:
    recommended = [_listed(title) for title in rows_in(row, "recommended")]
    rated, hits = sum(bool(t.tone) for t in recommended), sum(t.tone == "hit" for t in recommended)
    summary = (
        f"{figure(number(row, 'rated'))} ratings known, {figure(number(row, 'held_out'))} held "
        f"out ({figure(number(row, 'liked'))} of them liked): {rated} of {len(recommended)} "
        f"recommendations were later rated, {hits} of them liked"
    )
    past = [_listed(title) for title in rows_in(row, "past")]
    return Person(
        f"Person {figure(number(row, 'user_id'))}".replace(",", ""), summary, past, recommended
    )


def _listed(title: Mapping[str, Any]) -> ListedTitle:
    year, stars = number(title, "year"), number(title, "stars")
    named = text(title.get("title"))
    return ListedTitle(
        title=f"{named} ({year:.0f})" if year else named,
        stars="" if stars is None else f"{stars:g}",
        tone="" if stars is None else "hit" if stars >= LIKED_FROM_STARS else "seen",
        reason=_reason(title),
    )


def _reason(title: Mapping[str, Any]) -> str:
    because = [text(other, 60) for other in list_or_empty(title.get("because"))]
    if because:
        return "because of " + ", ".join(because)
    return "popular" if dig(title, "strategy") == "popular" else ""


@dataclass(frozen=True)
class Residual:
    """One group of titles: `coverage` is the share of actual budgets inside the interval."""

    name: str
    films: str
    mean_residual: str
    interval: str
    log_rmse: str
    coverage: str
    picture: Whisker | None


@dataclass(frozen=True)
class WellKnownTitle:
    """A well-known title; the picture's mark is its actual budget, on a logarithmic scale."""

    title: str
    directors: str
    actual: str
    estimate: str
    interval: str
    before: str
    reasons: str
    picture: Whisker | None


def questions(evaluation: Any) -> list[dict[str, str]]:
    """The figures of each question on the same titles, as the text of a table's row."""
    found = dig(evaluation, "questions")
    pairs = found.items() if isinstance(found, Mapping) else ()
    return [
        {
            "question": printable(question),
            "answered_as": ", ".join(text(a, 40) for a in list_or_empty(dig(row, "answered_as"))),
            "log_rmse": figure(number(row, "log_rmse")),
            "interval": interval_text(dig(row, "interval_of_rmse")),
            "bias": signed(number(row, "bias")),
            "coverage": share(number(row, "coverage")),
            "width": factor(_power_of_ten(number(row, "width_log"))),
        }
        for question, row in pairs
    ]


def residuals(evaluation: Any) -> dict[str, list[Residual]]:
    """Mean residuals with their intervals by year, genre and size; each table has one scale."""
    found = {}
    for key, heading in _RESIDUAL_HEADINGS.items():
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
        mean_residual=signed(number(row, "bias")),
        interval=interval_text(row.get("interval"), signed),
        log_rmse=figure(number(row, "log_rmse")),
        coverage=share(number(row, "coverage"), 0),
        picture=picture,
    )


def _residual_line(row: Mapping[str, Any]) -> Interval | None:
    point, ends = number(row, "bias"), interval_of(row.get("interval"))
    if point is None or ends is None:
        return None
    # A residual on either side of zero is worse.
    return Interval(ends[0], point, ends[1], lower_is_better=point >= 0)


def well_known_titles(evaluation: Any) -> list[WellKnownTitle]:
    """The titles in the evaluation's list `films`."""
    rows = rows_in(evaluation, "films")
    drawn = {i: line for i, row in enumerate(rows) if (line := _well_known_title_line(row))}
    pictures = dict(zip(drawn, marked_intervals(list(drawn.values())), strict=True))
    return [_well_known_title(row, pictures.get(i)) for i, row in enumerate(rows)]


def _well_known_title(row: Mapping[str, Any], picture: Whisker | None) -> WellKnownTitle:
    year, reasons = number(row, "year"), row.get("reasons")
    moved = reasons.items() if isinstance(reasons, Mapping) else ()
    return WellKnownTitle(
        title=text(row.get("title")) + (f" ({year:.0f})" if year else ""),
        directors=", ".join(text(d, 60) for d in list_or_empty(row.get("directors"))),
        actual=dollars(number(row, "actual")),
        estimate=dollars(number(row, "estimate")),
        interval=interval_text(row.get("interval"), dollars),
        before=dollars(number(row, "before_release")),
        reasons=", ".join(f"{printable(what)} {factor(number(by))}" for what, by in moved),
        picture=picture,
    )


def _well_known_title_line(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    low, high = interval_of(row.get("interval")) or (None, None)
    found = [log10_of(v) for v in (low, number(row, "estimate"), high, number(row, "actual"))]
    known = [value for value in found if value is not None]
    return (known[0], known[1], known[2], known[3]) if len(known) == 4 else None


def _power_of_ten(log: float | None) -> float | None:
    return None if log is None or not -300 < log < 300 else 10**log
