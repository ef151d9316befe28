"""A master in the driver: its jobs end, wherever the lake says its blocks lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marquee.lake import open_lake
from marquee.settings import REPOSITORY, load_settings
from steps.spark_submit import conf_of_master, spark_conf

SECONDS = 300
"""A job that hangs is ended after it; one that does not takes some seconds."""
JOB = """
import json, sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[2,4]")
for key, value in json.loads(sys.argv[1]).items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
blocks = spark.read.parquet(sys.argv[2])
shuffled = spark.range(1000).repartition(2, "id")
print("rows", blocks.union(shuffled).groupBy().count().first()[0])
"""


@pytest.mark.hdfs
def test_a_job_over_blocks_and_shuffled_rows_ends(hdfs, tmp_path: Path) -> None:
    # The NameNode names the host of a block 127.0.0.1, and Spark calls its own localhost: a task of
    # a block then waits for another host, which a master in the driver never offers.
    lake = open_lake(f"{hdfs.settings.lake.root}-local-master", hdfs.settings.lake.webhdfs)
    (tmp_path / "rows").mkdir()
    pq.write_table(pa.table({"id": list(range(500))}), tmp_path / "rows" / "part-0.parquet")
    lake.publish(tmp_path / "rows", "blocks", 500)
    settings = load_settings("local")
    conf = json.dumps(spark_conf(settings, "") | conf_of_master(settings.spark.master, ""))
    done = subprocess.run(
        [sys.executable, "-c", JOB, conf, lake.uri("blocks")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "rows 1500" in done.stdout, done.stderr[-3000:]


def test_a_cluster_waits_for_the_host_of_its_data() -> None:
    assert conf_of_master("spark://master:7077", "") == {}
    assert conf_of_master("yarn", "").keys() == {"spark.yarn.tags"}
