"""Executors that cannot see the repository still run our code: it is sent to them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from local_stack.java_setup import cache_folder, java_home, spark_environment, spark_home
from marquee.settings import load_settings
from steps.shipped_code import code_zip

DRIVER = """
from pyspark.sql import SparkSession

def where(_):
    import spark_apps.job
    import marquee.errors
    return [spark_apps.job.__file__, marquee.errors.__file__]

spark = SparkSession.builder.appName("shipping").getOrCreate()
print("APPLICATION", spark.sparkContext.applicationId)
print("FOUND", *spark.sparkContext.parallelize([0], 1).flatMap(where).collect())
spark.stop()
"""


def test_an_executor_elsewhere_imports_what_was_sent(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = spark_environment(java_home(cache_folder(load_settings())))
    environment.pop("PYTHONPATH", None)
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local-cluster[1,1,512]"]
    command += ["--driver-memory", "512m", "--executor-memory", "512m"]
    command += ["--conf", "spark.ui.enabled=false", "--py-files", str(code_zip(tmp_path))]
    done = subprocess.run(
        [*command, str(tmp_path / "driver.py")],
        cwd=tmp_path,
        env=environment | {"SPARK_LOCAL_DIRS": str(tmp_path / "spark"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    output = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert "FOUND" in output, done.stderr[-2000:]
    # Workers of a cluster on one machine work below Spark's own folder, and leave it there.
    shutil.rmtree(spark_home() / "work" / output["APPLICATION"])
    paths = output["FOUND"].split()
    assert len(paths) == 2
    assert all("marquee-code-" in path for path in paths), paths
