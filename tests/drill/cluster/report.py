"""What the cluster drill says: verdicts, seconds by task, megabytes by host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.drill.cluster.cluster import HOSTS
from tests.drill.cluster.faults import FAULTS, SPARK_TASKS

MEASURED = ("undisturbed", "real_release")
"""Runs of which the table has the memory of each host."""
Record = Mapping[str, Any]
"""A line of the drill's log: `fault`, `failures`, `minutes` and, of a run that ended, `ended`."""


def failures(ended: Mapping[str, Any], undisturbed: Mapping[str, Any] | None) -> list[str]:
    """Sentences on what did not hold in a run; none where all did."""
    found = []
    if ended["state"] != "success":
        found.append(f"the run ended as {ended['state']}")
    wrong = {model: count for model, count in ended["promotions"].items() if count != 1}
    found += [f"the ledger of the {model} has {count} entries" for model, count in wrong.items()]
    if ended["orphans"]:
        found.append(f"left behind: {', '.join(ended['orphans'])}")
    if ended["missing_blocks"]:
        found.append(f"{ended['missing_blocks']} blocks of HDFS have no copy")
    if not ended["digests"]:
        found.append("the run left nothing in the lake")
    if undisturbed is not None:
        found += _differences(ended["digests"], undisturbed["digests"])
    return found


def _differences(digests: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    paths = sorted(p for p in digests.keys() | others.keys() if digests.get(p) != others.get(p))
    if not paths:
        return []
    rest = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return [f"differs from the undisturbed run: {', '.join(paths[:3])}{rest}"]


def table(records: Mapping[str, Record]) -> str:
    """Verdicts of all faults; those that have not been run say so."""
    lines = [f"{'fault':<38} {'verdict':<8} {'minutes':>7}  tried again"]
    for name, fault in FAULTS.items():
        record = records.get(name)
        if record is None:
            lines.append(f"{name:<38} {'not run':<8}")
            continue
        verdict = "FAILED" if record["failures"] else "holds"
        again = [f"{t} ({n})" for t, n in _attempts(record).items() if n > 1]
        lines.append(f"{name:<38} {verdict:<8} {record['minutes']:>7.1f}  {', '.join(again)}")
        short = _ended(records, name).get("killed", {})
        lacked = [f"short of memory, {host} had {n} processes killed" for host, n in short.items()]
        said = [fault.does, record["did"], *lacked, *record["failures"]]
        lines += [f"  {sentence}" for sentence in said if sentence]
    memory = [f"\n{_megabytes(records, run)}" for run in MEASURED]
    return "\n".join([*lines, "", _seconds(records), *memory])


def _attempts(record: Record) -> Mapping[str, int]:
    found: Mapping[str, int] = (record.get("ended") or {}).get("attempts", {})
    return found


def _seconds(records: Mapping[str, Record]) -> str:
    """Of each Spark task, on the cluster and on `local[2]`."""
    cluster, local = (_ended(records, name).get("seconds", {}) for name in ("undisturbed", "local"))
    lines = [f"{'seconds of a task':<38} {'cluster':>8} {'local[2]':>8} {'ratio':>6}"]
    lines += [_row(task, cluster.get(task), local.get(task)) for task in SPARK_TASKS]
    return "\n".join(lines)


def _megabytes(records: Mapping[str, Record], run: str) -> str:
    """Of each host in a run: what it held at most, beside the plan; with page cache; its limit."""
    found = _ended(records, run)
    held, plan, used = (found.get(key, {}) for key in ("held_mb", "plan_mb", "peak_mb"))
    heads = f"{'held':>8} {'plan':>8} {'ratio':>6} {'with cache':>11} {'limit':>6}"
    lines = [f"{'megabytes of a host, ' + run:<38} {heads}"]
    for host, limit in HOSTS.items():
        row = _row(host, held.get(host), plan.get(host))
        lines.append(f"{row} {_cell(used.get(host)):>11} {limit:>6}")
    return "\n".join(lines)


def _ended(records: Mapping[str, Record], name: str) -> Mapping[str, Any]:
    return records.get(name, {}).get("ended") or {}


def _row(name: str, value: float | None, beside: float | None) -> str:
    ratio = f"{value / beside:.2f}" if value is not None and beside else "-"
    return f"{name:<38} {_cell(value):>8} {_cell(beside):>8} {ratio:>6}"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
