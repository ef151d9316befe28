"""A weekly run on seven hosts that share this machine, and again with one fault each.

After each, the lake's content equals that of the undisturbed run, each model was promoted once,
and no application is left at the master. A log by fault (`cluster.jsonl`) lets an interrupted
drill go on; `tests/drill/cluster/` holds the hosts, the daemons and the faults.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

from marquee.clock import iso, now
from marquee.errors import StackError
from marquee.settings import load_settings
from tests.drill.cluster.cluster import Cluster
from tests.drill.cluster.faults import FAULTS, Fault, Scene, fault_named
from tests.drill.cluster.hosts import why_not
from tests.drill.cluster.report import Record, failures, table
from tests.drill.cluster.runs import Ended, WeeklyRun
from tests.drill.rounds import Drill, Figures
from tests.small_recipes import BUDGET, RECOMMENDER

TAG = "d"
UPDATES = {
    "MARQUEE_RECIPES__RECOMMENDER": json.dumps([RECOMMENDER]),
    "MARQUEE_RECIPES__BUDGET": json.dumps([BUDGET]),
    # Jobs of seconds: the first compiler alone halves the processor's time, as in local.toml.
    "MARQUEE_SPARK__JAVA_OPTIONS": load_settings("local").spark.java_options,
}


def run(seed: int, count: int, folder: Path) -> Figures:
    """The first `count` faults of the table; those that the log has are not run again."""
    if reason := why_not():
        print(f"cluster: this machine cannot hold several hosts: {reason}", flush=True)
        return {"refused": 1, "failures": 1}
    log = Log(folder / "cluster.jsonl")
    for name in list(FAULTS)[:count]:
        if name not in log.records:
            log.add(one(name, seed, log, folder))
    text = table(log.records)
    (folder / "cluster.txt").write_text(text + "\n", "utf-8")
    print(text, flush=True)
    bad = sum(bool(record["failures"]) for record in log.records.values())
    return {"faults": len(log.records), "failures": bad}


class Log:
    """The faults that are done, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        self.records: dict[str, Record] = {record["fault"]: record for record in found}

    def add(self, record: dict[str, Any]) -> None:
        """Write one, and keep it."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        self.records[record["fault"]] = record

    @property
    def as_of(self) -> str:
        """What every run may see up to: the moment the first one was given."""
        return next((str(r["as_of"]) for r in self.records.values()), iso(now()))


def one(name: str, seed: int, log: Log, folder: Path) -> dict[str, Any]:
    """Run one fault on a cluster made anew; its line of the log."""
    started, as_of = time.monotonic(), log.as_of
    print(f"cluster: {name}: {FAULTS[name].does}", flush=True)
    record: dict[str, Any] = {"fault": name, "as_of": as_of, "seed": seed}
    try:
        ended = under(fault_named(name), as_of, random.Random(f"{seed} {name}"), folder / "state")
        undisturbed = log.records.get("undisturbed", {}).get("ended")
        record |= {"ended": ended.as_json(), "failures": failures(ended.as_json(), undisturbed)}
    except StackError as error:
        record |= {"ended": None, "failures": [str(error)]}
    record["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(f"cluster: {name}: {record['failures'] or 'holds'}", flush=True)
    return record


def under(fault: Fault, as_of: str, rng: random.Random, folder: Path) -> Ended:
    """A whole weekly run under a fault; afterwards no host and no process is left."""
    cluster = Cluster(TAG, folder, {**UPDATES, **fault.updates})
    try:
        cluster.up(fault.memory_mb)
        weekly = WeeklyRun(cluster)
        weekly.trigger({"as_of": as_of})
        fault.act(Scene(cluster, weekly, rng))
        return weekly.finish()
    finally:
        cluster.network.down()


CLUSTER = Drill(
    "after each fault the lake is as after none: one promotion, no orphan, equal content",
    count=len(FAULTS),
    a_round=len(FAULTS),
    run=run,
)
