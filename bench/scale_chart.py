"""The plot of `bench.scale`: CPU seconds and memory over rows, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 360, 260, 56, 40, 30
COLOURS = {
    "load_ratings": "#718096",
    "prepare_titles": "#2c7a7b",
    "prepare_ratings": "#2b6cb0",
    "train_recommender": "#c05621",
    "evaluate": "#6b46c1",
    "bundle": "#97266d",
}
PANELS = (("cpu_seconds", "CPU seconds"), ("peak_mb", "peak memory of the process tree, MB"))


def draw(figures: Sequence[Mapping[str, Any]]) -> str:
    """An SVG of two panels; tasks that failed are left out."""
    done = [f for f in figures if not f["status"]]
    panels = "".join(
        f'<g transform="translate({n * WIDTH},0)">{_panel(done, key, title)}</g>'
        for n, (key, title) in enumerate(PANELS)
    )
    size = f'viewBox="0 0 {WIDTH * len(PANELS)} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11" fill="#444"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{panels}</svg>\n'


def _panel(done: Sequence[Mapping[str, Any]], key: str, title: str) -> str:
    rows, values = [f["rows"] for f in done], [f[key] for f in done]
    elements = [f'<text x="{LEFT}" y="18" font-weight="bold">{title}</text>']
    if not done:
        return "".join(elements)
    x0, x1, y0, y1 = *_decades(rows), *_decades(values)

    def place(row: float, value: float) -> tuple[float, float]:
        right = (math.log10(row) - x0) / (x1 - x0) * (WIDTH - LEFT - 20)
        up = (math.log10(value) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + right, 1), round(HEIGHT - BOTTOM - up, 1)

    elements += [_across(place(10.0**x0, 10.0**y)[1], 10**y) for y in range(y0, y1 + 1)]
    elements += [_below(place(10.0**x, 10.0**y0)[0], 10**x) for x in range(x0, x1 + 1)]
    for line, job in enumerate(dict.fromkeys(f["task"] for f in done)):
        points = [place(f["rows"], f[key]) for f in done if f["task"] == job]
        elements.append(_line(points, job, line))
    return "".join(elements)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(max(min(values), 1)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def _across(y: float, value: int) -> str:
    line = f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,}</text>'


def _below(x: float, value: int) -> str:
    return f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:,}</text>'


def _line(points: Sequence[tuple[float, float]], job: str, place: int) -> str:
    colour = COLOURS.get(job, "#555")
    path = " ".join(f"{x},{y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points)
    name = f'<text x="{LEFT + 8}" y="{TOP + 12 + 14 * place}" fill="{colour}">{job}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{name}'
