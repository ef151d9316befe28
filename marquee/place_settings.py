"""The settings of a place: where HDFS, Spark and Airflow's database are, and how to reach them.

`marquee.settings` puts these sections into its tree. A place is one TOML file. No other module
decides from the name of a place what to start or which address to use.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from marquee.addresses import HOST, check_page, host_and_port, in_brackets
from marquee.errors import SettingsError

NUMBER = "[1-9][0-9]{0,5}"
LOCAL_MASTER = rf"local(\[({NUMBER}|\*)( *, *{NUMBER})?\])?"
OTHER_MASTER = rf"yarn|local-cluster\[ *{NUMBER} *, *{NUMBER} *, *{NUMBER} *\]"
STANDALONE = rf"spark://{HOST}:[0-9]+(,{HOST}:[0-9]+)*"
MASTER = re.compile(rf"{LOCAL_MASTER}|{OTHER_MASTER}|{STANDALONE}")
NAMENODE_PORT = 8020
FAILOVER = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
"""HDFS's client asks the first NameNode, and the next one where that is a standby or away."""
MEMORY = re.compile("([0-9]{1,7})(?:([kmgt])b?)?", re.IGNORECASE)
MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
MASTER_PAGE_PORT = 8080
"""The port of a Standalone master's page, where `[spark] master_pages` is empty."""
RESOURCE_MANAGER_PORT, RESOURCE_MANAGER_PAGE_PORT = 8032, 8088
"""YARN's own, where `[spark] resource_manager` and `master_pages` name no port."""


class Section(BaseModel):
    """A frozen table of settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object) -> object:
        """Refuse the character NUL: no path, address or command can hold it."""
        words = value if isinstance(value, list) else [value]
        if any(isinstance(word, str) and "\0" in word for word in words):
            raise ValueError("holds the character NUL")
        return value


def megabytes(memory: str) -> int:
    """A heap as Spark reads it (`700m`, `1g`; without a unit megabytes), in megabytes.

    Raises ValueError for anything else.
    """
    found = MEMORY.fullmatch(memory)
    if not found:
        raise ValueError(f"'{memory[:40]}' is no size of a heap; write 700m or 1g")
    return int(int(found[1]) * MEGABYTES[(found[2] or "m").lower()])


class LakeSettings(Section):
    """The address of the lake."""

    root: str
    webhdfs: str
    namenodes: tuple[str, ...]
    journals: tuple[str, ...]
    user: str
    replication: int = Field(ge=0, le=16)
    shared_folder: bool
    drill: bool

    @field_validator("webhdfs")
    @classmethod
    def _addresses_are_whole(cls, value: str) -> str:
        for address in filter(None, value.split(";")):
            check_page(address)
            if not urlsplit(address).port:
                raise ValueError(f"'{address}' is not http://host:port; several are joined by ';'")
        return value

    @field_validator("root")
    @classmethod
    def _root_is_an_address(cls, value: str) -> str:
        if value.startswith("hdfs://"):
            host_and_port(value.removeprefix("hdfs://").partition("/")[0], NAMENODE_PORT)
        elif not value.startswith("file:///"):
            raise ValueError(f"'{value}' is neither hdfs://host:port/… nor file:///…")
        return value

    @field_validator("namenodes", "journals")
    @classmethod
    def _hosts_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            host_and_port(address, NAMENODE_PORT)
        return value

    @model_validator(mode="after")
    def _nameservice_has_no_port(self) -> LakeSettings:
        if self.namenodes and urlsplit(self.root).port:
            raise ValueError("with `namenodes`, the root names their nameservice, without a port")
        return self

    @property
    def is_on_loopback(self) -> bool:
        """Whether the NameNode is one of this machine, as that of a local stack is."""
        return self.root.startswith("hdfs://127.0.0.1:")

    @property
    def pages(self) -> tuple[str, ...]:
        """The HTTP address of each NameNode; empty for a folder."""
        if not self.root.startswith("hdfs://"):
            return ()
        return tuple(filter(None, (one.rstrip("/") for one in self.webhdfs.split(";"))))

    @property
    def rpc_addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each NameNode's RPC server; empty for a folder."""
        if not self.root.startswith("hdfs://"):
            return ()
        given = self.namenodes or (urlsplit(self.root).netloc,)
        return tuple(host_and_port(one, NAMENODE_PORT) for one in given)

    @property
    def client_values(self) -> dict[str, str]:
        """What HDFS's client in a JVM must know: copies of each block, NameNodes of a nameservice.

        The keys are those of hdfs-default.xml (Hadoop 3.4).
        """
        found = {"dfs.replication": str(self.replication)} if self.replication else {}
        if self.namenodes:
            service = urlsplit(self.root).netloc
            names = [f"nn{number}" for number in range(len(self.namenodes))]
            found["dfs.nameservices"] = service
            found[f"dfs.ha.namenodes.{service}"] = ",".join(names)
            found[f"dfs.client.failover.proxy.provider.{service}"] = FAILOVER
            for name, address in zip(names, self.namenodes, strict=True):
                found[f"dfs.namenode.rpc-address.{service}.{name}"] = address
        return found


class SparkSettings(Section):
    """Memory, cores and master of a Spark job; where its driver and its workers are."""

    master: str
    deploy_mode: Literal["client", "cluster"]
    master_pages: tuple[str, ...]
    resource_manager: str
    queue: str = Field(pattern=r"^[\w.-]*$")
    yarn_jars: str = Field(pattern=r"^((local|hdfs|file):/\S+)?$")
    driver_memory: str
    executor_memory: str
    driver_overhead: str
    executor_overhead: str
    java_options: str
    shuffle_partitions: int = Field(ge=1)
    cores: int = Field(ge=0)
    resource_minutes: float = Field(gt=0)
    driver_host: str
    driver_bind: str
    driver_port: int = Field(ge=0, lt=2**16)
    block_manager_port: int = Field(ge=0, lt=2**16)
    local_dir: str
    worker_python: str
    archives: str
    authenticate: bool
    secret_file: str

    @field_validator("master")
    @classmethod
    def _master_is_known(cls, value: str) -> str:
        if not MASTER.fullmatch(value):
            raise ValueError(f"'{value}' is not local[…], spark://host:port[,host:port] or yarn")
        standalone_masters(value)  # refuses a port that there is not
        return value

    @field_validator("master_pages")
    @classmethod
    def _pages_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            check_page(address)
        return value

    @field_validator("resource_manager")
    @classmethod
    def _resource_manager_is_an_address(cls, value: str) -> str:
        if value:
            host_and_port(value, RESOURCE_MANAGER_PORT)
        return value

    @field_validator("driver_memory", "executor_memory", "driver_overhead", "executor_overhead")
    @classmethod
    def _memory_is_what_spark_reads(cls, value: str, info: ValidationInfo) -> str:
        if value or not str(info.field_name).endswith("overhead"):
            megabytes(value)
        return value

    @model_validator(mode="after")
    def _standalone_runs_python_in_client_mode(self) -> SparkSettings:
        if self.deploy_mode == "cluster" and self.master != "yarn":
            raise ValueError("only yarn runs a Python driver with deploy_mode 'cluster'")
        return self

    @model_validator(mode="after")
    def _a_standalone_cluster_has_a_secret(self) -> SparkSettings:
        if self.authenticate and self.masters and not self.secret_file.startswith("/"):
            raise ValueError("with authenticate, secret_file is the absolute path of a file")
        return self

    @property
    def masters(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each Standalone master; empty for another kind of master."""
        return standalone_masters(self.master)

    @property
    def on_yarn(self) -> bool:
        """Whether YARN runs the executors, and in cluster mode the driver."""
        return self.master == "yarn"

    @property
    def pages(self) -> tuple[str, ...]:
        """The address of the page of each Standalone master, or of YARN's ResourceManager."""
        return master_pages(self.master, self)


class AirflowSettings(Section):
    """Airflow's metadata, and how many Spark drivers it starts at once."""

    database: Literal["sqlite", "postgres"]
    spark_slots: int = Field(ge=0, le=16)


def spark_slots(airflow: AirflowSettings, spark: SparkSettings) -> int:
    """The slots of the pool `spark`: the Spark drivers that may run at once.

    Two suit the two cores of one machine. On a Standalone cluster a job without `[spark] cores`
    takes all cores: a second driver would hold its memory and wait. On YARN in cluster mode, two
    drivers may hold all memory of the nodes, and both would wait for executors.
    """
    takes_all = (bool(spark.masters) and not spark.cores) or spark.deploy_mode == "cluster"
    return airflow.spark_slots or (1 if takes_all else 2)


def is_local_master(master: str) -> bool:
    """Whether Spark runs inside the driver, on this machine."""
    return master == "local" or master.startswith("local[")


def standalone_masters(master: str) -> tuple[tuple[str, int], ...]:
    """Host and port of each master of `spark://a:7077,b:7077`; empty for another kind.

    Raises ValueError where one has no port.
    """
    if not master.startswith("spark://"):
        return ()
    given = master.removeprefix("spark://").split(",")
    return tuple(host_and_port(one, usual=0) for one in given)


def master_pages(master: str, settings: SparkSettings) -> tuple[str, ...]:
    """The address of the page of each of these masters, or of YARN's ResourceManager.

    `master` may be another than the settings', because an Airflow connection may override it. Then
    its hosts are asked at the usual port.
    """
    if settings.master_pages and master == settings.master:
        return tuple(one.rstrip("/") for one in settings.master_pages)
    if master == "yarn" and settings.resource_manager:
        host, _ = host_and_port(settings.resource_manager, RESOURCE_MANAGER_PORT)
        return (f"http://{in_brackets(host)}:{RESOURCE_MANAGER_PAGE_PORT}",)
    return tuple(f"http://{host}:{MASTER_PAGE_PORT}" for host, _ in standalone_masters(master))


def is_path(place: str) -> bool:
    """Whether a place is named by its file."""
    return place.endswith(".toml")


def overlay_file(place: str, folder: Path) -> Path:
    """The file of a place; SettingsError where there is none."""
    known = sorted(p.stem for p in folder.glob("*.toml") if p.stem != "base")
    remedy = f"set MARQUEE_PLACE to one of: {', '.join(known)}; or to the path of a .toml file"
    try:
        overlay = Path(place).expanduser().resolve() if is_path(place) else folder / f"{place}.toml"
        there, a_folder = overlay.is_file(), overlay.is_dir()
    except (OSError, RuntimeError) as error:  # a name too long, a link to itself, no such user
        raise SettingsError(f"MARQUEE_PLACE leads to no file: {str(error)[:200]}", remedy) from None
    if is_path(place) and not there:
        what = f"{overlay} is a folder" if a_folder else f"there is no file {overlay}"
        raise SettingsError(what, remedy)
    if not there or place == "base":  # which every place overlays
        raise SettingsError(f"there is no place '{place}' in {folder}", remedy)
    return overlay
