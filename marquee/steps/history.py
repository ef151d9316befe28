"""What earlier runs decided, read from their verdicts."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from marquee.errors import NotFoundError
from marquee.lake import Lake
from marquee.release.ledger import Ledger
from marquee.steps.run import BACKFILL, Model


def decisions(lake: Lake, model: Model) -> list[dict[str, Any]]:
    """Every run's verdict on `model`, as its JSON, earliest as-of first."""

    def read(run: str) -> dict[str, Any] | None:
        try:
            data = lake.read_bytes(f"runs/{run}/models/{model}/verdict.json")
        except NotFoundError:
            return None
        value: dict[str, Any] = json.loads(data)
        return value

    with ThreadPoolExecutor(8) as pool:
        found = [verdict for verdict in pool.map(read, lake.names("runs")) if verdict]
    return sorted(found, key=lambda verdict: (verdict["as_of"], verdict["run"]))


def last_decision(lake: Lake, model: Model) -> dict[str, Any] | None:
    """The latest verdict of a live run; backfills replay and do not count."""
    live = [verdict for verdict in decisions(lake, model) if verdict["run_type"] != BACKFILL]
    return live[-1] if live else None


def is_settled(lake: Lake, model: Model, verdict: dict[str, Any]) -> bool:
    """Whether a decision needs no second look: refused, or promoted.

    An approved model that never served (the head moved, a hold stood, nobody said yes, or the run
    was told not to promote) deserves another run, though nothing it learns from has changed.
    """
    if not verdict["approved"]:
        return True
    entries = Ledger(lake, model).entries()
    return any(e.kind == "promote" and e.run == verdict["run"] for e in entries)
