"""Which board does what: place the roles of a cluster on boards, and say what does not fit.

The heaviest role is placed first, on the board with the most memory left: Airflow with the Spark
drivers, serving, NameNode, Spark master. Then every board with room for an executor becomes a
worker: DataNode, Spark worker, executor. A board without that room holds a DataNode alone. One
board by itself runs the local stack. All memory is in megabytes of 2^20 bytes; `marquee.host_needs`
has the arithmetic.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from marquee.errors import SettingsError
from marquee.host_needs import (
    DAEMONS,
    LEAST_HEAP,
    MOST_HEAP,
    DataSize,
    heap_for,
    lake_mb,
    local_peak,
    serving,
)
from marquee.role_needs import (
    APPLICATION_MASTER,
    Engines,
    airflow,
    driver_need,
    drivers,
    executor_need,
    on_yarn,
    partitions,
    wanted_heap,
)
from marquee.settings import REPOSITORY

VISIBLE = 0.93
"""Of a board's nominal memory; the kernel and the graphics keep the rest."""
SYSTEM = 300
"""Megabytes for the operating system and its cache of files."""
MARGIN = 0.25
"""Airflow's board gets no worker unless this part of Airflow's need stays free: estimates are that
uncertain, and the drivers are what a run cannot do without."""
MOST_BOARDS = 64
MOST_GIGABYTES = 1024
HOSTS = re.compile(r"(?:([0-9]{1,4})x)?([0-9]{1,6}(?:\.[0-9]{1,9})?)GB", re.IGNORECASE)
RUNS_KEPT = 52
"""Runs for which the plan counts disk: a year; nothing removes a run before."""
MANAGERS = {
    "standalone": ("spark-master", "spark-worker"),
    "yarn": ("resourcemanager", "nodemanager"),
    "yarn-cluster": ("resourcemanager", "nodemanager"),
}
"""Of executors: the daemon that one board has, and the one of each worker. With `yarn-cluster`,
YARN holds the drivers, too."""
NAMED = ("airflow", "serving", "namenode", "spark-master", "resourcemanager", "kafka", "connect")
"""Roles whose board is known by their names, in the addresses of a place."""
CHECKOUT = "/opt/marquee"
"""Of docs/guides/cluster.md, on every board."""
NO_ENGINES = Engines()


@dataclass
class Board:
    """A machine, and what it is to run: megabytes by role."""

    name: str
    memory: float
    """Nominal megabytes."""
    roles: dict[str, float] = field(default_factory=dict)

    @property
    def usable(self) -> float:
        """What the operating system leaves."""
        return self.memory * VISIBLE - SYSTEM

    @property
    def left(self) -> float:
        """What the roles leave; negative where they do not fit."""
        return self.usable - sum(self.roles.values())


@dataclass(frozen=True)
class Misfit:
    """What does not fit, and what to do."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} — {self.remedy}"


@dataclass(frozen=True)
class Plan:
    """Boards with their roles, the settings, and what does not fit."""

    size: DataSize
    boards: tuple[Board, ...]
    settings: dict[str, str | int]
    """Of the section [spark] of a place's overlay."""
    misfits: tuple[Misfit, ...]
    replication: int
    lake_mb: float
    """All copies of a year's runs, in 10^6 bytes; the DataNodes share them."""
    engines: Engines = NO_ENGINES

    @property
    def fits(self) -> bool:
        """Whether every role has its memory."""
        return not self.misfits

    @property
    def workers(self) -> int:
        """The number of boards with an executor."""
        return sum("executor" in board.roles for board in self.boards)

    def board_of(self, role: str) -> Board | None:
        """The first board with the role; None where there is none."""
        return next((board for board in self.boards if role in board.roles), None)


def read_boards(text: str) -> list[Board]:
    """`4x4GB`, or kinds joined by commas: `1x8GB,3x2GB`; SettingsError for anything else."""
    sizes: list[float] = []
    for part in text.split(","):
        found = HOSTS.fullmatch(part.strip())
        if not found or not int(found[1] or 1) or not 0 < float(found[2]) <= MOST_GIGABYTES:
            raise SettingsError(
                f"'{part.strip()[:60]}' names no boards", "write --hosts 4x4GB, or 1x8GB,3x2GB"
            )
        sizes += [float(found[2]) * 1024] * min(int(found[1] or 1), MOST_BOARDS + 1)
    if len(sizes) > MOST_BOARDS:
        raise SettingsError(f"more than {MOST_BOARDS} boards", "plan for a part of them")
    return [Board(f"board{n}", memory) for n, memory in enumerate(sizes, 1)]


def plan_boards(
    size: DataSize,
    boards: Sequence[Board],
    demo: bool = False,
    manager: str = "standalone",
    engines: Engines = NO_ENGINES,
) -> Plan:
    """Place every role; `demo` adds the replica of the crawled site, `manager` is of MANAGERS."""
    made = [Board(board.name, board.memory) for board in boards]
    if len(made) == 1:
        return _alone(size, made[0], engines)
    heap, in_cluster = heap_for(size, computes=False), manager == "yarn-cluster"
    beside = _beside_executor(size, heap, manager)
    heads = _head_needs(size, heap, manager) | engines.roles(size)
    for role, need in sorted(heads.items(), key=lambda item: -item[1]):
        board = max(made, key=lambda board: board.left)
        board.roles[role] = need
        if demo and role == "airflow":  # it listens on loopback, for the crawl
            board.roles["replica"] = DAEMONS["replica"]
    misfits = list(_too_small(made, drivers(size, heap, in_cluster)))
    executor = _place_workers(size, made, beside)
    if not executor:
        misfits.append(_without_workers(size, made, beside))
    for board in made:
        if not board.roles.keys() & {"airflow", "executor"} and board.left >= DAEMONS["datanode"]:
            board.roles["datanode"] = DAEMONS["datanode"]
    workers = max(sum("executor" in board.roles for board in made), 1)
    copies = max(1, min(2, sum("datanode" in board.roles for board in made)))
    settings: dict[str, str | int] = {
        "driver_memory": f"{heap}m",
        "executor_memory": f"{executor or LEAST_HEAP}m",
        "shuffle_partitions": partitions(size, workers),
    }
    if manager != "standalone":
        settings |= on_yarn(size, in_cluster, executor or LEAST_HEAP, workers)
    disk = copies * lake_mb(size, RUNS_KEPT)
    return Plan(size, tuple(made), settings, tuple(misfits), copies, disk, engines)


def _alone(size: DataSize, board: Board, engines: Engines) -> Plan:
    """One board: everything with a local Spark master."""
    heap = heap_for(size)
    board.roles |= {"local stack": local_peak(size, heap)} | engines.roles(size)
    misfits = []
    if board.left < 0:
        wanted, there = sum(board.roles.values()) + SYSTEM, board.memory * VISIBLE
        swap = f", or swap of {-board.left:,.0f} MB, which is slow" if 2 * there >= wanted else ""
        misfits.append(
            Misfit(
                f"{board.name}: the stack and its tasks need {wanted:,.0f} MB with the system's, "
                f"and {there:,.0f} are there",
                _larger(wanted) + swap,
            )
        )
    settings: dict[str, str | int] = {"driver_memory": f"{heap}m", "shuffle_partitions": 2}
    disk = lake_mb(size, RUNS_KEPT)
    return Plan(size, (board,), settings, tuple(misfits), 1, disk, engines)


def _head_needs(size: DataSize, heap: float, manager: str) -> dict[str, float]:
    """Megabytes of each role that one board has."""
    head, _ = MANAGERS[manager]
    return {
        "airflow": airflow(size, heap, manager == "yarn-cluster"),
        "serving": serving(size),
        "namenode": DAEMONS["namenode"],
        head: DAEMONS[head],
    }


def _beside_executor(size: DataSize, heap: float, manager: str) -> dict[str, float]:
    """The daemons of a board with an executor. YARN starts a job's application master anywhere."""
    _, worker = MANAGERS[manager]
    masters = {"yarn": APPLICATION_MASTER, "yarn-cluster": driver_need(size, heap)}
    master = {"application master": masters[manager]} if manager in masters else {}
    return {"datanode": DAEMONS["datanode"], worker: DAEMONS[worker], **master}


def _too_small(boards: Sequence[Board], tasks: dict[str, float]) -> Iterator[Misfit]:
    for board in boards:
        if board.left >= 0:
            continue
        held = ", ".join(f"{role} {need:,.0f}" for role, need in board.roles.items())
        why = f"{board.name} has {board.usable:,.0f} MB beside the system, for {held}"
        if "airflow" in board.roles:
            most = (f"{task} {need:,.0f}" for task, need in tasks.items())
            why += f" (of it {' beside '.join(most)})"
        yield Misfit(why, _larger(sum(board.roles.values()) + SYSTEM))


def _larger(wanted: float) -> str:
    board = next((n for n in (1, 2, 4, 8, 16) if n * 1024 * VISIBLE >= wanted), None)
    if board is None:
        return f"take a machine of {math.ceil(wanted / 1024 / VISIBLE)} GB, or later ratings only"
    return f"take a board of {board} GB, or a smaller release"


def _place_workers(size: DataSize, boards: Sequence[Board], daemons: dict[str, float]) -> int:
    """Give every board with room a worker; the executors' heap, which they share (0: none)."""
    room = {board.name: _room(board) - sum(daemons.values()) for board in boards}
    for count in range(len(boards), 0, -1):  # with more workers, each has fewer chains
        least = executor_need(size, LEAST_HEAP, count)
        able = [board for board in boards if room[board.name] >= least]
        if len(able) >= count:
            break
    else:
        return 0
    spare = min(room[board.name] for board in able) - least
    wanted = max(wanted_heap(size, len(able)), LEAST_HEAP + spare / 2)
    heap = int(min(MOST_HEAP, wanted, LEAST_HEAP + spare)) // 4 * 4
    for board in able:
        board.roles |= daemons | {"executor": executor_need(size, heap, len(able))}
    return heap


def _room(board: Board) -> float:
    """What a worker may take of a board."""
    return board.left - MARGIN * board.roles.get("airflow", 0.0)


def _without_workers(size: DataSize, boards: Sequence[Board], daemons: dict[str, float]) -> Misfit:
    wanted = executor_need(size, LEAST_HEAP, 1) + sum(daemons.values())
    most = max(_room(board) for board in boards)
    return Misfit(
        f"no board has the {wanted:,.0f} MB that a worker needs ({', '.join(daemons)}, an "
        f"executor of Spark's least heap, {LEAST_HEAP} MB); the most that one has left is "
        f"{max(most, 0):,.0f}",
        f"add {_larger(wanted + SYSTEM).removeprefix('take ').split(',')[0]}",
    )


def overlay(plan: Plan) -> str:
    """A whole place's file (TOML), with the boards in comments.

    It is the repository's file of its kind, with what the plan decides. Its hosts have the names of
    their roles, which every /etc/hosts gives them (docs/guides/cluster.md).
    """
    alone = len(plan.boards) == 1
    template = REPOSITORY / "config" / ("local.toml" if alone else "cluster.toml")
    place: dict[str, dict[str, Any]] = tomllib.loads(template.read_text("utf-8"))
    if not alone:
        place["lake"]["replication"] = plan.replication
        place["spark"]["worker_python"] = f"{CHECKOUT}/.venv/bin/python"
    place["spark"] |= plan.settings
    plan.engines.extra(place, alone)
    lines = [
        f"# For {plan.size}.",
        *(f"# {board.name}: {', '.join(board.roles) or 'spare'}" for board in plan.boards),
        *(f"# DOES NOT FIT: {misfit}" for misfit in plan.misfits),
    ]
    if names := [f"{b.name} {role}" for b in plan.boards for role in b.roles if role in NAMED]:
        lines.insert(1 + len(plan.boards), f"# In every /etc/hosts: {', '.join(names)}.")
    for section, values in place.items():
        # Text, numbers and lists of TOML are written as those of JSON.
        lines += ["", f"[{section}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items())]
    return "\n".join(lines) + "\n"
