"""How `pytest -n` shares the tests out: a room stays on one worker, the longest rooms go first.

The tests of a room share daemons, Spark and trained models, and stop what others of the room left;
they run in their order, one at a time, as they do without workers.
"""

from __future__ import annotations

import os

import pytest
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST = (
    *("stack", "spark_budget", "spark_recommender", "connect", "streams", "documents"),
    *("cluster", "yarn", "worlds"),
)
"""The rooms that take longest; a long one that came last would leave the other worker idle."""
TOGETHER = {"conformance": "connect"}
"""Rooms that share the daemons and trained models of another, on its worker."""


class RoomScheduling(LoadScopeScheduling):
    """Gives whole rooms to the workers, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return room_of(nodeid)


def room_of(nodeid: str) -> str:
    """The folder below `tests` that the test is in, or the one that it shares a worker with."""
    folder = nodeid.split("::")[0].removeprefix("tests/").rpartition("/")[0] or "tests"
    return TOGETHER.get(folder, folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # it would put the rooms with the most tests first
    return RoomScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        ranks = {room: rank for rank, room in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: ranks.get(room_of(item.nodeid), len(ranks)))
