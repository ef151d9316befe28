"""One clock: a drill may offset it, in a drill's lake only; what lies ahead of it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import app
from local_stack.airflow_api import AirflowApi
from local_stack.environment import stack_environment
from marquee.clock import OFFSET, SKEW, from_machine_clock, now, offset, refuse_ahead, seconds
from marquee.errors import AheadOfClockError, SettingsError, SourceError
from marquee.lake import open_lake
from marquee.settings import load_settings

WEEK = 7 * 86_400


@pytest.fixture(autouse=True)
def no_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OFFSET, raising=False)


def test_the_clock_is_the_machines_and_an_offset_moves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC)
    assert before <= now() <= datetime.now(UTC)
    for text, days in (("604800", 7), ("-86400.0", -1), ("", 0), (" 0 ", 0)):
        monkeypatch.setenv(OFFSET, text)
        assert offset() == timedelta(days=days)
        assert abs(now() - before - timedelta(days=days)) < timedelta(minutes=10)
        assert abs(seconds() - now().timestamp()) < 600
        assert from_machine_clock(before) == before + timedelta(days=days)


@pytest.mark.parametrize("text", ["a week", "nan", "inf", "1e300", "7d", "999999999999"])
def test_an_offset_that_is_no_number_of_seconds_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(OFFSET, text)
    with pytest.raises(SettingsError, match=OFFSET):
        now()


def test_an_offset_is_refused_but_in_a_drills_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = (tmp_path / "lake").as_uri()
    monkeypatch.setenv(OFFSET, str(WEEK))
    with pytest.raises(SettingsError, match="not a drill's lake"):
        open_lake(root)
    lake = open_lake(root, drill=True)  # about to be made
    lake.create_json("world.json", {"format": 1, "world": "synthetic", "drill": True})
    assert open_lake(root).root == root
    other = (tmp_path / "other").as_uri()
    made = open_lake(other, drill=True)
    made.create_json("world.json", {"format": 1, "world": "synthetic"})
    with pytest.raises(SettingsError, match="not a drill's lake"):
        open_lake(other, drill=True)  # what the lake says of itself wins over the settings
    monkeypatch.delenv(OFFSET)
    assert open_lake(other).root == other


def test_the_stack_hands_the_drills_clock_to_every_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(OFFSET, "-3600")
    monkeypatch.setenv("MARQUEE_LAKE__DRILL", "true")
    settings = load_settings("local").model_copy(update={"state": str(tmp_path)})
    handed = stack_environment(settings)
    assert (handed[OFFSET], handed["MARQUEE_LAKE__DRILL"]) == ("-3600", "true")


def test_a_moment_ahead_is_refused_with_how_far_and_what_to_do() -> None:
    fine = (now(), now() - timedelta(days=900), now() + SKEW - timedelta(seconds=30))
    assert [refuse_ahead(moment, "it") for moment in fine] == list(fine)
    with pytest.raises(AheadOfClockError) as refused:
        refuse_ahead(now() + timedelta(days=3, hours=1), "the form's as-of")
    assert refused.value.message.startswith("the form's as-of, ")
    assert "is 3 days ahead of the clock" in refused.value.message
    assert "a moment that has passed" in refused.value.remedy
    assert isinstance(refused.value, SourceError)
    with pytest.raises(AheadOfClockError, match="is 1 hour ahead"):
        refuse_ahead(now() + timedelta(minutes=61), "it")
    with pytest.raises(AheadOfClockError, match="ahead of the clock"):
        refuse_ahead(datetime.max.replace(tzinfo=UTC), "it")


def test_a_step_by_hand_refuses_a_moment_that_has_not_come() -> None:
    asked = ["step", "crawl_titles", "--run", "r", "--as-of"]
    for moment in ("2999-01-04T03:00:00Z", "9999-12-31T23:59:59-14:00", "soon"):
        done = CliRunner().invoke(app, [*asked, moment])
        assert done.exit_code != 0
        assert isinstance(done.exception, SourceError), done.output


def test_a_run_is_not_triggered_with_a_moment_that_has_not_come() -> None:
    class Deaf(AirflowApi):
        """No server: only what is said before one is asked."""

        def __init__(self) -> None:
            self.http = SimpleNamespace()  # type: ignore[assignment]

    for moment in ("2999-01-04T03:00:00Z", "next week"):
        with pytest.raises(SourceError):
            Deaf().trigger({"as_of": moment})
