"""The daemons of a shelf with YARN and a journal, as their units start them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local_stack.environment import airflow_environment
from local_stack.hdfs import nameservice_values
from local_stack.host_daemon import launch
from local_stack.systemd_units import memory_limits, unit_files
from local_stack.yarn import place_values
from marquee.errors import StackError
from marquee.host_needs import DataSize
from marquee.settings import Settings, load_settings
from tests.plugins.own_network import found_in_own_network
from tests.yarn.one_host import DAEMONS, PLACE

SIZE = DataSize(100_836, 610, 9_742)


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    """The place of `one_host`."""
    file = tmp_path / "place.toml"
    file.write_text(PLACE)
    return load_settings(str(file))


def test_each_node_has_room_for_a_driver_and_an_executor(place: Settings, tmp_path: Path) -> None:
    values = place_values(place.spark, tmp_path)
    wanted = 1536 + 1024  # 600 + 900 and 600 + 384, in steps of 128
    assert int(values["yarn.nodemanager.resource.memory-mb"]) == wanted
    assert values["yarn.resourcemanager.webapp.address"] == "127.0.0.1:8088"
    limit = memory_limits(place, SIZE)["nodemanager"]
    assert limit > wanted + 155


def test_a_place_without_yarn_or_a_journal_is_refused(tmp_path: Path) -> None:
    place = load_settings("cluster")
    for name, says in (
        ("resourcemanager", "no ResourceManager is named"),
        ("nodemanager", "no ResourceManager is named"),
        ("journalnode", "the place has no journal"),
    ):
        with pytest.raises(StackError, match=says):
            launch(name, place, tmp_path)


def test_the_namenodes_of_a_journal_share_a_name_space(place: Settings, tmp_path: Path) -> None:
    launch("namenode", place, tmp_path)
    core, site = ((tmp_path / "conf" / f"{name}-site.xml").read_text() for name in ("core", "hdfs"))
    assert "<value>hdfs://shelf</value>" in core
    assert "<value>qjournal://127.0.0.1:8485/shelf</value>" in site
    assert f"<value>{tmp_path / 'journal'}</value>" in site


def test_airflow_asks_both_namenodes(place: Settings, tmp_path: Path) -> None:
    made = json.loads(airflow_environment(place, tmp_path)["AIRFLOW_CONN_HDFS_LAKE"])
    assert made["host"].split(",") == ["127.0.0.1:9870", "127.0.0.1:9871"]
    assert made["extra"]["root"] == "hdfs://shelf/marquee"


def test_namenodes_without_journals_are_refused(place: Settings, tmp_path: Path) -> None:
    lake = place.lake.model_copy(update={"journals": ()})
    with pytest.raises(StackError, match="2 NameNodes have 2 pages and 0 JournalNodes"):
        nameservice_values(lake, tmp_path)


def test_the_units_start_what_they_follow(place: Settings) -> None:
    made = unit_files(DAEMONS, place, SIZE)
    assert "marquee-resourcemanager.service" in made["marquee-nodemanager.service"]
    assert "OOMPolicy=continue" in made["marquee-nodemanager.service"]
    for name in DAEMONS:
        assert re.search(rf"host_daemon {name}$", made[f"marquee-{name}.service"], re.MULTILINE)


@pytest.mark.hdfs
def test_real_daemons_are_as_the_doctor_wants_them(tmp_path: Path) -> None:
    found = found_in_own_network("tests.yarn.one_host", tmp_path)
    logs = {name: (tmp_path / f"{name}.log").read_text()[-800:] for name in DAEMONS}
    assert found["well"] and found["journal"] and not found["wrong"], (found, logs)
    assert any(one.startswith("NodeManager ") for one in found["findings"])
