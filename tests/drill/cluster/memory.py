"""The memory that hosts hold at their peak, counted as `marquee plan` counts it: no page cache."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from marquee.host_needs import DAEMONS, DataSize, serving, task_needs
from marquee.place_settings import megabytes
from marquee.role_needs import airflow, executor_need
from marquee.settings import Settings
from sources.ratings_release import size_of_world
from tests.drill.cluster.hosts import Network

SAMPLE_SECONDS = 1.0


@contextmanager
def peaks(network: Network) -> Iterator[dict[str, int]]:
    """The most that each host held meanwhile, in megabytes of 2^20 bytes; filled in as it goes."""
    found = dict.fromkeys(network.hosts, 0)
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_SECONDS):
            for host in found:
                found[host] = max(found[host], round(held_mb(network, host)))

    watch = threading.Thread(target=look, daemon=True)
    watch.start()
    try:
        yield found
    finally:
        over.set()
        watch.join()


def held_mb(network: Network, host: str) -> float:
    """What the host's processes hold now: their own pages, and those of mapped files.

    Pages of files are counted once for each program of the host: the kernel charges them to
    whichever host read them first, and a host that has no machine in common with others has its
    own copy.
    """
    files: dict[str, int] = {}
    for pid in network.processes(host):
        program, kilobytes = mapped_kb(Path(f"/proc/{pid}"))
        files[program] = max(files.get(program, 0), kilobytes)
    return network.own_mb(host) + sum(files.values()) / 1024


def mapped_kb(process: Path) -> tuple[str, int]:
    """A process' program and the kilobytes of files that it has mapped and in memory."""
    try:
        lines = (process / "status").read_text().splitlines()
        program = str((process / "exe").readlink())
    except OSError:
        return "", 0  # it has just ended
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return program, int(found.get("RssFile", "0 kB").split()[0])


def plan_mb(settings: Settings, workers: Sequence[str]) -> dict[str, int]:
    """What each host of the drill would hold, by the arithmetic of `marquee plan` and its world.

    The plan itself keeps room for a full heap in each executor; here an executor holds what its
    tasks fill of it. Serving is counted with two bundles, as at a later promotion.
    """
    size = size_of_world(settings)
    heap = megabytes(settings.spark.executor_memory)
    worker = DAEMONS["datanode"] + DAEMONS["spark-worker"]
    worker += executor_mb(size, heap, len(workers))
    found = {
        "namenode": DAEMONS["namenode"],
        "spark-master": DAEMONS["spark-master"],
        **dict.fromkeys(workers, worker),
        "airflow": airflow(size, megabytes(settings.spark.driver_memory)),
        "serving": serving(size) + DAEMONS["replica"],
    }
    return {host: round(need) for host, need in found.items()}


def executor_mb(size: DataSize, heap: float, workers: int) -> float:
    """One executor, with its share of what the largest task puts into the heaps of all."""
    share = max(need.heap for need in task_needs(size).values()) / workers
    return executor_need(size, min(heap, share), workers)
