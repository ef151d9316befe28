"""The live record as a run left it, and in one sentence; numbers in `scoring`."""

from __future__ import annotations

from typing import Any

from marquee.artefacts.inputs import inputs_of
from marquee.artefacts.reading import dig, name, number
from marquee.errors import NotFoundError
from marquee.lake import Lake
from marquee.names import iso

LIVE = "live.json"


def read_live(lake: Lake, run: str) -> dict[str, Any] | None:
    """`runs/R/live.json`, or None where the run left none or it is no record."""
    try:
        found = lake.read_json(f"runs/{run}/{LIVE}")
    except (NotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def latest_live(lake: Lake) -> dict[str, Any] | None:
    """The newest run's record that measured something, with its `run` and the run's `as_of`."""
    found = []
    for run in lake.names("runs"):
        live = read_live(lake, run)
        if live is not None and number(live, "rmse") is not None:
            found.append({"run": run, "as_of": iso(inputs_of(lake, run).as_of), **live})
    return max(found, key=lambda live: (live["as_of"], live["run"]), default=None)


def live_sentence(live: Any) -> str:
    """What a record says, for a log, a table or a page."""
    rows, people = number(live, "rows") or 0, number(live, "people") or 0
    rmse, bias = number(live, "rmse"), number(live, "bias_rmse")
    if rmse is None or bias is None:
        return name(dig(live, "why") or "no record", 400)
    told = (
        f"RMSE {rmse:.4f}, the bias model {bias:.4f}, on {rows:,.0f} ratings of {people:,.0f} "
        f"people given since {name(dig(live, 'bundle'))} was trained"
    )
    told += _sureness(live)
    if dig(live, "alarm") is True:
        return f"ALARM: what serves is worse than the bias model: {told}"
    return told if dig(live, "enough") is True else f"{told}; too few to raise an alarm"


def _sureness(live: Any) -> str:
    """The difference's 95 % interval, where the record holds one."""
    ends = dig(live, "versus_bias", "interval")
    known = [number(end) for end in ends] if isinstance(ends, list) else []
    finite = [end for end in known if end is not None]
    if len(finite) != 2:
        return ""
    low, high = finite
    doubt = ", zero is inside" if low <= 0 <= high else ""
    return f" (difference, 95 %: {low:+.4f} to {high:+.4f}{doubt})"
