"""One Spark for a whole test session: `from tests.plugins.spark_session import spark`.

Starting a JVM costs more than most tests, so everybody shares this one: two threads, four
attempts at a task, two shuffle partitions, no web pages, loopback only. The JVM has its own
options and not a local job's: those suit a short life, and took 6 % longer here.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from typing import Generic

import pytest
from pyspark.sql import SparkSession
from zope.interface import implementedBy

from marquee.spark_master import LOCAL_CONF

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    **LOCAL_CONF,
}


def live_beside_twisted() -> None:
    """Let pyspark.ml work in a process that Scrapy's tests share.

    Twisted's interfaces mark `typing.Generic` with two attributes that spread to, and raise from,
    whatever subclass reads them; every pyspark.ml class reads all its attributes. Once the mark is
    made (`__implemented__` stays) it is not made again, so the two can be taken away.
    """
    implementedBy(Generic)
    for name in ("__provides__", "__providedBy__"):
        if name in vars(Generic):
            delattr(Generic, name)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local session, with a checkpoint folder (twenty ALS iterations need one)."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    live_beside_twisted()
    builder = SparkSession.builder.master("local[2,4]").appName("marquee-tests")
    scratch = tmp_path_factory.mktemp("spark")
    builder = builder.config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setCheckpointDir(str(scratch / "checkpoints"))
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """A job's end frees what it has cached; here the next module would carry its plans along.

    A hundred of them filled the heap, and each query is compared with all.
    """
    yield
    if session := SparkSession.getActiveSession():
        session.catalog.clearCache()
        gc.collect()  # a frame of Python keeps its plan in the JVM
