"""HDFS, run from pyspark's jars and a few fetched ones: its classes, configuration and format.

`Stack` writes the configuration of one NameNode and one DataNode on this machine, `host_daemon`
that of a place, where several NameNodes may share a journal. `yarn` is the same for YARN.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from local_stack.java_setup import spark_jars
from marquee.addresses import in_brackets
from marquee.errors import StackError
from marquee.place_settings import LakeSettings
from marquee.settings import Settings

NAMENODE_CLASS = "org.apache.hadoop.hdfs.server.namenode.NameNode"
DATANODE_CLASS = "org.apache.hadoop.hdfs.server.datanode.DataNode"
JOURNALNODE_CLASS = "org.apache.hadoop.hdfs.qjournal.server.JournalNode"
HA_ADMIN_CLASS = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
"""`haadmin`: which NameNode is active, and making another one active."""
COPIES = 2
"""Of each block, where the place does not say; with one DataNode there is one."""
JVM = ("-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Of every daemon: small stacks, and neither threads nor memory for a second compiler."""
JARS_FROM_PYSPARK = (
    "hadoop-client-api-*.jar",
    "hadoop-client-runtime-*.jar",
    "slf4j-api-*.jar",
    "log4j-slf4j2-impl-*.jar",
    "log4j-api-*.jar",
    "log4j-core-*.jar",
    "log4j-1.2-api-*.jar",
    "jcl-over-slf4j-*.jar",
)
LOG4J = """status = error
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
"""


def class_path(conf: Path, jars: list[Path]) -> str:
    """The daemons' class path: configuration folder, fetched jars, pyspark's jars."""
    shipped = [jar for pattern in JARS_FROM_PYSPARK for jar in spark_jars(pattern)]
    return ":".join(map(str, [conf, *jars, *shipped]))


def write_hdfs_conf(settings: Settings, conf: Path, data: Path) -> None:
    """Write `core-site.xml`, `hdfs-site.xml` and `log4j2.properties` into `conf`.

    `data` is the folder in which HDFS keeps its name space and its blocks.
    """
    address = f"127.0.0.1:{settings.stack.port('namenode')}"
    write_conf(conf, core_values(address, settings.lake.user, data), _hdfs(settings, data))


def write_conf(conf: Path, core: dict[str, str], hdfs: dict[str, str]) -> None:
    """Write the values of `core-site.xml` and `hdfs-site.xml`, and `log4j2.properties`."""
    write_values(conf / "core-site.xml", core)
    write_values(conf / "hdfs-site.xml", hdfs)
    (conf / "log4j2.properties").write_text(LOG4J)


def write_values(path: Path, values: dict[str, str]) -> None:
    """Write one of Hadoop's files of values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_xml(values))


def format_namenode(java: Path, class_path: str, data: Path, environment: dict[str, str]) -> None:
    """Format the NameNode's folder unless it is formatted already.

    Raises StackError with the NameNode's last line if that fails.
    """
    current = data / "name" / "current"
    if (current / "VERSION").is_file():
        return
    if not list(current.glob("fsimage*")):  # a killed format left no image
        shutil.rmtree(data / "name", ignore_errors=True)
    command = [str(java), "-Xmx96m", *JVM]
    command += ["-cp", class_path, NAMENODE_CLASS, "-format", "-nonInteractive"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        printed = (done.stdout + done.stderr).strip().splitlines()
        raise StackError(
            f"the NameNode could not be formatted: {printed[-1] if printed else 'no word'}",
            f"look at {data}; an unfinished one may be removed",
        )


def core_values(name_space: str, user: str, data: Path) -> dict[str, str]:
    """`core-site.xml` of the daemons and clients of one HDFS."""
    return {
        "fs.defaultFS": f"hdfs://{name_space}",
        "hadoop.tmp.dir": str(data / "tmp"),
        "hadoop.http.staticuser.user": user,
    }


def _hdfs(settings: Settings, data: Path) -> dict[str, str]:
    port = settings.stack.port
    return {
        "dfs.replication": "1",
        "dfs.namenode.name.dir": f"file://{data / 'name'}",
        "dfs.datanode.data.dir": f"file://{data / 'data'}",
        "dfs.namenode.rpc-bind-host": "127.0.0.1",
        "dfs.namenode.http-address": f"127.0.0.1:{port('namenode_http')}",
        "dfs.datanode.hostname": "127.0.0.1",
        "dfs.datanode.address": f"127.0.0.1:{port('datanode')}",
        "dfs.datanode.http.address": f"127.0.0.1:{port('datanode_http')}",
        "dfs.datanode.ipc.address": f"127.0.0.1:{port('datanode_ipc')}",
        **shared_values(),
    }


def core_site(settings: Settings, data: Path) -> dict[str, str]:
    """`core-site.xml` of a place."""
    return core_values(_name_space(settings), settings.lake.user, data)


def hdfs_site(settings: Settings, data: Path) -> dict[str, str]:
    """`hdfs-site.xml` of a place: ports as Hadoop's own, every interface, times of the stack."""
    return {
        "dfs.replication": str(settings.lake.replication or COPIES),
        "dfs.namenode.name.dir": f"file://{data / 'name'}",
        "dfs.datanode.data.dir": f"file://{data / 'blocks'}",
        "dfs.namenode.rpc-bind-host": "0.0.0.0",
        "dfs.namenode.http-bind-host": "0.0.0.0",
        "dfs.namenode.http-address": urlsplit(settings.lake.webhdfs.split(";")[0]).netloc,
        **nameservice_values(settings.lake, data),
        **shared_values(),
    }


def _name_space(settings: Settings) -> str:
    """`host:port` of the lake's NameNode, or the name of several; StackError for another root."""
    if settings.lake.namenodes:
        return urlsplit(settings.lake.root).netloc
    for host, port in settings.lake.rpc_addresses:
        return f"{in_brackets(host)}:{port}"
    raise StackError(
        f"lake.root is {settings.lake.root}, which no NameNode serves",
        "set MARQUEE_PLACE to a place with hdfs://host:port/path",
    )


def nameservice_values(lake: LakeSettings, data: Path) -> dict[str, str]:
    """`hdfs-site.xml` of several NameNodes that share one journal; empty for one NameNode.

    A person makes a standby active (`haadmin`): no ZooKeeper runs on a shelf. The journal refuses
    what the former one still writes, so nothing has to be fenced.

    Raises StackError where a NameNode has no page, or the place names no JournalNode.
    """
    if not lake.namenodes:
        return {}
    if len(lake.pages) != len(lake.namenodes) or not lake.journals:
        raise StackError(
            f"{len(lake.namenodes)} NameNodes have {len(lake.pages)} pages and "
            f"{len(lake.journals)} JournalNodes",
            "name in [lake] a `webhdfs` for each (joined by ;), and one or three `journals`",
        )
    service = urlsplit(lake.root).netloc
    pages = {
        f"dfs.namenode.http-address.{service}.nn{number}": urlsplit(page).netloc
        for number, page in enumerate(lake.pages)
    }
    journals = ";".join(lake.journals)
    return {
        **lake.client_values,
        **pages,
        "dfs.namenode.shared.edits.dir": f"qjournal://{journals}/{service}",
        "dfs.journalnode.edits.dir": str(data / "journal"),
        "dfs.ha.fencing.methods": "shell(/bin/true)",
        "dfs.ha.automatic-failover.enabled": "false",
        # A standby reads the journal every few seconds; by default it waits for two minutes.
        "dfs.ha.tail-edits.period": "2s",
    }


def shared_values() -> dict[str, str]:
    """What every HDFS of ours has, on one machine or on many: durability and short waits."""
    return {
        # An acknowledged write survives a power cut: block, checksums and folder are synced first.
        # The NameNode syncs its edit log by default.
        "dfs.datanode.synconclose": "true",
        # A write waits for the report of its last block: ask again after 5 ms instead of 400 ms.
        "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "5",
        "dfs.client.block.write.locateFollowingBlock.retries": "12",
        # Leave safe mode once all blocks are reported; notice a dead DataNode within seconds.
        "dfs.namenode.safemode.extension": "0",
        "dfs.heartbeat.interval": "1",
        "dfs.namenode.heartbeat.recheck-interval": "3000",
        "dfs.namenode.stale.datanode.interval": "3000",
        "dfs.namenode.stale.datanode.minimum.interval": "2",
        "dfs.namenode.avoid.read.stale.datanode": "true",
        "dfs.namenode.avoid.write.stale.datanode": "true",
        "dfs.namenode.datanode.registration.ip-hostname-check": "false",
    }


def _xml(values: dict[str, str]) -> str:
    rows = (
        f"  <property><name>{escape(k)}</name><value>{escape(v)}</value></property>\n"
        for k, v in values.items()
    )
    return f'<?xml version="1.0"?>\n<configuration>\n{"".join(rows)}</configuration>\n'
