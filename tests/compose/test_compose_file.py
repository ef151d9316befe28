"""docker-compose.yaml: memory as the plan counts it, what is published, who sees which secret."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from local_stack.host_daemon import NAMES
from local_stack.stack import read_procfile
from local_stack.systemd_units import memory_limits
from marquee.daemon_settings import CONNECT_PROCESSES, KAFKA, STREAM
from marquee.host_needs import AIRFLOW, DAEMONS, DataSize
from marquee.settings import REPOSITORY, load_settings

ML_LATEST_SMALL = DataSize(100_836, 610, 9_742)
ONCE = ("secrets", "namenode-format", "airflow-migrate", "world", "demo")
WITHOUT_SERVICE = {"journalnode"}
"""Of the plan: a second NameNode is of use on a second machine only."""
OF_ENGINES = {"serving", KAFKA, STREAM, *CONNECT_PROCESSES}
OF_YARN = {"resourcemanager", "nodemanager"}
MASTER = "MARQUEE_SPARK__MASTER"
WITH_A_WAY_OUT = {"airflow-api", "airflow-scheduler", "serving"}
OWN_DATABASE = {"secrets", "postgres", "airflow-migrate", *AIRFLOW, "demo"}
"""Services that may see the password of Airflow's database; `demo` shares Airflow's state."""


def compose_file() -> dict[str, Any]:
    """The file, with its anchors merged."""
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
    return found


FILE = compose_file()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
DAEMON_NAMES = sorted(SERVICES.keys() - set(ONCE))


def megabytes(service: str) -> int:
    """A service's limit."""
    return int(str(SERVICES[service]["mem_limit"]).removesuffix("m"))


def volumes(service: str) -> dict[str, str]:
    """Where a service mounts each volume."""
    found = (text.rsplit("}", 1)[-1].lstrip() for text in SERVICES[service].get("volumes", []))
    return {text.split(":")[0]: text.split(":")[1] for text in found if not text.startswith(":")}


def test_every_role_of_a_cluster_is_a_service() -> None:
    assert set(NAMES) - WITHOUT_SERVICE <= SERVICES.keys()
    assert "postgres" in SERVICES


@pytest.mark.parametrize("name", sorted(DAEMONS.keys() - WITHOUT_SERVICE | OF_ENGINES))
def test_limits_are_those_of_the_plan(name: str) -> None:
    planned = memory_limits(load_settings("cluster"), ML_LATEST_SMALL)[name]
    assert 0.95 * planned <= megabytes(name) <= max(1.35 * planned, planned + 64)


@pytest.mark.parametrize("name", DAEMON_NAMES)
def test_every_daemon_is_watched_restarted_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert megabytes(name) > 0


@pytest.mark.parametrize("name", ONCE)
def test_what_runs_once_is_not_started_again_by_itself(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"
    assert megabytes(name) > 0


def test_only_airflow_and_the_api_publish_a_port_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"airflow-api", "serving"}
    for ports in published.values():
        assert all(port.startswith("${MARQUEE_PUBLISH:-127.0.0.1}:") for port in ports)


def test_hdfs_spark_and_postgres_have_no_way_out() -> None:
    assert FILE["networks"]["default"] == {"internal": True}
    outside = {name for name, one in SERVICES.items() if "outside" in one.get("networks", [])}
    assert outside == WITH_A_WAY_OUT


def test_each_secret_is_mounted_where_it_is_needed() -> None:
    database = {name for name in SERVICES if "database-secret" in volumes(name)}
    state = {name for name in SERVICES if "airflow" in volumes(name)}
    assert database == OWN_DATABASE
    assert state == {"airflow-migrate", *AIRFLOW, "demo"}
    assert {name for name in SERVICES if "serving" in volumes(name)} == {"serving"}
    connect = {name for name in SERVICES if "connect-secret" in volumes(name)}
    assert connect == {"secrets", *CONNECT_PROCESSES}
    assert {name for name in SERVICES if "engine-secret" in volumes(name)} == {"secrets", "serving"}
    spark = {name for name in SERVICES if "spark-secret" in volumes(name)}
    assert spark == {"secrets", "spark-master", "spark-worker", "airflow-scheduler"}
    documents = {name for name in SERVICES if "documents-secret" in volumes(name)}
    assert documents == {"secrets", "couchdb", "airflow-scheduler"}


def test_no_variable_holds_a_secret() -> None:
    for name, service in SERVICES.items():
        for key, value in (service.get("environment") or {}).items():
            suspect = any(word in key for word in ("PASSWORD", "SECRET", "TOKEN", "_KEY"))
            assert not suspect or key.endswith("_FILE"), f"{name}: {key}={value}"


def test_yarn_has_a_profile_and_one_variable_moves_airflow_alone_to_it() -> None:
    assert {name for name, one in SERVICES.items() if one.get("profiles") == ["yarn"]} == OF_YARN
    masters = {name: one.get("environment", {}).get(MASTER) for name, one in SERVICES.items()}
    moved = "${MARQUEE_SPARK__MASTER:-spark://spark-master:7077}"
    assert {name for name, one in masters.items() if one == "yarn"} == OF_YARN
    assert {name for name, one in masters.items() if one == moved} == {
        "airflow-migrate",
        *AIRFLOW,
        "demo",
    }
    assert masters["spark-worker"] is None  # the place's own


def test_couchdb_is_asked_for_and_inside() -> None:
    service = SERVICES["couchdb"]
    assert service["profiles"] == ["couchdb"] and "ports" not in service
    assert "outside" not in service.get("networks", []) and "couchdb" in volumes("couchdb")
    url = "${MARQUEE_DOCUMENTS__URL:-}"  # the DAG's graph depends on it
    named = {name for name, one in SERVICES.items()
             if one.get("environment", {}).get("MARQUEE_DOCUMENTS__URL") == url}  # fmt: skip
    assert named == {"airflow-migrate", *AIRFLOW, "demo"}


def test_spark_connect_is_asked_for_and_only_its_worker_is_reached() -> None:
    server, worker = (SERVICES[name] for name in CONNECT_PROCESSES)
    assert server["profiles"] == worker["profiles"] == ["connect"]
    assert worker["network_mode"] == "service:connect-server"  # the token's way is loopback
    assert "binding.address=127.0.0.1" in read_procfile()["connect-server"]
    assert worker["environment"]["MARQUEE_CONNECT__HOST"] == "0.0.0.0"
    assert SERVICES["serving"]["environment"]["MARQUEE_CONNECT__WORKER"] == (
        "${MARQUEE_CONNECT__WORKER:-}"
    )


def test_a_stream_waits_for_the_broker_that_its_profile_has() -> None:
    service = SERVICES["stream"]
    assert service["profiles"] == ["stream"] and SERVICES["kafka"]["profiles"] == ["kafka"]
    assert service["depends_on"]["kafka"] == {"condition": "service_healthy", "required": False}
    status = service["environment"]["STREAM_STATUS"]
    assert f"file://{status}" in service["healthcheck"]["test"]
    assert service["environment"]["MARQUEE_SLOTS"] == "yes"  # each loop has a name of its own


def test_the_demo_waits_for_what_its_profile_has() -> None:
    waits = SERVICES["demo"]["depends_on"]
    assert waits["nodemanager"] == {"condition": "service_healthy", "required": False}
    assert waits["spark-worker"] == {"condition": "service_healthy"}


def test_ours_run_without_capabilities_on_a_read_only_disk() -> None:
    ours = [one for one in SERVICES.values() if one["image"].startswith("marquee")]
    assert len(ours) == len(SERVICES) - 2  # postgres, couchdb
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in ours)


def test_native_libraries_can_be_loaded_from_tmp() -> None:
    ours = [one for one in SERVICES.values() if one["image"].startswith("marquee")]
    assert ours
    assert all(one["tmpfs"][0].startswith("/tmp:exec,") for one in ours)


def test_named_volumes_are_declared() -> None:
    used = {volume for name in SERVICES for volume in volumes(name)}
    assert used <= FILE["volumes"].keys()
    assert used
