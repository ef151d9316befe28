"""Feedback that a clock ahead has sealed: the first freeze tells by when it had been said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from marquee.artefacts.inputs import Inputs
from marquee.clock import OFFSET, iso, seconds
from marquee.run_folder import inputs_of
from steps.run import Run
from tests.steps.frozen_runs import Make, add_feedback, decide, freeze

GOOD, AHEAD = 1_771_000_000, 1_950_000_000
"""2026-02-13; 2031."""


@pytest.fixture
def weekly(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], str | None]:
    """Freezes 20 minutes after the run's as-of; since when the recommender is unchanged."""
    monkeypatch.delenv(OFFSET, raising=False)
    machine = seconds()

    def run_at(run: Run, error: float = 0) -> str | None:
        moment = (run.as_of + timedelta(minutes=20)).timestamp() + error
        monkeypatch.setenv(OFFSET, str(moment - machine))
        unchanged = freeze(run)["recommender"]
        if unchanged is None:  # else its tasks are skipped
            decide(run)
        return unchanged

    return run_at


def said_by(inputs: Inputs) -> dict[str, datetime | None]:
    return {one.path.rsplit("-", 1)[1]: one.said_by for one in inputs.feedback}


@pytest.mark.parametrize("facts", [{}, {"last_time": AHEAD}])
def test_quiet_weeks_are_unchanged_after_the_next_run(
    make_run: Make, weekly: Callable[..., str | None], facts: Any
) -> None:
    runs = [make_run(f"w{day}", at=f"2026-{day}") for day in ("02-22", "03-01", "03-08", "03-15")]
    add_feedback(runs[0], GOOD)
    add_feedback(runs[0], AHEAD, **facts)
    assert [weekly(run) for run in runs] == [None, None, "w03-01", "w03-01"]
    frozen = [inputs_of(run.lake, run.id) for run in runs]
    first = frozen[0].frozen_at
    assert first and iso(first)[:15] == "2026-02-22T00:2"
    assert [said_by(one) for one in frozen] == [{str(GOOD): None, str(AHEAD): first}] * 4


def test_a_freeze_of_a_clock_that_was_wrong_is_no_bound(
    make_run: Make, weekly: Callable[..., str | None]
) -> None:
    """One ahead of the segment itself, and one of a clock that was not set."""
    moments = {"ahead": "2026-02-15", "unset": "1970-01-02", "right": "2026-02-22"}
    runs = [make_run(name, at=at) for name, at in moments.items()]
    add_feedback(runs[0], AHEAD)
    for run, error in zip(runs, (AHEAD, 0, 0), strict=True):
        weekly(run, error)
    found = [inputs_of(run.lake, run.id) for run in runs]
    bounds = [said_by(one)[str(AHEAD)] for one in found]
    assert bounds == [None, found[0].frozen_at, found[2].frozen_at]
