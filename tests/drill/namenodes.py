"""Two real NameNodes with one journal: the active one is killed, and all go on with the other.

The lake's client, Spark's client of HDFS and a task of Airflow's read and write before, after, and
once the former one is back as a standby.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from local_stack.environment import airflow_environment
from local_stack.hdfs import (
    DATANODE_CLASS,
    HA_ADMIN_CLASS,
    JOURNALNODE_CLASS,
    NAMENODE_CLASS,
    class_path,
    format_namenode,
    nameservice_values,
    shared_values,
    write_conf,
)
from marquee.lake import Lake, open_lake
from marquee.settings import Settings, load_settings
from tests.drill.rounds import Drill, Figures
from tests.plugins.airflow_process import found_by
from tests.plugins.free_ports import free_port
from tests.yarn.daemons import Daemons

PLACE = """
[lake]
root = "hdfs://shelf/marquee"
webhdfs = "http://127.0.0.1:{page0};http://127.0.0.1:{page1}"
namenodes = ["127.0.0.1:{rpc0}", "127.0.0.1:{rpc1}"]
journals = ["127.0.0.1:{journal}"]
replication = 1

[spark]
master = "spark://127.0.0.1:7077"
"""
SHELL = "org.apache.hadoop.fs.FsShell"
READ_BY_A_TASK = """
import json, os
os.environ["AIRFLOW_CONN_HDFS_LAKE"] = {connection!r}
from marquee_airflow.runs import open_lake
import marquee.lake as lakes
lakes.check_world = lambda lake, world: None  # no run has loaded one
found = open_lake().read_bytes("{path}").decode()
"""


@dataclass
class Pair(Daemons):
    """Two NameNodes, a DataNode and a JournalNode; `settings` are the place's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("page0", "page1", "rpc0", "rpc1", "journal", "journal_page")
        self.ports = {name: free_port() for name in names}
        file = self.folder / "shelf.toml"
        file.write_text(PLACE.format(**self.ports))
        self.settings = load_settings(str(file))

    def write(self, name: str) -> Path:
        """The configuration of one daemon, and its folder."""
        conf, data = self.folder / name / "conf", self.folder / name
        core = {"fs.defaultFS": "hdfs://shelf", "hadoop.tmp.dir": str(data / "tmp")}
        free = "127.0.0.1:0"
        own = {
            "dfs.namenode.name.dir": f"file://{data / 'name'}",
            "dfs.datanode.data.dir": f"file://{data / 'blocks'}",
            "dfs.datanode.hostname": "127.0.0.1",
            **{f"dfs.datanode.{one}address": free for one in ("", "http.", "ipc.")},
            "dfs.journalnode.rpc-address": f"127.0.0.1:{self.ports['journal']}",
            "dfs.journalnode.http-address": f"127.0.0.1:{self.ports['journal_page']}",
            "dfs.ha.namenode.id": name if name.startswith("nn") else "",
        }
        made = nameservice_values(self.settings.lake, data) | shared_values()
        write_conf(conf, core, made | {key: value for key, value in own.items() if value})
        return conf

    def run(self, conf: Path, java_class: str, *words: str) -> str:
        """What a command of Hadoop's prints; an error where it fails."""
        command = [str(self.java), "-Xmx96m", "-XX:TieredStopAtLevel=1", "-cp"]
        command += [class_path(conf, self.jars), java_class, *words]
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    def state(self, number: int) -> str:
        """`active`, `standby`, or "" where that NameNode does not answer."""
        bean = "Hadoop:service=NameNode,name=NameNodeStatus"
        page = f"http://127.0.0.1:{self.ports[f'page{number}']}/jmx?qry={bean}"
        try:
            return str(httpx.get(page, timeout=10, trust_env=False).json()["beans"][0]["State"])
        except (httpx.HTTPError, ValueError, LookupError):
            return ""

    def up(self) -> None:
        """As docs/guides/yarn.md says."""
        first, second = self.write("nn0"), self.write("nn1")
        self.start_hdfs("journal", JOURNALNODE_CLASS, self.write("journal"))
        self.until(lambda: bool(answer(self.ports["journal_page"])))
        format_namenode(self.java, class_path(first, self.jars), first.parent, self.variables)
        self.start_hdfs("nn0", NAMENODE_CLASS, first)
        self.until(lambda: self.state(0) == "standby")
        self.run(second, NAMENODE_CLASS, "-bootstrapStandby", "-force", "-nonInteractive")
        self.start_hdfs("nn1", NAMENODE_CLASS, second)
        self.start_hdfs("datanode", DATANODE_CLASS, self.write("datanode"))
        self.until(lambda: self.state(1) == "standby")  # haadmin asks the other one too
        self.run(first, HA_ADMIN_CLASS, "-transitionToActive", "nn0")
        self.until(lambda: self.state(0) == "active" and self.state(1) == "standby")


def answer(port: int) -> str:
    """What a page says; "" where nobody answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/jmx", timeout=10, trust_env=False).text
    except httpx.HTTPError:
        return ""


def lake_of(settings: Settings) -> Lake:
    return open_lake(settings.lake.root, settings.lake.webhdfs, settings.lake.user)


def of_the_jvm(pair: Pair, path: str) -> str:
    """A file as Spark's client of HDFS reads it, with the settings' values alone."""
    conf = pair.folder / "client"
    write_conf(conf, {}, pair.settings.lake.client_values)
    printed = pair.run(conf, SHELL, "-cat", f"{pair.settings.lake.root}/{path}")
    return printed.splitlines()[-1]  # below the client's own warnings


def of_a_task(pair: Pair, path: str, folder: Path) -> str:
    """A file as Airflow's tasks read it, through the connection that the place makes."""
    connection = airflow_environment(pair.settings, folder)["AIRFLOW_CONN_HDFS_LAKE"]
    return str(found_by(READ_BY_A_TASK.format(connection=connection, path=path), folder))


def switch(pair: Pair) -> None:
    """Kill the active NameNode, as a power cut does, and make the other one active."""
    pair.kill("nn0")
    conf = pair.folder / "nn1" / "conf"
    pair.run(conf, HA_ADMIN_CLASS, "-transitionToActive", "--forceactive", "nn1")
    pair.until(lambda: pair.state(1) == "active")


def failures(pair: Pair, folder: Path) -> list[str]:
    """What did not hold, by what was read of whom."""
    lake, found = lake_of(pair.settings), dict[str, bool]()
    lake.create("before", b"first")
    found["Spark's client, before"] = of_the_jvm(pair, "before") == "first"
    switch(pair)
    lake.create("after", b"second")
    found["the lake's client, which was open"] = lake.read_bytes("before") == b"first"
    found["a new client of the lake"] = lake_of(pair.settings).read_bytes("after") == b"second"
    found["Spark's client, after"] = of_the_jvm(pair, "after") == "second"
    found["a task of Airflow's"] = of_a_task(pair, "after", folder) == "second"
    pair.start_hdfs("nn0", NAMENODE_CLASS, pair.folder / "nn0" / "conf")
    pair.until(lambda: pair.state(0) == "standby")
    found["the lake, asking the standby first"] = (
        lake_of(pair.settings).read_bytes("after") == b"second"
    )
    found["Spark, asking the standby first"] = of_the_jvm(pair, "before") == "first"
    return [f"{who} did not read what was written" for who, well in found.items() if not well]


def run(_seed: int, _count: int, _folder: Path) -> Figures:
    """One change of the active NameNode."""
    with tempfile.TemporaryDirectory(prefix="namenodes-") as folder:
        pair = Pair(Path(folder))
        try:
            pair.up()
            wrong = failures(pair, Path(folder))
        finally:
            pair.stop()
    print("\n".join(wrong), end="", flush=True)
    return {"changes": 1, "failures": len(wrong)}


NAMENODES = Drill("the active NameNode is killed: lake, Spark and Airflow go on", 1, 1, run)
