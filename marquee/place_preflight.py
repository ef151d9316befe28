"""What a weekly run asks the hosts of its place before its first Spark job, within seconds.

Like `marquee.host_checks`, whose HDFS it asks, it names a host and what to do there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from marquee.addresses import host_and_port
from marquee.deadlines import at_once
from marquee.errors import AwayError
from marquee.host_checks import (
    UNREADABLE,
    Finding,
    check_clocks,
    check_hdfs,
    check_ports,
    check_version,
    host_of,
)
from marquee.place_settings import (
    RESOURCE_MANAGER_PORT,
    LakeSettings,
    SparkSettings,
    megabytes,
)
from marquee.resource_manager import listed, read_cluster, room_of
from marquee.settings import Settings
from marquee.spark_master import read_state, worker_pages

SECONDS_FOR_PAGES = 35.0
"""For the pages of all masters; two are read of each."""
LEAST_DISK_MB = 1152
"""Free megabytes with which a DataNode still takes a block: it counts 128 MB for each, and keeps
1 GB more free (Hadoop 3.4, `RoundRobinVolumeChoosingPolicy`). The NameNode does not know that, and
goes on choosing a DataNode with less, which refuses every block; only its own log says why."""


def check_masters(spark: SparkSettings) -> Iterator[Finding]:
    """Whether a Standalone master is in charge, with a worker that can hold an executor.

    Also its version and the clocks of all that answer.
    """
    yield from check_ports(spark.masters, "Spark master", "[spark] master")
    masters = ask_masters(spark.pages)
    for state, findings in masters.values():
        yield from findings if state else map(_as_warning, findings)
    states = {page: state for page, (state, _) in masters.items() if state}
    if not states:
        return
    yield from check_clocks(clock_pages(states))
    workers = [
        one
        for state in states.values()
        for one in state.get("workers", ())
        if state.get("status") == "ALIVE" and one.get("state") == "ALIVE"
    ]
    needed = megabytes(spark.executor_memory)
    fits = [one for one in workers if one["memory"] >= needed and one["cores"] > 0]
    asked = ", ".join(spark.pages)
    detail = f"{len(fits)} of {len(workers)} alive can hold {needed} MB, says {asked}"
    remedy = "start a worker with this master, or lower [spark] executor_memory"
    yield Finding("Spark workers", bool(fits), detail, remedy)


def ask_masters(pages: Sequence[str]) -> dict[str, tuple[dict[str, Any] | None, list[Finding]]]:
    """Each master's state and the finding of its version, by page; all are asked at once.

    The state is None, and the finding failed, where a page is closed or silent.
    """

    def ask(page: str) -> tuple[dict[str, Any] | None, list[Finding]]:
        try:
            return read_state(page), list(check_version(page))
        except AwayError as error:
            return None, [Finding(f"Spark's page {page}", False, error.message, error.remedy)]

    found = at_once([partial(ask, page) for page in pages], SECONDS_FOR_PAGES)
    return {p: one or (None, [_silent(p)]) for p, one in zip(pages, found, strict=True)}


def _silent(page: str) -> Finding:
    host = host_of(page)
    return Finding(f"Spark's page {page}", False, f"{host} gave no answer", f"is {host} up?")


def clock_pages(states: Mapping[str, dict[str, Any]]) -> list[str]:
    """The pages of the masters that answered, and of the living workers that they name."""
    return [*states, *(page for state in states.values() for page in worker_pages(state))]


def _as_warning(finding: Finding) -> Finding:
    """A page that does not answer is a warning: Spark itself may reach who is behind it."""
    return replace(finding, remedy="correct [spark] master_pages", warning=True)


def check_yarn_room(spark: SparkSettings) -> Iterator[Finding]:
    """Whether the ResourceManager listens, and a NodeManager can hold an executor."""
    if spark.resource_manager:
        address = host_and_port(spark.resource_manager, RESOURCE_MANAGER_PORT)
        yield from check_ports([address], "ResourceManager", "[spark] resource_manager")
    answers = at_once([partial(_nodes, page) for page in spark.pages])
    nodes: list[dict[str, Any]] = []
    for page, found in zip(spark.pages, answers, strict=True):
        if found is None or isinstance(found, str):
            detail = found or f"{host_of(page)} gave no answer"
            yield _as_warning(Finding(f"YARN's page {page}", False, detail))
        else:
            nodes += [one for one in found if one["state"] == "RUNNING"]
    if not any(isinstance(found, list) for found in answers):
        return
    needed = megabytes(spark.executor_memory)
    fits = [one for one in nodes if room_of(one)[0] >= needed]
    detail = f"{len(fits)} of {len(nodes)} running can hold {needed} MB, says "
    remedy = "start a NodeManager with this ResourceManager, or lower [spark] executor_memory"
    yield Finding("NodeManagers", bool(fits), detail + ", ".join(spark.pages), remedy)


def _nodes(page: str) -> list[dict[str, Any]] | str:
    try:
        return listed(read_cluster(page, "nodes"), "nodes", "node")
    except AwayError as error:
        return error.message


def require_hosts(settings: Settings, root: str) -> None:
    """`require_place` for a step that is about to work on the lake at `root`.

    This machine's own HDFS, a folder, and Spark in the driver are not asked.
    """
    is_elsewhere = root == settings.lake.root and not settings.runs_hdfs
    require_place(settings.lake if is_elsewhere else None, settings.spark)


def require_place(lake: LakeSettings | None, spark: SparkSettings) -> None:
    """Raise AwayError for what keeps a run from working; print every finding that failed.

    A lake of None is not asked: it is this machine's own, or another than the settings name.
    """
    hdfs = list(check_hdfs(lake, LEAST_DISK_MB, copies=1)) if lake else []
    masters: list[Finding] = []
    try:
        masters += check_yarn_room(spark) if spark.on_yarn else check_masters(spark)
    except UNREADABLE as error:
        print(f"what Spark's page says cannot be read ({type(error).__name__})", flush=True)
    many = bool(lake and len(lake.rpc_addresses) > 1), len(spark.masters) > 1
    found = _spared(hdfs, many[0], "active NameNode", ("NameNode ", "WebHDFS "))
    found += _spared(masters, many[1], "Spark workers", ("Spark master ",))
    wrong = [one for one in found if not one.passed]
    for one in wrong:
        print(f"{'warning: ' if one.warning else ''}{one}", flush=True)
    if fatal := [one for one in wrong if not one.warning]:
        first, more = fatal[0], f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
        raise AwayError(f"{first.name}: {first.detail}{more}", first.remedy)


def _spared(
    found: list[Finding], are_many: bool, in_charge: str, names: tuple[str, ...]
) -> list[Finding]:
    """The findings, where one of several hosts that is lost beside one in charge is a warning."""
    is_led = are_many and any(one.name == in_charge and one.passed for one in found)
    spared = [one for one in found if is_led and one.name.startswith(names)]
    return [replace(one, warning=True) if one in spared else one for one in found]
