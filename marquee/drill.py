"""What a drill may spoil on purpose, and the one place that says whether it may.

A lake is a drill's where its root manifest says so (`world.json`: `"drill": true`), which only
`[lake] drill = true` brings about. In every other lake nothing here has any effect.
"""

from __future__ import annotations

from marquee.lake import Lake, read_world

TRAINING_FAULTS = ("nan_factors", "torn_bundle", "spoilt_code")
"""Faults that no data can show: the training job makes them (`spark_apps/drill.py`)."""


def training_fault(lake: Lake) -> str | None:
    """The fault that this drill's lake asks of its training jobs; None in every other lake."""
    world = read_world(lake)
    fault = world.fault if world and world.drill else None
    return fault if fault in TRAINING_FAULTS else None
