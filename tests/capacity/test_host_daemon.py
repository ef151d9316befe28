"""A daemon of a cluster's host: its command and its variables, and real ones that come back."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from local_stack.host_daemon import (
    DATA,
    Launch,
    launch,
    main,
    own_master,
)
from local_stack.java_setup import fetch_listed
from local_stack.kafka import JARS
from marquee.errors import StackError
from marquee.place_settings import standalone_masters
from marquee.settings import REPOSITORY, Settings, load_settings
from tests.capacity.one_host import DAEMONS
from tests.plugins.own_network import found_in_own_network


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """The place `cluster`, with its state in a folder of the test."""
    return load_settings("cluster").model_copy(update={"state": str(tmp_path / "state")})


def made(name: str, place: Settings, folder: Path) -> Launch:
    return launch(name, place, folder)


def test_hdfs_listens_beyond_loopback_and_keeps_its_data_on_the_disk(
    place: Settings, tmp_path: Path
) -> None:
    found = made("namenode", place, tmp_path)
    assert found.command[-1].endswith(".NameNode")
    assert made("datanode", place, tmp_path).command[-1].endswith(".DataNode")
    assert "-Xmx96m" in found.command
    core = (tmp_path / "conf" / "core-site.xml").read_text()
    site = (tmp_path / "conf" / "hdfs-site.xml").read_text()
    assert "<value>hdfs://namenode:8020</value>" in core
    assert "127.0.0.1" not in core + site
    for folder in ("name", "blocks"):
        assert f"<value>file://{tmp_path / folder}</value>" in site
    assert "<name>dfs.datanode.synconclose</name><value>true</value>" in site


def test_spark_s_daemons_know_the_master_and_recover(place: Settings, tmp_path: Path) -> None:
    master = made("spark-master", place, tmp_path)
    assert master.command[1:] == (
        "org.apache.spark.deploy.master.Master", "--host", "spark-master", "--port", "7077",
    )  # fmt: skip
    options = master.environment["SPARK_DAEMON_JAVA_OPTS"]
    assert "recoveryMode=FILESYSTEM" in options and str(tmp_path / "recovery") in options
    assert "spark.master.rest.enabled=false" in options
    worker = made("spark-worker", place, tmp_path)
    assert worker.command[-1] == "spark://spark-master:7077"
    memory = worker.command[worker.command.index("--memory") + 1]
    assert memory == place.spark.executor_memory
    assert "cleanup.enabled=true" in worker.environment["SPARK_WORKER_OPTS"]


def test_airflow_s_and_serving_s_commands_are_those_of_the_procfile(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A place with Postgres takes its address from the environment alone.
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/airflow.db")
    procfile = (REPOSITORY / "Procfile").read_text()
    for name in ("airflow-scheduler", "airflow-dags", "serving", "replica"):
        found = made(name, place, tmp_path)
        assert found.command[:2] == ("/bin/sh", "-c")
        assert f"{name}: {found.command[2]}" in procfile
        assert found.environment["MARQUEE_LAKE__ROOT"] == "hdfs://namenode:8020/marquee"
    assert (place.state_folder / "tmp").is_dir()


def test_no_secret_of_airflow_reaches_serving_and_each_variable_it_reads_is_there(
    place: Settings, tmp_path: Path
) -> None:
    for name in ("serving", "replica", "connect-server", "connect-worker", "stream"):
        found = made(name, place, tmp_path)
        assert not [key for key in found.environment if key.startswith("AIRFLOW")]
        read = set(re.findall(r"\$(\w+)", found.command[2]))
        assert read and read <= found.environment.keys()
    assert not (place.state_folder / "airflow").exists()


def test_spark_s_drivers_of_a_host_write_as_the_place_says_and_listen_to_it_alone(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    for name in ("connect-server", "stream"):
        found = made(name, place, tmp_path).environment
        site = Path(found["HADOOP_CONF_DIR"]) / "hdfs-site.xml"
        assert "<name>dfs.replication</name><value>2</value>" in site.read_text()
        assert found["SPARK_LOCAL_IP"] == "127.0.0.1" and found["HADOOP_USER_NAME"] == "marquee"
    assert not (tmp_path / "conf").exists()  # that of HDFS' daemons on the same host


def test_each_loop_of_a_group_has_the_name_of_its_slot_or_its_host(
    place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made("stream", place, tmp_path).environment["STREAM_NAME"] == socket.gethostname()
    monkeypatch.setenv("MARQUEE_SLOT", "2")
    found = made("stream", place, tmp_path)
    assert found.environment["STREAM_NAME"] == "2" and found.environment["STREAM_HOW"] == "loop"


def test_a_broker_is_reached_by_the_name_that_the_place_gives_it(
    place: Settings, tmp_path: Path
) -> None:
    fetch_listed(JARS, place)
    with_kafka = place.kafka.model_copy(update={"bootstrap": "board3:9094"})
    found = made("kafka", place.model_copy(update={"kafka": with_kafka}), tmp_path)
    assert found.command[-2:] == ("kafka.Kafka", str(tmp_path / "kafka" / "server.properties"))
    properties = (tmp_path / "kafka" / "server.properties").read_text()
    assert "advertised.listeners=BROKER://board3:9094\n" in properties
    assert "listeners=BROKER://0.0.0.0:9094,CONTROLLER://127.0.0.1:9093\n" in properties


@pytest.mark.parametrize(
    "kafka", [{"bootstrap": ""}, {"bootstrap": "a:1,b:2"}, {"bootstrap": "a:1", "security": "ssl"}]
)
def test_a_place_that_names_no_broker_of_ours_gets_none(
    place: Settings, tmp_path: Path, kafka: dict[str, str]
) -> None:
    update = {"kafka": place.kafka.model_copy(update=kafka)}
    with pytest.raises(StackError, match="a broker of ours is one node without a login"):
        made("kafka", place.model_copy(update=update), tmp_path)


def test_the_master_of_this_host_is_its_own() -> None:
    masters = standalone_masters("spark://a:7077,b:7078")
    assert own_master(masters, "b") == ("b", 7078)
    assert own_master(masters, "c") == ("a", 7077)


@pytest.mark.parametrize("value", ["", "/no/such/disk"])
def test_a_disk_that_is_not_mounted_is_not_taken_for_an_empty_one(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATA, value)
    assert main(["namenode"]) != 0
    said = capsys.readouterr().err
    assert said.startswith("error: MARQUEE_DATA names no folder") and said.count("\n") == 1


def test_a_place_without_hdfs_or_a_master_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    monkeypatch.setenv("MARQUEE_LAKE__ROOT", f"file://{tmp_path}")
    assert main(["namenode"]) != 0
    assert "which no NameNode serves" in capsys.readouterr().err
    assert main(["spark-master"]) != 0
    assert "which is no Standalone master" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serving", "--format"], "--format is for namenode alone"),
        (["datanode", "--format"], "--format is for namenode alone"),
        (["datanode", "--prepare"], "are for airflow-api"),
        (["datanode", "--airflow", "version"], "are for airflow-api"),
        (["namenode", "--format", "--prepare"], "not allowed with"),
        (["airflow-api", "--prepare", "--airflow", "version"], "not allowed with"),
        (["airflow-api", "--airflow"], "wants Airflow's words"),
    ],
)
def test_a_daemon_does_no_other_s_work(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_this_user_may_not_write_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATA, "/proc")
    monkeypatch.setenv("MARQUEE_PLACE", "cluster")
    assert main(["namenode", "--format"]) == 1
    said = capsys.readouterr().err
    assert "/proc/" in said and "let this user write below MARQUEE_DATA" in said
    assert said.count("\n") == 1


def test_real_daemons_answer_and_the_name_space_outlives_a_kill(tmp_path: Path) -> None:
    fetch_listed(JARS, load_settings())
    found = found_in_own_network("tests.capacity.one_host", tmp_path)
    logs = {name: (tmp_path / f"{name}.log").read_text()[-500:] for name in DAEMONS}
    assert found["written"] == found["read_again"] == "came back", logs
    assert found["broker"], logs
    (worker,) = found["workers"]
    assert worker["memory"] == 600 and worker["cores"] >= 1
