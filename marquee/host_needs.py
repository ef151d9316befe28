"""What the weekly run needs: one arithmetic of memory and disk.

`marquee plan`, the doctor's line of memory, the systemd units and the refusal of the training job
read the same numbers, so they never disagree (ADR 45). Memory is megabytes of 2^20 bytes, as the
sum of the proportional set sizes of a process tree. Every constant is fitted to measured peaks:
`bench/logs/peaks.jsonl` holds them with their commands, and a test holds each estimate within 25 %.

The numbers are those of the default recipe: two chains of rank 16, an EASE of 2,500 titles. They
were measured from 23,560 to 32 million ratings.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from marquee.errors import SettingsError

MEGABYTE = 2**20
MOST_ROWS = 10**12
"""Ratings, people or titles: far above any release, far below what floats lose."""
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
LEAST_HEAP = 512
"""Megabytes; Spark refuses a heap of less than 450."""
MOST_HEAP = 1500
"""Megabytes; what 32 million ratings were prepared and trained with."""
OUTSIDE_OF_HEAP = 230
"""Of a JVM of Spark: classes, compiled code, threads, buffers."""
LAUNCHER = 50
"""The process of Airflow (or of `marquee step`) that starts a task and waits for it."""
SUBMITTER = 250
"""What stays with Airflow of a driver in a container of YARN: spark-submit's JVM, which waits. An
assumption."""
PYTHON_DRIVER = 165
"""The Python process of a Spark job that holds no ratings."""
DAEMONS = {
    "namenode": 190,
    "datanode": 145,
    "journalnode": 95,
    "spark-master": 170,
    "spark-worker": 170,
    "resourcemanager": 200,
    "nodemanager": 155,
    "airflow-api": 250,
    "airflow-scheduler": 260,
    "airflow-dags": 206,
    "airflow-triggerer": 185,
    "postgres": 76,
    "replica": 35,
}
"""Megabytes of each daemon in a weekly run, as measured: resident ones, but of the DAG processor
and of Postgres what their control groups counted. Postgres has a connection for each process of
Airflow that asks, eleven in a run; its shared buffers hold a database of 11 MB. Serving grows with
the bundle: `serving`."""
CHAINS = 2
"""Markov chains of the default recipe."""
AIRFLOW = ("airflow-api", "airflow-scheduler", "airflow-dags", "airflow-triggerer")


@dataclass(frozen=True)
class DataSize:
    """Numbers of ratings, of people and of titles."""

    ratings: int
    people: int
    titles: int

    @classmethod
    def of(cls, ratings: int, people: int = 0, titles: int = 0) -> DataSize:
        """Fill what is unknown (0) by the shape of MovieLens 32M and of samples of its people.

        159 ratings a person; titles grow with the power 0.385 of the ratings, 23,000 at a million.
        Raises SettingsError for a number above MOST_ROWS.
        """
        if max(ratings, people, titles) > MOST_ROWS:
            raise SettingsError(
                f"more than {MOST_ROWS:,} ratings, people or titles", "give the real numbers"
            )
        ratings = max(ratings, 1)
        people = people or max(round(ratings / 159), 1)
        return cls(ratings, people, titles or max(round(23_000 * (ratings / 1e6) ** 0.385), 1))

    def __str__(self) -> str:
        return f"{self.ratings:,} ratings of {self.people:,} people and {self.titles:,} titles"

    @property
    def millions(self) -> float:
        """Millions of ratings."""
        return self.ratings / 1e6

    @property
    def rows(self) -> int:
        """People and titles: the rows of both factor matrices."""
        return self.people + self.titles


@dataclass(frozen=True)
class TaskNeed:
    """Megabytes at the peak of one task, by process."""

    task: str
    launcher: float = LAUNCHER
    python: float = 0.0
    """The Python driver of a Spark job."""
    heap: float = 0.0
    """What the heap of the JVM that computes would hold; a smaller heap spills. 0: no Spark."""
    client_heap: float = 0.0
    """What the heap of the driver's JVM would hold where executors compute."""
    buffers: float = 0.0
    """Beside the heap of the JVM that computes: blocks on their way."""
    chains: float = 0.0
    """Python workers below the executors, all together, while they sweep."""
    chains_after: float = 0.0
    """What those still hold when the driver is at its peak, packing their draws."""

    def local(self, heap: float) -> float:
        """The whole task on one machine; the driver's JVM, of `heap`, computes."""
        jvm = _jvm(heap, self.heap) + self.buffers
        return self.launcher + self.python + jvm + self.chains_after

    def at_driver(self, heap: float) -> float:
        """What stays with Airflow where executors compute elsewhere."""
        return self.launcher + self.python + _jvm(heap, self.client_heap)

    @property
    def at_submitter(self) -> float:
        """What stays with Airflow where YARN holds the driver, too."""
        return self.launcher + (SUBMITTER if self.client_heap else self.python)


def _jvm(heap: float, held: float) -> float:
    return OUTSIDE_OF_HEAP + min(heap, held) if held else 0.0


def task_needs(size: DataSize) -> dict[str, TaskNeed]:
    """The tasks of the weekly run that need more than an idle process."""
    return {need.task: need for need in _tasks(size)}


def _tasks(size: DataSize) -> Iterable[TaskNeed]:
    millions = size.millions
    yield TaskNeed("load_ratings", python=18 + 3.1 * millions)
    yield TaskNeed("freeze_inputs", python=5)
    titles = 315 + size.titles / 400
    yield TaskNeed("prepare_titles", python=PYTHON_DRIVER, heap=titles, client_heap=80)
    sorted_rows = 230 + 200 * min(1.0, millions) + 24 * millions
    yield TaskNeed("prepare_ratings", python=PYTHON_DRIVER, heap=sorted_rows, client_heap=80)
    yield TaskNeed("train_budget", python=250, heap=550, client_heap=100)
    yield training(size)
    yield _forecast(size)
    # The record of every held row, the mapped pages of two bundles, and 100,000 predictions at
    # once: all of the held fifth, up to half a million ratings. Measured to 3.2 million.
    pairs = 70 * min(1.0, 2 * millions)
    yield TaskNeed("evaluate_recommender", python=164 + pairs + 100 * millions)
    yield TaskNeed("evaluate_budget", python=200)
    # Where a place has documents: both bundles, a batch, and the index of all titles.
    yield TaskNeed("publish_documents", python=85 + bundles(size))


def training(size: DataSize) -> TaskNeed:
    """`train_recommender`: two fits; the driver holds each rating once (ADR 40).

    The driver is at its peak when it packs the draws: then the chains hold little. EASE's solve
    holds seven matrices of at most 2,500 titles. The JVM holds the blocks of ratings on their way
    to the chains. A chain grows with people and titles, not with ratings.
    """
    ease = 375 * min(1.0, size.titles / 2_500) ** 2
    return TaskNeed(
        "train_recommender",
        python=300 + ease + 75 * size.millions,
        heap=260 + 190 * min(1.0, size.millions) + 33 * size.millions,
        client_heap=100 + 20 * size.millions,
        buffers=15 * size.millions,
        chains=CHAINS * (15 + 2.3 * size.rows / 1_000),
        chains_after=CHAINS * (15 + 0.36 * size.rows / 1_000),
    )


def _forecast(size: DataSize) -> TaskNeed:
    """One fit, on the earlier ratings, and the later fifth in columns of 32 bytes."""
    fit = training(size)
    python, heap = fit.python + 32 * size.millions / 5, fit.heap - 60
    return replace(fit, task="forecast_recommender", python=python, heap=heap)


def serving(size: DataSize) -> float:
    """The API at a promotion: the old bundle beside the new one, mapped pages included."""
    return 115 + bundles(size)


def bundles(size: DataSize) -> float:
    """Two recommenders with their index, as whoever follows the ledger holds them for a moment."""
    return 3.5 * size.rows / 1_000


def daemons(size: DataSize) -> dict[str, float]:
    """Every daemon, with serving."""
    return {**DAEMONS, "serving": serving(size)}


TOGETHER = (
    ("prepare_titles", "prepare_ratings"),
    ("train_budget", "train_recommender"),
    ("train_budget", "evaluate_recommender"),
    ("train_budget", "forecast_recommender"),
    ("publish_documents", "forecast_recommender"),
)
"""Tasks that a run may have under way at the same time; the pool `spark` has two slots."""
STACK = ("namenode", "datanode", *AIRFLOW, "replica", "serving")
"""The daemons of the local stack (`Procfile`)."""


def local_peak(size: DataSize, heap: float) -> float:
    """The most that the local stack and its tasks hold together in a week."""
    needs = task_needs(size)
    tasks = max(sum(needs[task].local(heap) for task in pair) for pair in TOGETHER)
    return tasks + sum(need for name, need in daemons(size).items() if name in STACK)


def heap_for(size: DataSize, computes: bool = True) -> int:
    """Megabytes of the driver's heap; more than Spark's least where the driver `computes` too.

    The values are the ones that `bench.scale` ran with; less was not tried at those sizes.
    """
    if computes:
        return max(900, min(MOST_HEAP, 850 + size.ratings // 40_000))
    return max(700, min(MOST_HEAP, 500 + size.ratings // 40_000))


def training_bytes(size: DataSize) -> int:
    """Bytes of `train_recommender` with everything on one machine, with the heap of `heap_for`."""
    return round(training(size).local(heap_for(size)) * MEGABYTE)


def bundle_mb(size: DataSize) -> float:
    """The recommender's bundle: each rating, factors, content vectors, EASE's weights (10^6 bytes).

    14 bytes a rating; 0.3 KB a person or title; content of at most 32 MB.
    """
    content = min(32.0, size.titles / 3_000)
    weights = 4 * min(1.0, size.titles / 2_500)
    return 14 * size.millions + 0.3 * size.rows / 1_000 + content + weights + 1


def run_mb(size: DataSize) -> float:
    """What one run leaves in the lake: prepared, split, two fits, and the bundle that serves.

    One copy, in 10^6 bytes. A run whose inputs are those of the last one leaves next to nothing.
    """
    return 14 * size.millions + 3 * bundle_mb(size) + 5


def lake_mb(size: DataSize, runs: int) -> float:
    """The lake after so many runs, with one release: one copy, in 10^6 bytes."""
    return 24 * size.millions + runs * run_mb(size)


def memory_of_machine() -> int:
    """Bytes of memory that this process may have: the machine's, or its control group's limit."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or the word max
            found.append(int(limit.read_text()))
    return min(found)
