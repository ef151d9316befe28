"""Two real NameNodes with one journal: the active one is killed, and all go on with the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

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
from marquee.errors import StackError
from marquee.lake import Lake, open_lake
from marquee.settings import Settings, load_settings
from tests.cluster.standalone import free_port
from tests.plugins.airflow_process import found_by
from tests.yarn.daemons import Daemons

pytestmark = [pytest.mark.timeout(1800), pytest.mark.hdfs]
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


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("pair"))
    try:
        made.up()
        yield made
    finally:
        made.stop()


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


def test_all_go_on_with_the_other_namenode(pair: Pair, tmp_path: Path) -> None:
    lake = lake_of(pair.settings)
    lake.create("before", b"first")
    assert of_the_jvm(pair, "before") == "first"

    pair.kill("nn0")
    pair.run(
        pair.folder / "nn1" / "conf", HA_ADMIN_CLASS, "-transitionToActive", "--forceactive", "nn1"
    )
    pair.until(lambda: pair.state(1) == "active")
    lake.create("after", b"second")
    assert lake.read_bytes("before") == b"first"
    assert lake_of(pair.settings).names("") == [".staging", "after", "before"]
    assert of_the_jvm(pair, "after") == "second"
    assert of_a_task(pair, "after", tmp_path) == "second"

    # The former one comes back as a standby, and a client that asks it first is sent on.
    pair.start_hdfs("nn0", NAMENODE_CLASS, pair.folder / "nn0" / "conf")
    pair.until(lambda: pair.state(0) == "standby")
    assert lake_of(pair.settings).read_bytes("after") == b"second"
    assert of_the_jvm(pair, "before") == "first"


def test_airflow_asks_both(pair: Pair, tmp_path: Path) -> None:
    made = json.loads(airflow_environment(pair.settings, tmp_path)["AIRFLOW_CONN_HDFS_LAKE"])
    hosts = [f"127.0.0.1:{pair.ports[name]}" for name in ("page0", "page1")]
    assert made["host"].split(",") == hosts
    assert made["extra"]["root"] == "hdfs://shelf/marquee"


def test_a_place_without_journals_is_refused(pair: Pair, tmp_path: Path) -> None:
    lake = pair.settings.lake.model_copy(update={"journals": ()})
    with pytest.raises(StackError, match="2 NameNodes have 2 pages and 0 JournalNodes"):
        nameservice_values(lake, tmp_path)
