"""Boards get roles, executors get what is left, and what does not fit is said with its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marquee.errors import SettingsError
from marquee.host_needs import DataSize
from marquee.role_needs import PLACES, Engines
from marquee.settings import load_settings
from marquee.shelf import MANAGERS, Plan, overlay, plan_boards, read_boards

SMALL = DataSize(100_836, 610, 9_724)
MILLION = DataSize.of(1_000_000)
LARGE = DataSize(32_000_204, 200_948, 87_585)
HEADS = {"airflow", "serving", "namenode", "spark-master"}


def plan(hosts: str, size: DataSize = SMALL) -> Plan:
    return plan_boards(size, read_boards(hosts))


def roles(found: Plan) -> list[str]:
    return [role for board in found.boards for role in board.roles]


@pytest.mark.parametrize(
    ("hosts", "size", "workers"),
    [
        ("4x4GB", SMALL, 3),
        ("1x4GB,3x2GB", SMALL, 3),
        ("1x8GB,3x2GB", MILLION, 4),
        ("1x8GB,3x4GB", DataSize.of(10_000_000), 4),
        ("1x8GB,3x4GB", LARGE, 3),
        ("1x16GB,3x4GB", LARGE, 4),
        ("1x8GB,2x1GB", SMALL, 1),
    ],
)
def test_a_shelf_that_fits_has_every_role_once_and_room_left(
    hosts: str, size: DataSize, workers: int
) -> None:
    found = plan(hosts, size)
    assert found.fits, [str(one) for one in found.misfits]
    assert found.workers == workers
    assert all(roles(found).count(head) == 1 for head in HEADS)
    assert all(board.left >= 0 and board.roles for board in found.boards)
    assert roles(found).count("datanode") >= workers
    assert found.replication == 2


def test_the_heaviest_role_has_the_largest_board_and_workers_keep_away_from_it() -> None:
    found = plan("3x2GB,1x4GB")
    airflow = found.board_of("airflow")
    assert airflow is not None and airflow.name == "board4"
    assert "executor" not in airflow.roles


def test_small_boards_store_and_do_not_compute() -> None:
    found = plan("1x8GB,2x1GB")
    assert [set(board.roles) for board in found.boards[1:]] == [{"datanode"}, {"datanode"}]


@pytest.mark.parametrize(
    ("hosts", "size", "words"),
    [
        ("4x1GB", SMALL, ["board1 has 652 MB", "airflow", "take a board of 4 GB"]),
        ("4x1GB", SMALL, ["no board has the", "executor of Spark's least heap", "add a board"]),
        ("4x2GB", SMALL, ["board1 has 1,605 MB", "train_budget", "take a board of 4 GB"]),
        ("4x4GB", LARGE, ["board1 has 3,509 MB", "forecast_recommender", "a board of 8 GB"]),
        ("1x2GB", SMALL, ["the stack and its tasks need", "take a board of 8 GB"]),
        ("1x4GB", SMALL, ["the stack and its tasks need", "or swap of"]),
    ],
)
def test_what_does_not_fit_is_said_with_megabytes_and_a_remedy(
    hosts: str, size: DataSize, words: list[str]
) -> None:
    found = plan(hosts, size)
    assert not found.fits
    sentences = [str(one) for one in found.misfits]
    assert any(all(word in sentence for word in words) for sentence in sentences), sentences


@pytest.mark.parametrize("hosts", ["1x1GB", "1x2GB", "1x4GB", "1x8GB", "4x1GB", "4x2GB", "4x8GB"])
def test_the_overlay_is_a_place_that_loads(hosts: str, tmp_path: Path) -> None:
    found = plan(hosts)
    text = overlay(found)
    assert text.count("DOES NOT FIT") == len(found.misfits)
    assert all(f"# {board.name}: " in text for board in found.boards)
    (tmp_path / "shelf.toml").write_text(text)
    loaded = load_settings(str(tmp_path / "shelf.toml"))
    spark = loaded.spark.model_dump()
    assert {key: spark[key] for key in found.settings} == found.settings
    if len(found.boards) == 1:
        assert loaded.runs_hdfs and loaded.spark.driver_bind == "127.0.0.1"
    else:
        assert loaded.lake.root == "hdfs://namenode:8020/marquee" and loaded.spark.masters
        assert loaded.lake.replication == found.replication and not loaded.runs_hdfs


@pytest.mark.parametrize("manager", MANAGERS)
def test_a_place_with_every_engine_names_the_boards_that_have_them(
    manager: str, tmp_path: Path
) -> None:
    engines = Engines(frozenset(PLACES))
    found = plan_boards(SMALL, read_boards("4x8GB"), False, manager, engines)
    assert found.fits
    (tmp_path / "shelf.toml").write_text(overlay(found))
    loaded = load_settings(str(tmp_path / "shelf.toml"))
    assert loaded.kafka_bootstrap == "kafka:9092"
    assert loaded.connect.worker_at(0) == "http://connect:8002" and loaded.documents.is_on
    assert loaded.spark.on_yarn == (manager != "standalone")
    (hosts,) = re.findall(r"^# In every /etc/hosts: (.+)\.$", overlay(found), re.MULTILINE)
    named = dict(reversed(one.split()) for one in hosts.split(", "))  # type: ignore[arg-type]
    assert {"airflow", "serving", "namenode", "kafka", "connect"} < named.keys()
    for role, name in named.items():
        assert role in next(board for board in found.boards if board.name == name).roles


def test_heaps_stay_between_spark_s_least_and_what_was_tried() -> None:
    for hosts in ("1x4GB,3x2GB", "4x4GB", "4x8GB", "2x16GB"):
        for size in (DataSize(23_560, 400, 600), SMALL, MILLION, LARGE):
            settings = plan(hosts, size).settings
            for key in ("driver_memory", "executor_memory"):
                assert 512 <= int(str(settings[key]).removesuffix("m")) <= 1500
            assert int(settings["shuffle_partitions"]) >= 2


def test_one_board_runs_the_local_stack() -> None:
    found = plan("1x8GB")
    assert roles(found) == ["local stack"]
    assert found.fits and found.replication == 1


def test_the_demo_has_the_replica() -> None:
    found = plan_boards(SMALL, read_boards("4x4GB"), demo=True)
    airflow = found.board_of("airflow")
    assert airflow is not None and "replica" in airflow.roles
    assert "replica" not in roles(plan("4x4GB"))


def test_on_yarn_a_board_has_the_resource_manager_and_workers_node_managers() -> None:
    found = plan_boards(SMALL, read_boards("4x4GB"), manager="yarn")
    assert found.fits and roles(found).count("resourcemanager") == 1
    assert roles(found).count("nodemanager") == roles(found).count("executor") == found.workers
    assert roles(found).count("application master") == found.workers >= 3
    assert not {"spark-master", "spark-worker"} & set(roles(found))


@pytest.mark.parametrize("manager", ["standalone", "yarn"])
@pytest.mark.parametrize("hosts", ["4x1GB", "1x2GB,3x1GB", "2x2GB,2x1GB"])
def test_a_worker_that_is_refused_wants_more_than_any_board_has_left(
    hosts: str, manager: str
) -> None:
    found = plan_boards(SMALL, read_boards(hosts), manager=manager)
    sentences = "".join(map(str, found.misfits))
    said = re.search(r"no board has the ([\d,]+) MB .* has left is ([\d,]+)", sentences)
    assert said is not None
    wanted, left = (int(number.replace(",", "")) for number in said.groups())
    assert wanted > left


@pytest.mark.parametrize(
    "text",
    ["", "4", "4x", "x4GB", "0x4GB", "4x0GB", "4x4MB", "-1x4GB", "65x1GB", "1x9999GB", "4x4GB,"],
)
def test_hosts_that_nobody_can_mean_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_boards(text)
    assert "\n" not in str(error.value)


def test_kinds_of_boards_are_counted() -> None:
    boards = read_boards("1x8GB, 3x2gb,0.5GB")
    assert [board.memory for board in boards] == [8192, 2048, 2048, 2048, 512]
    assert [board.name for board in boards] == [f"board{n}" for n in range(1, 6)]
