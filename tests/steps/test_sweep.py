"""Leftovers of killed attempts go once they are a day old and of no open run; nothing else does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local_stack.environment import stack_environment
from marquee.clock import OFFSET
from marquee.lake import FolderLake
from marquee.settings import load_settings
from marquee.state_folders import StateFolders
from steps.load_sources import load_feedback
from steps.run import Run
from steps.spark_submit import spark_conf
from steps.sweep import sweep

DAY = 86_400


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run("this-run")


def leave(run: Run, path: str, days: float, of: str = "part") -> str:
    """A file that nobody has touched for `days`, nor the folders above it up to the lake."""
    run.lake.write_bytes(f"{path}/{of}" if of else path, b"half of it")
    return age(run, path, days)


def age(run: Run, path: str, days: float) -> str:
    assert isinstance(run.lake, FolderLake)
    start = run.lake.folder / path
    for found in (start, *start.rglob("*")):
        os.utime(found, (time.time() - days * DAY,) * 2)
    return path


def test_what_is_a_day_old_goes_and_is_said(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.lake.create("raw/ratings/x/a", b"a")
    age(run, "raw", 40)
    old = leave(run, ".staging/raw-ratings-x-1", 1.1)
    loose = leave(run, ".staging/again-1", 3, of="")
    leave(run, ".staging/raw-ratings-x-2", 0.9)
    deep = leave(run, ".staging/raw-ratings-x-3", 2, of="below/part")
    run.lake.write_bytes(f"{deep}/below/still", b"written a moment ago")
    assert sweep(run) == [loose, old]
    assert run.lake.names(".staging") == ["raw-ratings-x-2", "raw-ratings-x-3"]
    assert run.lake.names("raw/ratings/x") == ["a"]
    said = capsys.readouterr().out
    assert "swept 2 leftovers (0.0 MB)" in said
    assert old in said
    assert sweep(run) == []


def test_an_open_runs_are_left_alone(run: Run) -> None:
    """Its own, and a run's without a report that showed life within its interval."""
    for name, days, report in (
        ("this-run", 30, True),
        ("waits-for-approval", 6, False),
        ("ended", 6, True),
        ("ended-not", 6, False),
        ("died", 8, False),
    ):
        leave(run, f"runs/{name}/models", days)
        if report:
            leave(run, f"runs/{name}/report.json", days, of="")
        age(run, f"runs/{name}", days)
        leave(run, f".staging/runs-{name}-prepared-titles-1", 5)
    assert sweep(run) == [
        ".staging/runs-died-prepared-titles-1",
        ".staging/runs-ended-prepared-titles-1",
    ]


def test_only_the_clock_says_what_is_old(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark from before the clock was set says nothing, and a drill's offset ages nothing."""
    leave(run, ".staging/raw-x-1", days=time.time() / DAY - 3)
    leave(run, ".staging/raw-x-2", days=0.5)
    monkeypatch.setenv(OFFSET, str(40 * DAY))
    assert sweep(run) == []


def test_scratch_of_tasks_and_of_spark_goes_from_our_own_folder(run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    names = ["marquee-train-1", "blockmgr-1", "spark-1", "pymp-1", "marquee-young"]
    for name in names:
        (run.folders.tmp / name / "below").mkdir(parents=True)
        (run.folders.tmp / name / "below" / "data").write_bytes(b"x" * 1000)
    (run.folders.tmp / "liblz4-java1.so").touch()
    (run.folders.tmp / "spark-1" / "link").symlink_to(elsewhere)
    for path in (run.folders.tmp, *run.folders.tmp.rglob("*")):
        os.utime(path, (time.time() - 2 * DAY,) * 2, follow_symlinks=False)
    (run.folders.tmp / "marquee-young" / "below" / "data").touch()
    sweep(run)
    assert sorted(path.name for path in run.folders.tmp.iterdir()) == ["marquee-young", "pymp-1"]
    assert (elsewhere / "kept").exists()


def test_a_sweep_that_fails_fails_no_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = run.folders.tmp / "spark-1"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * DAY,) * 2)
    leave(run, ".staging/raw-x-1", 2)

    def fail(path: str) -> None:
        raise RuntimeError("the lake is on fire")

    monkeypatch.setattr(run.lake, "delete", fail)
    assert load_feedback(run) == {"paths": 0}
    assert "the lake is on fire" in capsys.readouterr().out
    assert not old.exists()


def test_the_stacks_processes_keep_their_scratch_in_that_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings("local")
    environment = stack_environment(settings)
    assert (
        environment["TMPDIR"]
        == environment["SPARK_LOCAL_DIRS"]
        == str(StateFolders(settings.state_folder).tmp)
    )
    run.folders.tmp.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(run.folders.tmp))
    conf = spark_conf(settings, "")
    assert f"-Djava.io.tmpdir={run.folders.tmp}" in conf["spark.driver.extraJavaOptions"]
    assert "tmpdir" not in conf["spark.executor.extraJavaOptions"]  # of other machines
