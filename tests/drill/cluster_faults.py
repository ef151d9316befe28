"""A weekly run on seven hosts that share this machine, and again with one fault each.

After each, the lake's content equals that of the undisturbed run, each model was promoted once, no
block of HDFS is lost and no application is left at the master. `cluster-<seed>/cluster.jsonl` has
a line a fault: an interrupted drill goes on, and a fault whose line is removed is run again.
`tests/drill/cluster/` holds the hosts, the daemons and the faults.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.clock import iso, now
from marquee.errors import StackError
from tests.drill.cluster.cluster import Cluster
from tests.drill.cluster.faults import FAULTS, RELEASE, Fault, Scene
from tests.drill.cluster.hosts import why_not
from tests.drill.cluster.memory import peaks
from tests.drill.cluster.metadata_database import why_sqlite
from tests.drill.cluster.report import Record, failures, table
from tests.drill.cluster.runs import Ended, WeeklyRun
from tests.drill.rounds import Figures, NamedDrill
from tests.small_recipes import BUDGET, RECOMMENDER

SMALL_RECIPES = {
    "MARQUEE_RECIPES__RECOMMENDER": json.dumps([RECOMMENDER]),
    "MARQUEE_RECIPES__BUDGET": json.dumps([BUDGET]),
}


def run(seed: int, faults: Sequence[str], home: Path) -> Figures:
    """The named faults; those that the log below `home` has are not run again."""
    if reason := why_not():
        print(f"cluster: this machine cannot hold several hosts: {reason}", flush=True)
        return {"refused": 1, "failures": 1}
    print(f"cluster: Airflow's metadata: {why_sqlite() or 'Postgres'}", flush=True)
    home.mkdir(parents=True, exist_ok=True)
    log = Log(home / "cluster.jsonl")
    for name in faults:
        if name not in log.records:
            log.add(one(name, seed, log, home))
    text = table(log.records)
    (home / "cluster.txt").write_text(text + "\n", "utf-8")
    print(text, flush=True)
    bad = sum(bool(record["failures"]) for record in log.records.values())
    return {"faults": len(log.records), "failures": bad}


class Log:
    """The faults that are done, one a line; half a line of a killed drill is no line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        whole = path.read_text("utf-8").rpartition("\n")[0] if path.is_file() else ""
        path.write_text(whole + "\n" if whole else "", "utf-8")
        found = [json.loads(line) for line in whole.splitlines()]
        self.records: dict[str, Record] = {record["fault"]: record for record in found}

    def add(self, record: dict[str, Any]) -> None:
        """Write one, and keep it."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        self.records[record["fault"]] = record

    @property
    def as_of(self) -> str:
        """What every run may see up to: the moment the first one was given."""
        present = iso(now().replace(microsecond=0))
        return next((str(record["as_of"]) for record in self.records.values()), present)


def one(name: str, seed: int, log: Log, home: Path) -> dict[str, Any]:
    """Run one fault on a cluster made anew; its line of the log."""
    fault, started, as_of = FAULTS[name], time.monotonic(), log.as_of
    print(f"cluster: {name}: {fault.does}", flush=True)
    record: dict[str, Any] = {"fault": name, "as_of": as_of, "seed": seed, "did": "", "ended": None}
    record["metadata"] = "SQLite" if why_sqlite() else "Postgres"
    try:
        if not fault.is_compared and not RELEASE.is_dir():
            raise StackError(f"{RELEASE.name} is not beside the repository")
        is_compared = fault.is_compared and name != "undisturbed"
        other = model(record, log) if is_compared else None
        did, ended = under(fault, as_of, random.Random(f"{seed} {name}"), home / "state")
        record |= {"did": did, "ended": ended.as_json()}
        record["failures"] = failures(ended.as_json(), other)
    except StackError as error:
        record["failures"] = [str(error)]
    record["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(f"cluster: {name}: {record['did']}; {record['failures'] or 'holds'}", flush=True)
    return record


def model(record: Record, log: Log) -> dict[str, Any]:
    """The undisturbed run; StackError where there is none of the same kind that ended well."""
    found = log.records.get("undisturbed", {})
    if found.get("failures") != [] or found.get("metadata") != record["metadata"]:
        raise StackError(
            f"no undisturbed run, with Airflow's metadata in {record['metadata']}, has ended well"
        )
    ended: dict[str, Any] = found["ended"]
    return ended


def under(fault: Fault, as_of: str, rng: random.Random, folder: Path) -> tuple[str, Ended]:
    """A whole weekly run under a fault; afterwards no host and no process is left."""
    updates = {**(SMALL_RECIPES if fault.is_compared else {}), **fault.updates}
    cluster = Cluster(folder, updates)
    try:
        cluster.up(fault.memory_mb)
        weekly = WeeklyRun(cluster)
        weekly.trigger({"as_of": as_of})
        with peaks(cluster.network) as held:
            did = fault.act(Scene(cluster, weekly, rng))
            return did, weekly.finish(held)
    finally:
        cluster.network.down()


CLUSTER = NamedDrill(
    "after each fault the lake is as after none: one promotion, no orphan, equal content",
    parts=tuple(FAULTS),
    run=run,
)
