"""The settings of a place: where HDFS, Spark and Airflow's database are, and how to reach them.

`marquee.settings` puts these sections into its tree. A place is one TOML file. No other module
decides from the name of a place what to start or which address to use.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MASTER = re.compile(r"local(\[.+\])?|yarn|local-cluster\[.+\]|spark://[^/:,]+:\d+(,[^/:,]+:\d+)*")
MASTER_PAGE_PORT = 8080
"""The port of a Standalone master's page, where `[spark] master_pages` is empty."""


class Section(BaseModel):
    """A frozen table of settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LakeSettings(Section):
    """The address of the lake."""

    root: str
    webhdfs: str
    namenodes: tuple[str, ...]
    user: str
    replication: int = Field(ge=0, le=16)
    shared_folder: bool
    drill: bool

    @field_validator("webhdfs")
    @classmethod
    def _addresses_are_whole(cls, value: str) -> str:
        for address in filter(None, value.split(";")):
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.port:
                raise ValueError(f"'{address}' is not http://host:port; several are joined by ';'")
        return value

    @model_validator(mode="after")
    def _nameservice_has_no_port(self) -> LakeSettings:
        if self.namenodes and urlsplit(self.root).port:
            raise ValueError("with `namenodes`, the root names their nameservice, without a port")
        return self

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
        pairs = (one.rpartition(":") if ":" in one else (one, ":", "8020") for one in given)
        return tuple((host, int(port)) for host, _, port in pairs)


class SparkSettings(Section):
    """Memory, cores and master of a Spark job; where its driver and its workers are."""

    master: str
    deploy_mode: Literal["client", "cluster"]
    master_pages: tuple[str, ...]
    driver_memory: str
    executor_memory: str
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

    @field_validator("master")
    @classmethod
    def _master_is_known(cls, value: str) -> str:
        if not MASTER.fullmatch(value):
            raise ValueError(f"'{value}' is not local[…], spark://host:port[,host:port] or yarn")
        return value

    @model_validator(mode="after")
    def _standalone_runs_python_in_client_mode(self) -> SparkSettings:
        if self.deploy_mode == "cluster" and self.master != "yarn":
            raise ValueError("only yarn runs a Python driver with deploy_mode 'cluster'")
        return self

    @property
    def masters(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each Standalone master; empty for another kind of master."""
        return standalone_masters(self.master)

    @property
    def pages(self) -> tuple[str, ...]:
        """The address of each Standalone master's page."""
        return master_pages(self.master, self)


class AirflowSettings(Section):
    """Airflow's metadata."""

    database: Literal["sqlite", "postgres"]


def is_local_master(master: str) -> bool:
    """Whether Spark runs inside the driver, on this machine."""
    return master == "local" or master.startswith("local[")


def standalone_masters(master: str) -> tuple[tuple[str, int], ...]:
    """Host and port of each master of `spark://a:7077,b:7077`; empty for another kind."""
    if not master.startswith("spark://"):
        return ()
    pairs = (one.rpartition(":") for one in master.removeprefix("spark://").split(","))
    return tuple((host, int(port)) for host, _, port in pairs)


def master_pages(master: str, settings: SparkSettings) -> tuple[str, ...]:
    """The address of the page of each of these masters.

    `master` may be another than the settings', because an Airflow connection may override it. Then
    its hosts are asked at the usual port.
    """
    if settings.master_pages and master == settings.master:
        return tuple(one.rstrip("/") for one in settings.master_pages)
    return tuple(f"http://{host}:{MASTER_PAGE_PORT}" for host, _ in standalone_masters(master))
