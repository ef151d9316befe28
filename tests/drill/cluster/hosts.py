"""Several hosts on one machine: network namespaces on a bridge that lies in one of its own.

A host has a network namespace with one link to the bridge, a memory limit (a control group),
a file that says who is who (`/etc/netns/<host>/hosts`), and, for each process, a mount namespace
in which /srv holds what the host has and the checkout is hidden from those that have none.
A host needs no daemon of its own: it is on while its processes run.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from marquee.errors import StackError
from tests.drill.cluster.memory_groups import MemoryGroups, memory_groups

NAMESPACES = Path("/run/netns")
NAMES = Path("/etc/netns")
SUBNET = "10.77.0"
OWNED = re.compile(r"mq-\d+-")
CLONE_NEWNET = 0x40000000  # linux/sched.h
VIEW = """\
set -e
hostname {name}
mount -t tmpfs -o mode=755 tmpfs /srv
{mounts}
cd /srv
exec "$@"
"""
"""What a process of a host runs first, in its own mount and UTS namespaces."""


@dataclass(frozen=True)
class Host:
    """One host as it is planned."""

    name: str
    memory_mb: int
    folders: Mapping[str, Path] = field(default_factory=dict)
    """What the host has below /srv, by its name there; beside them `data` and `tmp` of its own."""
    hidden: tuple[Path, ...] = ()
    """Folders that its processes see empty."""
    kept: tuple[Path, ...] = ()
    """Folders inside of hidden ones that stay, at their own paths."""


def why_not() -> str:
    """Why this machine cannot hold several hosts; empty where it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "the command `ip` (iproute2) is missing"
    probe = f"mq-probe-{os.getpid()}"
    try:
        memory_groups()
        _run("ip", "netns", "add", probe)
        _run("ip", "netns", "exec", probe, "unshare", "--uts", "mount", "-t", "tmpfs", "t", "/srv")
    except StackError as error:
        return error.message
    finally:
        subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return ""


class Network:
    """The hosts of one cluster. All that it makes on the machine is named `mq-<our pid>-…`."""

    def __init__(self, hosts: Sequence[Host], folder: Path) -> None:
        self.prefix = f"mq-{os.getpid()}-"
        self.groups = memory_groups()
        self.hosts = {host.name: host for host in hosts}
        self.folder = folder
        self.addresses = {name: f"{SUBNET}.{10 + n}" for n, name in enumerate(self.hosts)}

    def up(self) -> None:
        """Make bridge, hosts and links. What an interrupted drill left is removed first."""
        remove_abandoned()
        self.down()
        bridge = self.prefix + "bridge"
        _run("ip", "netns", "add", bridge)
        _run("ip", "-n", bridge, "link", "add", "name", "bridge", "type", "bridge")
        _run("ip", "-n", bridge, "link", "set", "bridge", "up")
        for host in self.hosts.values():
            self._make(host)

    def _make(self, host: Host) -> None:
        own, bridge = self.prefix + host.name, self.prefix + "bridge"
        for folder in (self.data(host.name), self._tmp(host.name), self.folder / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        _run("ip", "netns", "add", own)
        link = ("link", "add", "eth0", "netns", own, "type", "veth")
        _run("ip", *link, "peer", "name", host.name, "netns", bridge)
        _run("ip", "-n", bridge, "link", "set", host.name, "master", "bridge", "up")
        address = f"{self.addresses[host.name]}/24"
        _run("ip", "-n", own, "addr", "add", address, "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", own, "link", "set", device, "up")
        (NAMES / own).mkdir(parents=True, exist_ok=True)
        known = "".join(f"{address} {name}\n" for name, address in self.addresses.items())
        (NAMES / own / "hosts").write_text(f"127.0.0.1 localhost\n{known}")
        mounts = "\n".join(self._mounts(host.name))
        self._view(host.name).write_text(VIEW.format(name=host.name, mounts=mounts))
        self.groups.make(own)
        self.limit(host.name, host.memory_mb)

    def down(self) -> None:
        """End every process of every host and remove all that `up` makes."""
        _remove(self.prefix)

    def data(self, name: str) -> Path:
        """The host's disk: the folder that its processes see as /srv/data."""
        return self.folder / "hosts" / name / "data"

    def _tmp(self, name: str) -> Path:
        return self.folder / "hosts" / name / "tmp"

    def _view(self, name: str) -> Path:
        return self.folder / "hosts" / name / "view.sh"

    def start(
        self, name: str, process: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a process on a host; its output is appended to `logs/<host>-<process>.log`."""
        with (self.folder / "logs" / f"{name}-{process}.log").open("ab") as log:
            return subprocess.Popen(
                self._entry(name, command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
        """Run a command on a host to its end; its output, or StackError with its last line."""
        return _run(*self._entry(name, command), environment=environment)

    def _entry(self, name: str, command: Sequence[str]) -> list[str]:
        """The cgroup is entered first: inside of the namespace, /sys shows none."""
        own = self.prefix + name
        script = self._view(name)
        enter = f'echo $$ > {self.groups.root / own / "cgroup.procs"} && exec "$@"'
        inside = ["ip", "netns", "exec", own, "unshare", "--uts", "sh", str(script)]
        return ["sh", "-c", enter, "sh", *inside, *command]

    def _mounts(self, name: str) -> Iterator[str]:
        host = self.hosts[name]
        has = {"data": self.data(name), "tmp": self._tmp(name), **host.folders}
        kept = {f".kept{n}": folder for n, folder in enumerate(host.kept)}
        for target, source in {**has, **kept}.items():
            yield f"mkdir -p /srv/{target}"
            yield f"mount --bind {quote(str(source.resolve()))} /srv/{target}"
        for folder in host.hidden:
            yield f"mount -t tmpfs tmpfs {quote(str(folder))}"
        for target, folder in kept.items():
            yield f"mkdir -p {quote(str(folder))}"
            yield f"mount --bind /srv/{target} {quote(str(folder))}"

    def processes(self, name: str) -> list[int]:
        """The ids of the host's processes."""
        return self.groups.processes(self.prefix + name)

    def kill(self, name: str) -> None:
        """The host loses its power: nobody is told, and nothing of its memory is left."""
        self.cut(name)
        _kill_all(self.groups, self.prefix + name)

    def cut(self, name: str) -> None:
        """Cut the link between the host and the bridge."""
        _run("ip", "-n", self.prefix + "bridge", "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Mend the link that `cut` or `kill` cut."""
        _run("ip", "-n", self.prefix + "bridge", "link", "set", name, "up")

    def limit(self, name: str, megabytes: int) -> None:
        """Set the host's memory; a host that uses more at this moment is refused by the kernel."""
        self.groups.set_limit(self.prefix + name, megabytes)

    def peak_mb(self, name: str) -> float:
        """The most memory that the host has used, page cache included, in megabytes."""
        return self.groups.peak_mb(self.prefix + name)

    def killed(self, name: str) -> int:
        """How many of the host's processes the kernel has killed for want of memory."""
        return self.groups.killed(self.prefix + name)

    def own_mb(self, name: str) -> float:
        """What the host's processes hold now without the pages of files, in megabytes."""
        return self.groups.own_mb(self.prefix + name)

    def listens(self, name: str, port: int) -> bool:
        """Whether a process of the host listens on loopback at `port`."""
        with self.inside(name), socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are the host's; names are not: use addresses."""
        with open("/proc/thread-self/ns/net") as outside:
            _enter(NAMESPACES / (self.prefix + name))
            try:
                yield
            finally:
                _set_namespace(outside.fileno())


def remove_abandoned() -> None:
    """Remove what drills left whose process is no more, with the processes of their hosts."""
    found = [
        path.name
        for place in (memory_groups().root, NAMESPACES, NAMES)
        for path in place.glob("mq-*")
    ]
    owners = {int(name.split("-")[1]) for name in found if OWNED.match(name)}
    for owner in owners:
        if not Path(f"/proc/{owner}").exists():
            _remove(f"mq-{owner}-")


def _remove(prefix: str) -> None:
    groups = memory_groups()
    for folder in groups.root.glob(f"{prefix}*"):
        _kill_all(groups, folder.name)
        folder.rmdir()
    for namespace in NAMESPACES.glob(f"{prefix}*"):
        _run("ip", "netns", "del", namespace.name)
    for names in NAMES.glob(f"{prefix}*"):
        shutil.rmtree(names)


def _enter(namespace: Path) -> None:
    with namespace.open() as opened:
        _set_namespace(opened.fileno())


def _set_namespace(descriptor: int) -> None:
    """setns(2) moves the calling thread alone."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _kill_all(groups: MemoryGroups, name: str, seconds: float = 60) -> None:
    """Kill until nobody is left: a process may fork while it is killed."""
    deadline = time.monotonic() + seconds
    while pids := groups.processes(name):
        if time.monotonic() > deadline:
            raise StackError(f"{name} has processes that do not end: {pids}")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def _run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        what = " ".join(command)
        raise StackError(f"`{what[-200:]}` failed: {said[-1] if said else done.returncode}")
    return done.stdout
