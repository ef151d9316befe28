"""A place is one file: what it says reaches Spark, HDFS and Airflow, and nothing local does."""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from local_stack.environment import job_environment, stack_environment
from local_stack.stack import read_procfile
from marquee.daemon_settings import CONNECT_PROCESSES
from marquee.errors import SettingsError, StackError
from marquee.place_settings import master_pages, megabytes
from marquee.settings import REPOSITORY, Settings, load_settings
from steps.shipped_code import code_zip
from steps.spark_submit import submit_command

SHELF = """
[lake]
root = "hdfs://shelf/films"
webhdfs = "http://pi1:9870;http://pi2:9870"
namenodes = ["pi1:8020", "pi2:8020"]
user = "films"
replication = 2

[spark]
master = "spark://pi1:7077,pi2:7077"
driver_host = "pi0"
driver_port = 40000
block_manager_port = 40001
local_dir = "/srv/spark"
worker_python = "environment/bin/python"
archives = "/srv/worker.tar.gz#environment"

[airflow]
database = "postgres"

[stack]
processes = ["airflow-api", "airflow-scheduler", "serving"]
"""
NO_ROOTS = (
    *("", "x", "s3://b", "HDFS://h/x", "hdfs:///x", "hdfs://h:99999/x", "hdfs://h:0/x"),
    *("hdfs://127.0.0.1:abc/x", "hdfs://h:/x", "hdfs://[::1/x", "hdfs://u@h:1/x"),
)
NO_MASTERS = (
    *("spark://h:99999", "spark://h:0", "spark:// h:7077", "spark://u@h:7077", "spark://[::1]:1"),
    *("local[abc]", "local[-1]", "local[0]", "local[2,4", "local-cluster[2]"),
)
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
POSTGRES = "postgresql+psycopg2://airflow:secret@pi0/airflow"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A made-up place in a file of its own, in the environment of a machine that has no other."""
    file = tmp_path / "shelf.toml"
    file.write_text(SHELF)
    for name in [*os.environ]:
        if name.startswith(("SPARK_", "HADOOP_", "PYSPARK_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MARQUEE_PLACE", str(file))
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(DATABASE, POSTGRES)
    return load_settings()


def test_a_file_outside_of_the_checkout_is_a_place(shelf: Settings, tmp_path: Path) -> None:
    assert shelf.place == str(tmp_path / "shelf.toml")
    assert shelf.lake.user == "films" and shelf.crawl.max_pages == 300
    with pytest.raises(SettingsError, match="there is no file"):
        load_settings(str(tmp_path / "moon.toml"))


def test_every_process_is_told_the_place(shelf: Settings) -> None:
    environment = stack_environment(shelf)
    assert environment["MARQUEE_PLACE"] == shelf.place
    assert environment["HADOOP_USER_NAME"] == environment["MARQUEE_LAKE__USER"] == "films"
    assert environment["SPARK_LOCAL_DIRS"] == "/srv/spark"


def test_nothing_of_the_local_stack_leaks(shelf: Settings) -> None:
    environment = stack_environment(shelf)
    for name in ("SPARK_LOCAL_IP", "HADOOP_CONF_DIR", "HDFS_CLASS_PATH"):
        assert name not in environment, name
    assert environment["PYSPARK_PYTHON"] == "environment/bin/python"
    command = submit_command(shelf, "train_recommender", "R", environment["SPARK_ARCHIVE"])
    assert "127.0.0.1" not in " ".join(command) and "localhost" not in " ".join(command)
    executors = [word for word in command if word.startswith(("spark.exec", "spark.pyspark.py"))]
    assert len(executors) == 2, "java options and the Python"
    assert not [word for word in executors if str(REPOSITORY) in word or "Archive" in word]
    own = [word for word in command if sys.executable in word]
    assert own == [f"spark.pyspark.driver.python={sys.executable}"], "the driver alone"
    assert not any("127.0.0.1" in v for n, v in job_environment(shelf).items() if "LAKE" in n)


def test_spark_is_told_the_place(shelf: Settings) -> None:
    command = submit_command(shelf, "prepare_ratings", "R", "")
    conf = dict(word.split("=", 1) for word in command if word.startswith("spark."))
    assert command[command.index("--master") + 1] == "spark://pi1:7077,pi2:7077"
    assert command[command.index("--archives") + 1] == "/srv/worker.tar.gz#environment"
    assert command[command.index("--user") + 1] == "films"
    assert command[command.index("--replication") + 1] == "2"
    assert conf["spark.driver.host"] == "pi0" and conf["spark.driver.port"] == "40000"
    assert conf["spark.blockManager.port"] == "40001" and "spark.driver.bindAddress" not in conf
    assert conf["spark.hadoop.dfs.replication"] == "2"
    assert conf["spark.hadoop.dfs.nameservices"] == "shelf"
    assert conf["spark.hadoop.dfs.ha.namenodes.shelf"] == "nn0,nn1"
    assert conf["spark.hadoop.dfs.namenode.rpc-address.shelf.nn1"] == "pi2:8020"
    pages = ("http://pi1:8080", "http://pi2:8080")
    assert shelf.spark.pages == master_pages("spark://pi1:7077,pi2:7077", shelf.spark) == pages
    assert master_pages("spark://pi9:7077", shelf.spark) == ("http://pi9:8080",)
    assert master_pages("yarn", shelf.spark) == ()


def test_airflows_connections_and_the_settings_say_the_same(shelf: Settings) -> None:
    environment = stack_environment(shelf)
    lake = json.loads(environment["AIRFLOW_CONN_HDFS_LAKE"])
    spark = json.loads(environment["AIRFLOW_CONN_SPARK_CLUSTER"])
    assert (lake["host"], lake["port"], lake["login"]) == ("pi1,pi2", 9870, "films")
    assert lake["extra"] == {"root": "hdfs://shelf/films"}
    assert spark["host"] == "spark://pi1:7077,pi2:7077"
    assert spark["extra"]["deploy-mode"] == "client"


def test_different_ports_and_https_reach_the_connection(
    shelf: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_LAKE__WEBHDFS", "https://pi1:9871;https://pi2:9872")
    lake = json.loads(stack_environment(load_settings())["AIRFLOW_CONN_HDFS_LAKE"])
    assert (lake["host"], lake["port"]) == ("pi1:9871,pi2:9872", None)
    assert lake["extra"]["use_ssl"] is True


def test_the_operators_own_variables_win(shelf: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {
        "SPARK_LOCAL_IP": "10.0.0.7",
        "HADOOP_CONF_DIR": "/etc/hadoop",
        "AIRFLOW__API__HOST": "0.0.0.0",
        "AIRFLOW_CONN_HDFS_LAKE": '{"conn_type": "webhdfs", "host": "elsewhere"}',
        "AIRFLOW_HOME": "/srv/airflow",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    environment = stack_environment(shelf)
    assert {name: environment[name] for name in own} == own
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor", "ours where there is no other"


def test_the_databases_address_is_in_the_environment_alone(
    shelf: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack_environment(shelf)[DATABASE] == POSTGRES
    monkeypatch.delenv(DATABASE)
    with pytest.raises(SettingsError, match=f"{DATABASE} is not set — set {DATABASE}=postgresql"):
        stack_environment(shelf)


def test_the_local_place_stays_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    settings = load_settings("local")
    environment = stack_environment(settings)
    assert environment["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert environment["PYSPARK_PYTHON"] == sys.executable
    assert environment["HADOOP_CONF_DIR"].startswith(str(settings.state_folder))
    command = submit_command(settings, "train_budget", "R", "")
    assert "spark.driver.bindAddress=127.0.0.1" in command
    assert "--py-files" not in command, "the driver runs the tasks itself"


def test_a_place_names_the_processes_of_this_machine(shelf: Settings) -> None:
    assert [*read_procfile(only=shelf.stack.processes)] == [*shelf.stack.processes]
    local = load_settings("local").stack.processes
    optional = {*CONNECT_PROCESSES, "kafka", "stream"}
    assert {*read_procfile()} == {*local, *optional} and optional.isdisjoint(local)
    with pytest.raises(StackError, match=r"stack\.processes names tape"):
        read_procfile(only=["tape"])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[spark]\nmaster = 'spark://pi1'", "'spark://pi1' is not local"),
        ("[spark]\ndeploy_mode = 'cluster'", "only yarn"),
        ("[lake]\nwebhdfs = 'pi1:9870'", "'pi1:9870' is not http://host:port"),
        ("[lake]\nroot = 'hdfs://a:8020/m'\nnamenodes = ['a:8020']", "without a port"),
        *((f"[lake]\nroot = '{root}'", "lake.root: ") for root in NO_ROOTS),
        *(
            (f"[lake]\nroot = 'hdfs://s/m'\nnamenodes = ['{one}']", "lake.namenodes: ")
            for one in ("", "b:x", "a:99999", "::1", "a:8020:1", "a:0", "a:", " a:1")
        ),
        *(
            (f"[lake]\nwebhdfs = '{one}'", "lake.webhdfs: ")
            for one in ("http://[::1", "http://h:99999", "http://:1", "http://a b:1", "http://h")
        ),
        *((f"[spark]\nmaster = '{one}'", "spark.master: ") for one in NO_MASTERS),
        *(
            (f"[spark]\nmaster_pages = ['{one}']", "spark.master_pages: ")
            for one in ("http://[::1", "pi1:8080", "", "http://pi1:x")
        ),
        *(
            (f"[spark]\n{key}_memory = '{one}'", f"spark.{key}_memory: ")
            for key in ("driver", "executor")
            for one in ("1.5g", "", "9" * 400 + "g", "700b", "x")
        ),
    ],
)
def test_what_cannot_be_a_place_is_refused(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(named)):
        load_settings(str(file))


def test_what_spark_and_hdfs_read_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for master in ("local", "local[*]", "local[2, 4]", "local-cluster[2,1,512]", "spark://a:1,b:2"):
        monkeypatch.setenv("MARQUEE_SPARK__MASTER", master)
        assert load_settings("local").spark.master == master
    for size in ("700", "700mb", "1t", "2G", "900000k"):
        monkeypatch.setenv("MARQUEE_SPARK__EXECUTOR_MEMORY", size)
        assert load_settings("local").spark.executor_memory == size
    monkeypatch.setenv("MARQUEE_LAKE__ROOT", "hdfs://[::1]:9000/m")
    assert load_settings("local").lake.rpc_addresses == (("::1", 9000),)
    monkeypatch.setenv("MARQUEE_LAKE__ROOT", "hdfs://pi1/m")
    assert load_settings("local").lake.rpc_addresses == (("pi1", 8020),)


def test_yarn_passes_through(tmp_path: Path, shelf: Settings) -> None:
    file = tmp_path / "yarn.toml"
    file.write_text(
        "[spark]\nmaster = 'yarn'\ndeploy_mode = 'cluster'\nworker_python = 'python3'\n"
    )
    command = submit_command(load_settings(str(file)), "train_budget", "R", "")
    assert sys.executable not in " ".join(command), "YARN runs the driver, too"
    assert command[command.index("--master") + 1] == "yarn"
    assert command[command.index("--deploy-mode") + 1] == "cluster"


def test_the_code_travels_once_for_each_version(tmp_path: Path) -> None:
    made = code_zip(tmp_path)
    assert re.fullmatch(r"marquee-code-[0-9a-f]{12}\.zip", made.name)
    first = made.stat().st_mtime_ns
    assert code_zip(tmp_path) == made and made.stat().st_mtime_ns == first
    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
    assert {"marquee/errors.py", "marquee/prices/data/cpi.csv", "spark_apps/job.py"} <= names
    assert not [name for name in names if name.startswith(("cli/", "tests/", "local_stack/"))]
    assert [*tmp_path.iterdir()] == [made]


def test_workers_get_the_drivers_versions() -> None:
    locks = REPOSITORY / "requirements"
    pin = re.compile(r"^([\w-]+==[\w.]+)", re.MULTILINE)
    workers, drivers = (
        set(pin.findall((locks / f"{name}.txt").read_text())) for name in ("worker", "run")
    )
    names = {one.partition("==")[0] for one in workers}
    assert {"numpy", "scipy", "pyarrow", "pydantic"} <= names and "pyspark" not in names
    assert workers <= drivers


def test_a_heap_is_read_as_spark_reads_it() -> None:
    sizes = ("700m", "1g", "1G", "512", "2048k", "1GB", "1t")
    assert [megabytes(size) for size in sizes] == [700, 1024, 1024, 512, 2, 1024, 1024**2]
    for wrong in ("", "0.5g", "m", "-1m", "12345678m"):
        with pytest.raises(ValueError, match="is no size of a heap"):
            megabytes(wrong)
