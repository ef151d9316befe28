"""Which version of control groups holds the memory of a machine, and what is read from it; the
machine is a folder made up for the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from marquee.errors import StackError
from tests.drill.cluster.memory_groups import memory_groups

HALF = str(512 * 2**20)


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_version_1_is_taken_where_it_has_the_memory(tmp_path: Path) -> None:
    write(tmp_path / "memory", {"memory.limit_in_bytes": HALF})
    write(tmp_path / "unified", {"cgroup.controllers": ""})  # both versions are there
    groups = memory_groups(tmp_path)
    groups.make("host")
    groups.set_limit("host", 64)
    host = tmp_path / "memory" / "host"
    assert (host / "memory.limit_in_bytes").read_text() == str(64 * 2**20)
    stat = f"cache 99999999999\nrss 1\ntotal_rss {HALF}\ntotal_shmem {2**20}\n"
    write(host, {"memory.max_usage_in_bytes": HALF, "memory.stat": stat, "cgroup.procs": "7\n9\n"})
    assert (groups.peak_mb("host"), groups.own_mb("host")) == (512, 513)
    assert groups.processes("host") == [7, 9]
    write(host, {"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"})
    assert groups.killed("host") == 3


def test_version_2_limits_with_memory_max(tmp_path: Path) -> None:
    controls = {"cgroup.controllers": "cpu memory pids", "cgroup.subtree_control": "cpu pids"}
    write(tmp_path, controls)
    groups = memory_groups(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    groups.make("host")
    groups.set_limit("host", 64)
    host = tmp_path / "host"
    assert (host / "memory.max").read_text() == str(64 * 2**20)
    stat = f"anon {HALF}\nfile 99999999999\nshmem {2**20}\n"
    write(host, {"memory.peak": HALF, "memory.stat": stat})
    assert (groups.peak_mb("host"), groups.own_mb("host")) == (512, 513)
    write(host, {"memory.events": "low 0\noom 9\noom_kill 3\noom_group_kill 0\n"})
    assert groups.killed("host") == 3
    (host / "memory.peak").unlink()  # before Linux 5.19
    write(host, {"memory.current": str(2**20)})
    assert groups.peak_mb("host") == 1


def test_version_2_that_passes_memory_on_is_left_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"cgroup.controllers": "memory", "cgroup.subtree_control": "memory pids"})
    memory_groups(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "memory pids"


def test_a_machine_without_memory_groups_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no writable memory group, neither of version 1 nor of 2"):
        memory_groups(tmp_path)
    write(tmp_path, {"cgroup.controllers": "cpu pids"})
    with pytest.raises(StackError, match="no writable memory group"):
        memory_groups(tmp_path)
    write(tmp_path, {"cgroup.controllers": "memory"})
    (tmp_path / "cgroup.subtree_control").mkdir()  # a container's root: the kernel refuses
    with pytest.raises(StackError, match="of version 2 that gives no memory limits"):
        memory_groups(tmp_path)
