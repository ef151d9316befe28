"""One warm Spark session with the settings that the weekly run's tasks have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from local_stack.java_setup import cache_folder, java_home, spark_environment
from marquee.settings import Settings, load_settings
from steps.spark_submit import conf_of_master, spark_conf


@contextmanager
def spark_session(name: str, memory: str = "") -> Iterator[SparkSession]:
    """Start it as `spark-submit` would, without the user interface; stop it at the end."""
    settings = load_settings()
    os.environ.update(spark_environment(java_home(cache_folder(settings))))
    builder = SparkSession.builder.master(settings.spark.master).appName(name)
    for key, value in _conf(settings, memory).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _conf(settings: Settings, memory: str) -> dict[str, str]:
    # No class archive: it was recorded from the jars of another environment.
    return {
        **spark_conf(settings, archive=""),
        **conf_of_master(settings.spark.master, ""),
        "spark.driver.memory": memory or settings.spark.driver_memory,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.caseSensitive": "true",
        "spark.ui.showConsoleProgress": "false",
    }
