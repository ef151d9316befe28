"""Who may fetch pages, and where they are filed: by the day of the fetch, not of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.artefacts.inputs import TitlesInput
from marquee.clock import OFFSET, iso
from marquee.lake import open_lake
from marquee.run_folder import inputs_of
from sources.title_record import title_record
from sources.title_snapshots import snapshots
from steps.crawl_titles import crawl_titles
from steps.freeze_inputs import freeze_inputs
from steps.load_sources import load_ratings, load_titles
from steps.run import Run
from tests.steps.test_load_titles_step import crawl_home

Make = Callable[..., Run]
SUNDAY = datetime(2026, 3, 1, 3, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[datetime], None]:
    """Sets the clock, as a drill does, of a lake that is a drill's."""
    lake = open_lake(f"file://{tmp_path}/lake")
    lake.create_json("world.json", {"format": 1, "world": "synthetic", "drill": True})

    def put(moment: datetime) -> None:
        monkeypatch.setenv(OFFSET, str((moment - datetime.now(UTC)).total_seconds()))

    return put


@pytest.fixture
def weekly(clock: Callable[[datetime], None], make_run: Make) -> Callable[..., Run]:
    """A run as of `at`, at work `late` after it."""

    def make(
        name: str, at: datetime, late: timedelta, kind: str = "scheduled", **asked: Any
    ) -> Run:
        clock(at + late)
        return make_run(name, at.replace(tzinfo=None).isoformat(), kind, **asked)

    return make


def bring_home(run: Run, number: int, late: timedelta) -> dict[str, Any]:
    """What a crawl of one page at `late` after as-of leaves, loaded."""
    fetched = iso(run.as_of + late)
    crawl_home(run, [title_record("next_data_v2", f"tt{number:07d}", "A", fetched_at=fetched)])
    return load_titles(run)


def frozen_titles(run: Run) -> Iterator[TitlesInput]:
    freeze_inputs(run, load_ratings(run, run.settings.ratings.source, "r")["path"])
    yield from inputs_of(run.lake, run.id).titles


@pytest.mark.parametrize(
    ("at", "late", "kind"),
    [
        (datetime(2020, 6, 7, 3, tzinfo=UTC), timedelta(weeks=300), "manual"),
        (SUNDAY, timedelta(weeks=3), "scheduled"),
        (SUNDAY, timedelta(weeks=1), "scheduled"),
        (SUNDAY, timedelta(minutes=5), "backfill"),
    ],
)
def test_a_run_too_late_fetches_nothing_and_reads_no_other_source(
    weekly: Callable[..., Run],
    tmp_path: Path,
    capsys: Any,
    at: datetime,
    late: timedelta,
    kind: str,
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("title_id,title,rating\ntt0000001,Mine,8.0\n")
    run = weekly("r-1", at, late, kind, sources=["csv", "crawl"])
    titles = run.settings.titles.model_copy(update={"csv": str(mine)})
    run = Run(**{**vars(run), "settings": run.settings.model_copy(update={"titles": titles})})
    assert crawl_titles(run) == {"folder": None}
    assert load_titles(run) == {"path": None, "rows": 0}
    printed = capsys.readouterr().out
    assert "fetches no titles" in printed or "no titles are fetched" in printed
    assert snapshots(run.lake) == [] and not run.crawl_folder.exists()


@pytest.mark.parametrize("days", [0, 4])
def test_pages_are_filed_under_the_day_of_the_fetch(weekly: Callable[..., Run], days: int) -> None:
    """Also where the run before waited four days for an approval."""
    late = timedelta(days=days, minutes=5)
    run = weekly("r-1", SUNDAY, late)
    path = bring_home(run, 1, late)["path"]
    assert path.startswith(f"raw/titles/as_of=2026030{1 + days}T03")
    (own,) = frozen_titles(run)
    assert own.own and own.path == path
    assert own.loaded_at and timedelta(0) <= own.loaded_at - (run.as_of + late) < timedelta(hours=1)
    after = weekly("r-2", SUNDAY + timedelta(weeks=1), timedelta(minutes=5))
    (earlier,) = frozen_titles(after)
    assert not earlier.own and earlier.as_of < after.as_of


def test_a_retry_and_a_crawl_that_goes_on_another_day_name_the_same_folder(
    weekly: Callable[..., Run],
) -> None:
    first = weekly("r-1", SUNDAY, timedelta(minutes=5))
    path = bring_home(first, 1, timedelta(minutes=5))["path"]
    again = weekly("r-1", SUNDAY, timedelta(days=2))
    assert load_titles(again)["path"] == path
    for old in again.crawl_folder.iterdir():
        old.unlink()
    again.crawl_folder.rmdir()
    part = bring_home(again, 2, timedelta(days=2))["path"]
    assert part == f"{path}-part2"
    facts = again.lake.manifest(part).facts
    assert facts["first_fetched"] == facts["last_fetched"] == "2026-03-03T03:00:00Z"
    assert [one.own for one in frozen_titles(again)] == [True, True]


def test_a_folder_of_the_version_before_is_kept(weekly: Callable[..., Run], tmp_path: Path) -> None:
    """612d7b6 named the folder by the run's as-of; a retry after an upgrade adds to it."""
    run = weekly("r-1", SUNDAY, timedelta(hours=1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "report.json").write_text("{}")
    run.lake.publish(tmp_path / "empty", "raw/titles/as_of=20260301T030000Z/run=r-1")
    path = bring_home(run, 1, timedelta(hours=1))["path"]
    assert path == "raw/titles/as_of=20260301T030000Z/run=r-1-part2"


def test_what_was_crawled_in_time_is_loaded_later(weekly: Callable[..., Run]) -> None:
    late = timedelta(days=8)
    run = weekly("r-1", SUNDAY, late)
    path = bring_home(run, 1, timedelta(minutes=5))["path"]
    assert run.lake.manifest(path).facts["last_fetched"] == "2026-03-01T03:05:00Z"


def test_a_page_ahead_of_the_clock_counts_from_its_load(weekly: Callable[..., Run]) -> None:
    run = weekly("r-1", SUNDAY, timedelta(minutes=5))
    facts = run.lake.manifest(bring_home(run, 1, timedelta(weeks=50))["path"]).facts
    assert facts["last_fetched"] == facts["loaded_at"] < "2026-03-02"
