"""Executors that cannot see the repository still run our code: it is sent to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local_stack.java_setup import cache_folder, java_home, spark_environment, spark_home
from marquee.settings import REPOSITORY, load_settings
from steps.shipped_code import code_zip

DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pyspark.sql import SparkSession

def where(_):
    import spark_apps.job
    import marquee.errors
    return [spark_apps.job.__file__, marquee.errors.__file__]

spark = (SparkSession.builder.master("local-cluster[1,1,512]").appName("shipping")
         .config("spark.executor.memory", "512m").config("spark.driver.memory", "512m")
         .config("spark.submit.pyFiles", sys.argv[2])
         .config("spark.ui.enabled", "false").getOrCreate())
print("APPLICATION", spark.sparkContext.applicationId)
print("FOUND", *spark.sparkContext.parallelize([0], 1).flatMap(where).collect())
spark.stop()
"""


def test_an_executor_elsewhere_imports_what_was_sent(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = spark_environment(java_home(cache_folder(load_settings())))
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "driver.py"), str(REPOSITORY), str(code_zip(tmp_path))],
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
