"""A weekly run on YARN in client and in cluster mode, with its training killed, on an archive.

One machine: HDFS, a ResourceManager and a NodeManager on loopback, and for each part an Airflow and
a lake of its own. The place names YARN by `[spark] resource_manager` alone. After each part the
lake's content equals that of the undisturbed run in client mode, each model was promoted once, and
YARN lists no application. `yarn-<seed>/yarn.jsonl` has a line a part: an interrupted drill goes on.
In the parts on an archive the node has no Python of ours, and Spark ships one.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.java_setup import spark_home
from marquee.errors import StackError
from marquee.settings import load_settings
from tests.drill.cluster.faults import SPARK_TASKS
from tests.drill.cluster.report import Record, failures
from tests.drill.cluster_faults import Log
from tests.drill.rounds import Figures, NamedDrill
from tests.drill.yarn.archive import PLACED, is_placed, make_archive
from tests.drill.yarn.weekly import Weekly, kill, task_of, weekly
from tests.yarn.daemons import Yarn, yarn

HOST = "127.0.0.89"
"""An address of loopback that nobody else takes: YARN has its own ports there."""
JOB, TASK = "train_recommender", "recommender.train"
MOST_SECONDS = 30.0
"""Until a killed task's application has ended."""
PLACE = """\
[lake]
root = "hdfs://{namenode}/marquee-{part}"
webhdfs = "{webhdfs}"
replication = 1

[crawl]
site = "{{replica}}"
max_pages = 1500

[spark]
master = "yarn"
deploy_mode = "{mode}"
resource_manager = "{resource_manager}"
yarn_jars = "local:{jars}/*"
driver_memory = "700m"
driver_overhead = "900m"
executor_memory = "512m"
executor_overhead = "384m"
shuffle_partitions = 4
java_options = "{java}"
worker_python = "{python}"
archives = "{archives}"
cores = 1
{more}
[stack]
processes = [
  "airflow-api", "airflow-scheduler", "airflow-dags", "airflow-triggerer", "replica", "serving",
]
"""
Act = Callable[[Weekly], str]
"""Disturb a run that has just been triggered; a sentence on what was done."""


@dataclass(frozen=True)
class Part:
    """One run: its mode, what happens to it in words, and how."""

    mode: str
    does: str
    act: Act = lambda _: ""
    is_tried_again: bool = False
    on_archive: bool = False


def kill_task(run: Weekly) -> str:
    """The Airflow task itself: nobody is left who could clean up but the next attempt."""
    number = run.await_running(JOB)
    kill(task_of(run.submission(JOB)))
    return _ended(run, number, "the task's process was killed")


def kill_submission(run: Weekly) -> str:
    """spark-submit alone: in client mode the driver, in cluster mode who waits for it."""
    number = run.await_running(JOB)
    kill(run.submission(JOB))
    return _ended(run, number, "spark-submit was killed")


def _ended(run: Weekly, number: str, what: str) -> str:
    seconds = run.seconds_to_end(JOB, number)
    if seconds > MOST_SECONDS:
        raise StackError(f"{what}; {number} ended only after {seconds:.0f} s")
    return f"{what}; {number} had ended after {seconds:.1f} s"


PARTS = {
    "client": Part("client", "undisturbed, the driver on Airflow's host"),
    "cluster": Part("cluster", "undisturbed, the driver in a container"),
    "client_kill": Part("client", "the driver is killed in training", kill_submission, True),
    "cluster_kill": Part("cluster", "spark-submit is killed in training", kill_submission, True),
    "client_task": Part("client", "the task is killed in training", kill_task, True),
    "cluster_task": Part("cluster", "the task is killed in training", kill_task, True),
    "archive_client": Part("client", "executors on an archive's Python", on_archive=True),
    "archive_cluster": Part("cluster", "driver and executors on an archive's", on_archive=True),
}


def run(seed: int, parts: Sequence[str], home: Path) -> Figures:
    """The named parts; those that the log below `home` has are not run again."""
    home.mkdir(parents=True, exist_ok=True)
    log = Log(home / "yarn.jsonl")
    wanted = [name for name in parts if name not in log.records]
    on_node = [name for name in wanted if not PARTS[name].on_archive]
    on_archive = [name for name in wanted if PARTS[name].on_archive]
    if on_node:
        with _daemons(home) as cluster:
            for name in on_node:
                log.add(one(name, seed, log, cluster, home))
    if on_archive:
        archive = make_archive(home / "archive")
        with _daemons(home, hidden=(Path(sys.base_prefix),)) as cluster:
            cluster.until(lambda: is_placed(archive, cluster.webhdfs))
            for name in on_archive:
                log.add(one(name, seed, log, cluster, home))
    text = table(log.records)
    (home / "yarn.txt").write_text(text + "\n", "utf-8")
    print(text, flush=True)
    bad = sum(bool(record["failures"]) for record in log.records.values())
    return {"parts": len(log.records), "failures": bad}


def _daemons(home: Path, hidden: tuple[Path, ...] = ()) -> AbstractContextManager[Yarn]:
    shutil.rmtree(home / "daemons", ignore_errors=True)
    (home / "daemons").mkdir()
    return yarn(home / "daemons", HOST, hidden)


def one(name: str, seed: int, log: Log, cluster: Yarn, home: Path) -> dict[str, Any]:
    """Run one part; its line of the log."""
    part, started, as_of = PARTS[name], time.monotonic(), log.as_of
    print(f"yarn: {name}: {part.does}", flush=True)
    record: dict[str, Any] = {"fault": name, "as_of": as_of, "seed": seed, "did": "", "ended": None}
    shutil.rmtree(home / name, ignore_errors=True)
    try:
        with weekly(place_of(name, part, cluster), home / name, as_of) as made:
            made.trigger()
            record["did"] = part.act(made)
            record["ended"] = made.finish()
        other = None if name == "client" else _model(log)
        record["failures"] = failures(record["ended"], other) + _attempts(part, record["ended"])
    except StackError as error:
        record["failures"] = [str(error)]
    record["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(f"yarn: {name}: {record['did']}; {record['failures'] or 'holds'}", flush=True)
    return record


def _attempts(part: Part, ended: Mapping[str, Any]) -> list[str]:
    """Training was tried again where it was killed; nothing else was."""
    wanted = {TASK: 2} if part.is_tried_again else {}
    tried = {task: count for task, count in ended["attempts"].items() if count > 1}
    return [] if tried == wanted else [f"tried again: {tried}, and not {wanted}"]


def _model(log: Log) -> Mapping[str, Any]:
    """The undisturbed run in client mode; StackError where none has ended well."""
    found = log.records.get("client", {})
    if found.get("failures") != []:
        raise StackError("no undisturbed run in client mode has ended well")
    ended: Mapping[str, Any] = found["ended"]
    return ended


def place_of(name: str, part: Part, cluster: Yarn) -> str:
    """The place of a part, with its own lake."""
    namenode = cluster.address("namenode")
    return PLACE.format(
        namenode=namenode,
        part=name.replace("_", "-"),
        webhdfs=cluster.webhdfs,
        mode=part.mode,
        resource_manager=HOST,
        jars=spark_home() / "jars",
        java=load_settings("local").spark.java_options,
        python="environment/bin/python3" if part.on_archive else sys.executable,
        archives=f"hdfs://{namenode}{PLACED}#environment" if part.on_archive else "",
        more='driver_bind = "127.0.0.1"\n' if part.mode == "client" else "",
    )


def table(records: Mapping[str, Record]) -> str:
    """Verdicts of all parts, and the seconds of each task by part."""
    lines = [f"{'part':<16} {'verdict':<8} {'minutes':>7}"]
    for name, part in PARTS.items():
        if (record := records.get(name)) is None:
            lines.append(f"{name:<16} not run")
            continue
        verdict = "FAILED" if record["failures"] else "holds"
        lines.append(f"{name:<16} {verdict:<8} {record['minutes']:>7.1f}")
        said = [part.does, record["did"], *record["failures"]]
        lines += [f"  {sentence}" for sentence in said if sentence]
    done = [name for name, record in records.items() if record["ended"]]
    lines += ["", f"{'seconds of a task':<24}" + "".join(f"{name:>16}" for name in done)]
    for task in SPARK_TASKS:
        seconds = (records[name]["ended"]["seconds"].get(task, 0.0) for name in done)
        lines.append(f"{task:<24}" + "".join(f"{one:>16.0f}" for one in seconds))
    return "\n".join(lines)


YARN = NamedDrill(
    "on YARN in both modes: one promotion, a killed task's application ends, equal content",
    parts=tuple(PARTS),
    run=run,
)
