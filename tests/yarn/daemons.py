"""Real daemons of Hadoop on loopback, at free ports: NameNodes, DataNodes, YARN, JournalNodes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local_stack.hdfs import (
    DATANODE_CLASS,
    NAMENODE_CLASS,
    class_path,
    format_namenode,
    shared_values,
    write_conf,
)
from local_stack.java_setup import cache_folder, jar_files, java_home
from local_stack.yarn import (
    NODE_MANAGER_CLASS,
    RESOURCE_MANAGER_CLASS,
    NodeSize,
    daemon_command,
    write_yarn_conf,
    yarn_values,
)
from marquee.settings import load_settings
from tests.cluster.standalone import eventually
from tests.plugins.free_ports import free_port

HDFS_JVM = ("-Xmx96m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
SIZE = NodeSize(memory_mb=3072, cores=4)


@dataclass
class Daemons:
    """Processes by name; each has a log of its name in `folder`."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = load_settings("local")
        self.cache = cache_folder(settings)
        self.home = java_home(self.cache)
        self.jars = jar_files(settings)

    @property
    def java(self) -> Path:
        return self.home / "bin" / "java"

    @property
    def variables(self) -> dict[str, str]:
        own = {"JAVA_HOME": str(self.home), "HADOOP_USER_NAME": "marquee"}
        return {"PATH": os.environ["PATH"], "MALLOC_ARENA_MAX": "2", **own}

    def start(self, name: str, command: list[str], **variables: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=self.variables | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )

    def start_hdfs(self, name: str, java_class: str, conf: Path) -> None:
        classes = class_path(conf, self.jars)
        self.start(name, [str(self.java), *HDFS_JVM, "-cp", classes, java_class])

    def kill(self, name: str) -> None:
        """As a power cut does."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            try:
                self.kill(name)
            except ProcessLookupError:
                continue

    def until(self, holds: Callable[[], bool]) -> None:
        eventually(holds, self.folder)


def answers(url: str) -> bool:
    """Whether a page answers well."""
    try:
        return httpx.get(url, timeout=10, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@dataclass
class Yarn(Daemons):
    """HDFS of one NameNode and one DataNode, and YARN of one of each; `conf` is for all.

    A `host` of its own among the loopback addresses keeps YARN's own ports, by which a driver
    finds the scheduler without a configuration. The NodeManager and its containers see the `hidden`
    folders empty: as on a node that lacks what this machine has.
    """

    host: str = ""
    hidden: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        own = {"rm": 8032, "rm_page": 8088, "scheduler": 8030, "tracker": 8031, "admin": 8033}
        self.ports = {name: port if self.host else free_port() for name, port in own.items()}
        self.ports |= {name: free_port() for name in ("namenode", "page")}
        self.conf = self.folder / "conf"

    def address(self, name: str) -> str:
        host = "127.0.0.1" if name in ("namenode", "page") else self.host or "127.0.0.1"
        return f"{host}:{self.ports[name]}"

    @property
    def webhdfs(self) -> str:
        return f"http://{self.address('page')}"

    @property
    def page(self) -> str:
        return f"http://{self.address('rm_page')}"

    def write(self) -> None:
        core = {
            "fs.defaultFS": f"hdfs://{self.address('namenode')}",
            "hadoop.tmp.dir": str(self.folder / "tmp"),
            "hadoop.http.staticuser.user": "marquee",
        }
        data, free = self.folder / "hdfs", "127.0.0.1:0"
        hdfs = {
            "dfs.replication": "1",
            "dfs.namenode.name.dir": f"file://{data / 'name'}",
            "dfs.datanode.data.dir": f"file://{data / 'blocks'}",
            "dfs.namenode.http-address": self.address("page"),
            "dfs.datanode.hostname": "127.0.0.1",
            **{f"dfs.datanode.{one}address": free for one in ("", "http.", "ipc.")},
            **shared_values(),
        }
        write_conf(self.conf, core, hdfs)
        manager = {"": "rm", "webapp.": "rm_page", "scheduler.": "scheduler"}
        manager |= {"resource-tracker.": "tracker", "admin.": "admin"}
        node = ("", "webapp.", "localizer.")
        ports = {
            f"yarn.resourcemanager.{kind}address": self.address(name)
            for kind, name in manager.items()
        } | {f"yarn.nodemanager.{kind}address": free for kind in node}
        host = {"yarn.nodemanager.hostname": "127.0.0.1"}
        own = yarn_values(self.host or "127.0.0.1", SIZE, self.folder / "yarn")
        write_yarn_conf(self.conf, own | host | ports)

    def up(self) -> None:
        self.write()
        data = self.folder / "hdfs"
        classes = class_path(self.conf, self.jars)
        format_namenode(self.java, classes, data, self.variables)
        self.start_hdfs("namenode", NAMENODE_CLASS, self.conf)
        for name, kind in (
            ("resourcemanager", RESOURCE_MANAGER_CLASS),
            ("nodemanager", NODE_MANAGER_CLASS),
        ):
            command = daemon_command(self.java, kind, self.conf, self.jars)
            if self.hidden and name == "nodemanager":
                command = without(self.hidden, command)
            self.start(name, command, HADOOP_CONF_DIR=str(self.conf), YARN_CONF_DIR=str(self.conf))
        self.until(lambda: answers(f"{self.webhdfs}/webhdfs/v1/?op=LISTSTATUS"))
        self.start_hdfs("datanode", DATANODE_CLASS, self.conf)


def without(folders: Sequence[Path], command: Sequence[str]) -> list[str]:
    """The command in a view of the disk in which these folders are empty; root may make one."""
    mounts = "".join(f"mount -t tmpfs none '{folder}' && " for folder in folders)
    return ["unshare", "--mount", "sh", "-c", f'{mounts}exec "$@"', "sh", *command]


@contextmanager
def yarn(folder: Path, host: str = "", hidden: tuple[Path, ...] = ()) -> Iterator[Yarn]:
    """All daemons up, one NodeManager running; none left at the end."""
    made = Yarn(folder, host=host, hidden=hidden)
    try:
        made.up()
        yield made
    finally:
        made.stop()
