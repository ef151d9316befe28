"""YARN on loopback with its HDFS, shared by the tests of this folder, and a place for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.java_setup import spark_home
from marquee.settings import Settings, load_settings
from tests.cluster.conftest import write_release
from tests.yarn.daemons import Yarn, yarn

PLACE = """
[lake]
root = "hdfs://{namenode}/marquee"
webhdfs = "{webhdfs}"
replication = 1

[spark]
master = "yarn"
deploy_mode = "cluster"
resource_manager = "{resource_manager}"
master_pages = ["{page}"]
yarn_jars = "local:{jars}/*"
driver_memory = "512m"
executor_memory = "512m"
java_options = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
worker_python = "{python}"
cores = 1

[ratings]
source = "{folder}/release"

[stack]
processes = ["airflow-scheduler"]
"""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    """A NameNode, a DataNode, a ResourceManager and a NodeManager."""
    with yarn(tmp_path_factory.mktemp("yarn")) as made:
        yield made


@pytest.fixture
def place(cluster: Yarn, tmp_path: Path) -> Settings:
    """A place of its own in cluster mode, with a release of 40 people and 30 titles."""
    write_release(tmp_path / "release")
    words = {
        "namenode": cluster.address("namenode"),
        "webhdfs": cluster.webhdfs,
        "resource_manager": cluster.address("rm"),
        "page": cluster.page,
        "jars": spark_home() / "jars",
        "python": sys.executable,
        "folder": tmp_path,
    }
    file = tmp_path / "yarn.toml"
    file.write_text(PLACE.format(**words))
    return load_settings(str(file)).model_copy(update={"state": str(tmp_path / "state")})
