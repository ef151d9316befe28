"""The plan that the cluster drill's memory stands beside is that of `marquee plan`."""

from __future__ import annotations

from pathlib import Path

from marquee.host_needs import DAEMONS, DataSize
from marquee.role_needs import executor_need
from tests.drill.cluster.cluster import HOSTS, WORKERS
from tests.drill.cluster.environments import place_settings, write_place
from tests.drill.cluster.memory import executor_mb, plan_mb

SMALL = DataSize.of(20_000)


def test_every_host_of_the_drill_has_a_plan(tmp_path: Path) -> None:
    settings = place_settings(write_place(tmp_path, "sqlite"), {})
    plan = plan_mb(settings, WORKERS)
    assert plan.keys() == HOSTS.keys()
    assert plan["namenode"] == DAEMONS["namenode"]
    assert all(plan[host] < limit for host, limit in HOSTS.items())  # the hosts are large enough


def test_an_executor_holds_what_its_tasks_fill_and_never_more_than_its_heap() -> None:
    assert executor_mb(SMALL, 1500, 3) < executor_need(SMALL, 1500, 3)
    assert executor_mb(SMALL, 100, 3) == executor_need(SMALL, 100, 3)
    assert executor_mb(SMALL, 1500, 1) > executor_mb(SMALL, 1500, 3)
