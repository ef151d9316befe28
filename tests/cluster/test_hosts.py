"""Hosts in network namespaces: who reaches whom, what a host sees, what is left of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marquee.errors import StackError
from tests.drill.cluster.hosts import (
    NAMES,
    NAMESPACES,
    Host,
    Network,
    remove_abandoned,
    why_not,
)
from tests.drill.cluster.memory import held_mb
from tests.drill.cluster.memory_groups import memory_groups

PYTHON = str(Path(sys.executable).resolve())
"""The interpreter itself, outside of every checkout."""
PATH = {"PATH": "/usr/bin:/bin"}
SECONDS = 60  # until something that does not come is given up
EATER = "x = []\nwhile True: x.append(bytearray(2**20))"
HOLDER = "x = bytearray(b'x') * (20 * 2**20); import time; time.sleep(600)"  # never twice 20 MB
ASK = (
    "import sys, urllib.request; "
    "print(urllib.request.urlopen(f'http://site:{sys.argv[1]}/', timeout=2).status)"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Two hosts, one of which does not see the folder that both are in."""
    if reason := why_not():
        pytest.skip(f"this machine cannot hold several hosts: {reason}")
    folder = tmp_path_factory.mktemp("hosts")
    shared, hidden = folder / "shared", folder / "secret"
    for path in (shared, hidden):
        path.mkdir()
        (path / "note").write_text(path.name)
    hosts = [Host("site", 100, {"shared": shared}), Host("reader", 60, hidden=(hidden,))]
    network = Network(hosts, folder)
    try:
        network.up()
        yield network
    finally:
        network.down()
    assert left_of(network.prefix) == []


def left_of(prefix: str) -> list[str]:
    places = (memory_groups().root, NAMESPACES, NAMES)
    return [path.name for place in places for path in place.glob(f"{prefix}*")]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def site(network: Network) -> Iterator[int]:
    """The port of a web server on `site`."""
    command = [PYTHON, "-m", "http.server", "8099", "--bind", "0.0.0.0"]
    process = network.start("site", "web", command, PATH)
    until(lambda: network.listens("site", 8099))
    yield 8099
    process.kill()
    process.wait()
    network.mend("site")


def ask(network: Network, port: int) -> str:
    return network.run("reader", [PYTHON, "-c", ASK, str(port)], PATH).strip()


def test_a_host_is_reached_by_name_until_its_link_is_cut(network: Network, site: int) -> None:
    assert ask(network, site) == "200"
    network.cut("site")
    with pytest.raises(StackError, match="failed"):
        ask(network, site)
    network.mend("site")
    assert ask(network, site) == "200"


def test_a_thread_inside_a_host_opens_the_hosts_sockets(network: Network, site: int) -> None:
    with network.inside("reader"):
        address = (network.addresses["site"], site)
        with socket.create_connection(address, timeout=10) as inside:
            assert inside.getsockname()[0] == network.addresses["reader"]
    assert not network.listens("reader", site)


def test_a_host_sees_what_it_has_and_its_own_name(network: Network) -> None:
    assert network.run("site", ["cat", "/srv/shared/note"], PATH) == "shared"
    assert network.run("site", ["uname", "-n"], PATH) == "site\n"
    hidden = network.folder / "secret"
    assert network.run("site", ["ls", str(hidden)], PATH) == "note\n"
    assert network.run("reader", ["ls", str(hidden)], PATH) == ""
    network.run("reader", ["touch", "/srv/data/written"], PATH)
    assert (network.data("reader") / "written").is_file()
    assert network.run("site", ["ls", "/srv/data"], PATH) == ""
    assert (hidden / "note").is_file()


def test_a_process_that_takes_more_than_its_host_has_is_killed(network: Network) -> None:
    eater = network.start("reader", "eater", [PYTHON, "-c", EATER], PATH)
    assert eater.wait(SECONDS) == -signal.SIGKILL
    assert 30 < network.peak_mb("reader") <= 60
    assert (network.killed("reader"), network.killed("site")) == (1, 0)


def test_what_a_host_holds_is_counted_without_the_cache_of_files(network: Network) -> None:
    network.run("site", ["dd", "if=/dev/zero", "of=/srv/data/file", "bs=1M", "count=60"], PATH)
    before = held_mb(network, "site")
    holder = network.start("site", "holder", [PYTHON, "-c", HOLDER], PATH)
    try:
        until(lambda: held_mb(network, "site") > before + 20)
        assert held_mb(network, "site") < 50 < network.peak_mb("site")
    finally:
        holder.kill()
        holder.wait()


def test_a_host_that_loses_its_power_has_no_process(network: Network, site: int) -> None:
    assert len(network.processes("site")) == 1
    network.kill("site")
    assert network.processes("site") == []
    with pytest.raises(StackError):
        ask(network, site)


def test_what_a_killed_drill_left_is_removed(network: Network, tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    abandoned = f"mq-{gone.pid}-worker1"
    subprocess.run(["ip", "netns", "add", abandoned], check=True)
    group = memory_groups().root / abandoned
    group.mkdir()
    sleeper = subprocess.Popen(["sleep", "600"])
    (group / "cgroup.procs").write_text(str(sleeper.pid))
    own = left_of(network.prefix)
    remove_abandoned()
    assert left_of(abandoned) == []
    assert sleeper.wait(SECONDS) == -signal.SIGKILL
    assert left_of(network.prefix) == own != []
    assert network.prefix == f"mq-{os.getpid()}-"
