"""What every test may ask for: one Spark, one HDFS, one reading of the DAG, the real records."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from local_stack.java_setup import cache_folder, java_home
from marquee.settings import REPOSITORY, load_settings

pytest_plugins = [
    "tests.plugins.airflow_dag",
    "tests.plugins.connect_server",
    "tests.plugins.kafka_broker",
    "tests.plugins.couch_server",
    "tests.plugins.local_stack",
    "tests.plugins.rooms_on_workers",
    "tests.plugins.spark_session",
]

# A loaded machine is slow and not wrong: no test asserts a time.
hypothesis.settings.register_profile("marquee", deadline=None)
hypothesis.settings.load_profile("marquee")
os.environ.setdefault("JAVA_HOME", str(java_home(cache_folder(load_settings()))))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.fixture(scope="session")
def real_records() -> Path:
    """The folder of real records beside the repository; a visible skip where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real records at {folder}: this rule is shown on made-up data only")
    return folder
