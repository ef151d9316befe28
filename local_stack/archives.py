"""Class-data archives: a JVM that maps its classes instead of loading them starts in half the time.

One training run of a job writes Spark's archive (`-XX:ArchiveClassesAtExit`); later JVMs map it
(`-XX:SharedArchiveFile`). A JVM that cannot use an archive says nothing and loads as ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local_stack.paths import spark_home
from marquee.settings import REPOSITORY

ARCHIVE = "spark.jsa"


def archive(cache: Path) -> Path:
    """Where Spark's class archive lies."""
    return cache / ARCHIVE


def make_archives(home: Path, cache: Path) -> None:
    """Write Spark's archive unless it is there; without one everything works, only slower."""
    target = archive(cache)
    if target.is_file():
        return
    print("recording Spark's classes, once (about a minute)", flush=True)
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--conf", f"spark.driver.extraJavaOptions=-XX:ArchiveClassesAtExit={target}"]
    command += ["--driver-memory", "900m", str(REPOSITORY / "spark_apps" / "warm_classes.py")]
    environment = spark_environment(home) | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not target.is_file():
        target.unlink(missing_ok=True)
        print("could not record them; Spark will start more slowly", flush=True)


def spark_environment(home: Path) -> dict[str, str]:
    """What spark-submit needs around it, whichever shell or task starts it."""
    return dict(os.environ) | {
        "JAVA_HOME": str(home),
        "SPARK_HOME": str(spark_home()),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
