"""A hand-over that is killed before any of its steps loses and doubles nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from marquee.lake import FolderLake, World, claim_world
from serving.feedback_hand_over import HandOver
from serving.feedback_log import FeedbackLog

NOON = 1_767_000_000
STEPS = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock"})


def hand_over(lake: FolderLake, folder: Path) -> FeedbackLog:
    log = FeedbackLog(folder, "local", clock=lambda: float(NOON))
    exchange = HandOver(lake, log, world="ours")
    exchange.hand_over()
    assert exchange.failure == ""
    return log


def killed(step: int, lake: FolderLake, folder: Path) -> bool:
    """Hand over in a process that is killed before this step; False where it has fewer."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, _: object) -> None:
            nonlocal left
            left -= event in STEPS
            if left < 0 and event in STEPS:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        hand_over(lake, folder)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def lines_in(lake: FolderLake) -> list[tuple[str, int]]:
    found = []
    for name in lake.names("raw/feedback"):
        data = lake.read_bytes(f"raw/feedback/{name}/feedback.jsonl")
        found += [(row["person"], row["movie_id"]) for row in map(json.loads, data.splitlines())]
    return sorted(found)


def test_a_hand_over_that_is_killed_anywhere_is_repeated(tmp_path: Path) -> None:
    for step in range(1000):
        lake = FolderLake(f"file://{tmp_path / str(step) / 'lake'}")
        claim_world(lake, World("ours"))
        here, there = (tmp_path / str(step) / name for name in ("here", "there"))
        FeedbackLog(there, "local").write("p-bo", {9: 2.0})
        hand_over(lake, there)
        FeedbackLog(here, "local").write("p-ada", {1: 4.0})
        was_killed = killed(step, lake, here)
        FeedbackLog(here, "local").write("p-ada", {2: 3.0})
        log = hand_over(lake, here)
        assert log.feedback_of("p-ada") == {1: 4.0, 2: 3.0}, step
        assert log.feedback_of("p-bo") == {9: 2.0}, step
        assert lines_in(lake) == [("p-ada", 1), ("p-ada", 2), ("p-bo", 9)], step
        if not was_killed:
            break
    assert 30 < step < 999
