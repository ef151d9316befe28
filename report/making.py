"""How the model was made: the recipes tried, the seconds and the memory it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.artefacts.reading import dig, figures, name, number
from report.cells import DASH, cell, figure, rows_in, text
from report.charts import Bar, bars


@dataclass(frozen=True)
class Try:
    """One recipe tried on the inner split."""

    name: str
    is_chosen: bool
    scores: list[str]
    details: str


@dataclass(frozen=True)
class Search:
    """Every try, beside the scores any of them has."""

    scores: list[str]
    tries: list[Try]


def search(card: Any) -> Search:
    """`recipes_tried`: plain inner scores as columns, whatever else there is in words."""
    rows = rows_in(card, "recipes_tried")
    plain = [key for row in rows for key in row if str(key).startswith("inner_")]
    scores = [
        key for key in dict.fromkeys(plain) if any(number(row, key) is not None for row in rows)
    ]
    return Search([_words(key) for key in scores], [_try(row, scores) for row in rows])


def _try(row: Mapping[str, Any], scores: Sequence[str]) -> Try:
    said = {"name", "chosen", *scores}
    rest = {key: value for key, value in row.items() if key not in said and value is not None}
    return Try(
        name=text(row.get("name"), 60),
        is_chosen=row.get("chosen") is True,
        scores=[figure(number(row, key)) for key in scores],
        details="; ".join(f"{_words(key)}: {_inline(value)}" for key, value in rest.items()),
    )


def _inline(value: Any) -> str:
    """A small table in a line, anything else as a cell."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} → {figure(number(inner))}" for key, inner in figures(value))
    return name(cell(value), 400)


def _words(key: Any) -> str:
    return name(key).replace("_", " ")


@dataclass(frozen=True)
class TaskCost:
    """What one task of the run took."""

    task: str
    seconds: str
    memory: str
    parts: list[Bar]


def costs(timings: Sequence[Any]) -> list[TaskCost]:
    """Seconds and peak memory of each task, from the files under `runs/R/timings/`."""
    return [_cost(value) for value in timings if isinstance(value, Mapping)]


def _cost(value: Mapping[str, Any]) -> TaskCost:
    started, ready, ended = (number(value, k) for k in ("started", "session_ready", "finished"))
    parts: dict[str, float] = {}
    if started is not None and ready is not None and ready > started:
        parts["start of Spark"] = ready - started
    work = {key: number(seconds) for key, seconds in figures(value.get("work"))}
    parts |= {key: seconds for key, seconds in work.items() if seconds is not None}
    whole = ended - started if started is not None and ended is not None else None
    return TaskCost(
        task=text(value.get("task"), 60),
        seconds=DASH if whole is None else f"{whole:.1f}",
        memory=_memory(dig(value, "peak_mb")),
        parts=bars(parts),
    )


def _memory(peaks: Any) -> str:
    """Peak resident megabytes of each process of the task."""
    found = [(key, number(value)) for key, value in figures(peaks)]
    return ", ".join(f"{key} {mb:,.0f} MB" for key, mb in found if mb is not None) or DASH
