"""What only a recommender's report shows: its forecast, error by segment, and real people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marquee.artefacts.reading import dig, number
from report.cells import figure, interval_of, listed, rows_in, share, span, text
from report.charts import Whisker, beside

LIKED = 4.0
MOST_SECONDS = 253402300799  # the last of the year 9999
_BY = {"people": "People, by their ratings in train", "titles": "Titles, by their ratings in train"}


@dataclass(frozen=True)
class Segment:
    """One line of the error by segment; the picture's mark is the bias model's figure."""

    name: str
    rows: str
    people: str
    rmse: str
    interval: str
    bias: str
    picture: Whisker | None


def segments(evaluation: Any) -> dict[str, list[Segment]]:
    """Segments under the heading of what they are cut by, all on one scale."""
    rows = [row for row in rows_in(evaluation, "segments") if row.get("by") in list(_BY)]
    drawn = {i: line for i, row in enumerate(rows) if (line := _line(row))}
    pictures = dict(zip(drawn, beside(list(drawn.values())), strict=True))
    found: dict[str, list[Segment]] = {}
    for i, row in enumerate(rows):
        found.setdefault(_BY[row["by"]], []).append(_segment(row, pictures.get(i)))
    return found


def _segment(row: Mapping[str, Any], picture: Whisker | None) -> Segment:
    start, end = figure(number(row, "from")), number(row, "below")
    return Segment(
        name=f"{start} and more" if end is None else _range(start, end),
        rows=figure(number(row, "rows")),
        people=figure(number(row, "people")),
        rmse=figure(number(row, "rmse")),
        interval=span(row.get("interval")),
        bias=figure(number(row, "bias")),
        picture=picture,
    )


def _range(start: str, end: float) -> str:
    last = figure(end - 1)
    return "none" if last == start == "0" else f"{start} to {last}"


def _line(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    point, bias, ends = number(row, "rmse"), number(row, "bias"), interval_of(row.get("interval"))
    if point is None or bias is None or ends is None:
        return None
    return ends[0], point, ends[1], bias


def forecast(evaluation: Any) -> str:
    """What the forecast was asked, as a sentence; empty where the evaluation holds none."""
    found = dig(evaluation, "forecast")
    since = number(found, "since")
    if since is None or not 0 <= since <= MOST_SECONDS:
        return ""
    return (
        f"Fitted anew on everybody's ratings before {datetime.fromtimestamp(since, UTC):%d %B %Y} "
        f"and asked about the {figure(number(found, 'rows'))} later ones of "
        f"{figure(number(found, 'people'))} people; "
        f"{share(number(found, 'metrics', 'coverage'))} of them could be answered personally, "
        "the others are of strangers."
    )


@dataclass(frozen=True)
class Listed:
    """A title in somebody's past or among what they are told to watch."""

    title: str
    stars: str
    tone: str
    """`hit`: later rated as liked; `seen`: later rated lower; empty: not rated."""
    reason: str


@dataclass(frozen=True)
class Person:
    """One real person, by id only."""

    name: str
    summary: str
    past: list[Listed]
    recommended: list[Listed]


def people(evaluation: Any) -> list[Person]:
    """The people the evaluation chose to show."""
    return [_person(row) for row in rows_in(evaluation, "people")]


def _person(row: Mapping[str, Any]) -> Person:
    told = [_listed(title) for title in rows_in(row, "recommended")]
    rated, hits = sum(bool(t.tone) for t in told), sum(t.tone == "hit" for t in told)
    summary = (
        f"{figure(number(row, 'rated'))} ratings known, {figure(number(row, 'held_out'))} held "
        f"out ({figure(number(row, 'liked'))} of them liked): {rated} of {len(told)} "
        f"recommendations were later rated, {hits} of them liked"
    )
    past = [_listed(title) for title in rows_in(row, "past")]
    return Person(f"Person {figure(number(row, 'user_id'))}".replace(",", ""), summary, past, told)


def _listed(title: Mapping[str, Any]) -> Listed:
    year, stars = number(title, "year"), number(title, "stars")
    named = text(title.get("title"))
    return Listed(
        title=f"{named} ({year:.0f})" if year else named,
        stars="" if stars is None else f"{stars:g}",
        tone="" if stars is None else "hit" if stars >= LIKED else "seen",
        reason=_reason(title),
    )


def _reason(title: Mapping[str, Any]) -> str:
    because = [text(other, 60) for other in listed(title.get("because"))]
    if because:
        return "because of " + ", ".join(because)
    return "popular" if dig(title, "strategy") == "popular" else ""
