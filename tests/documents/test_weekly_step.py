"""publish_documents in the weekly run: the note, an outage, and the task in Airflow's graph."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from documents.couch import Couch
from marquee.document_settings import DOCUMENTS_PASSWORD, DOCUMENTS_USER
from marquee.errors import AwayError, SourceError
from marquee.lake import Lake
from marquee.settings import load_settings
from steps.form import Form
from steps.publish_documents import publish_documents, read_note
from steps.run import Run
from steps.run_report import read_report, report
from tests.documents.test_document_faults import double
from tests.plugins.airflow_process import found_by
from tests.plugins.free_ports import free_port

SECRET = "s3cr3t-pass"
SCRIPT = """
import json, os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException
from types import SimpleNamespace
import marquee_airflow.document_task as module
import steps.publish_documents as step
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
dag = bag.dags["weekly_retrain"]
task = dag.get_task("publish_documents")
found = {"errors": bag.import_errors, "rule": str(task.trigger_rule.value),
         "upstream": sorted(task.upstream_task_ids), "downstream": sorted(task.downstream_task_ids),
         "minutes": task.execution_timeout.total_seconds() / 60, "ends": {},
         "login": module.documents_login()}
given = '{"conn_type": "http", "login": "w", "password": "p"}'
os.environ["AIRFLOW_CONN_COUCHDB_DOCUMENTS"] = given
found["connected"] = module.documents_login()
module.live_run = lambda what: SimpleNamespace()
for number in (6, 7):
    module.get_current_context = lambda: {"ti": SimpleNamespace(try_number=number, max_tries=6)}
    step.publish_documents = lambda run, login, may_retry: f"owed: {may_retry}"
    try:
        module.publish_documents.function()
    except AirflowSkipException as end:
        found["ends"][str(number)] = str(end)
"""


@pytest.fixture
def run(lake: Lake) -> Run:
    """A live run of a lake with champions."""
    settings = load_settings("local")
    moment = datetime(2026, 1, 11, 3, tzinfo=UTC)
    return Run("weekly", moment, "manual", Form.of(settings, {}), settings, lake)


def name_couch(monkeypatch: pytest.MonkeyPatch, url: str, database: str = "marquee") -> None:
    monkeypatch.setenv("MARQUEE_DOCUMENTS__URL", url)
    monkeypatch.setenv("MARQUEE_DOCUMENTS__DATABASE", database)


def test_the_run_publishes_and_its_report_says_so(
    run: Run, couch: Couch, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = couch.settings
    name_couch(monkeypatch, settings.url, settings.database)
    password = settings.password.get_secret_value()
    note = publish_documents(
        run, {DOCUMENTS_USER: settings.user, DOCUMENTS_PASSWORD: password}, True
    )
    generation = couch.get("current")["generation"]  # type: ignore[index]
    assert note.startswith(f"generation {generation} is current: 73 documents")
    report(run)
    assert read_report(run.lake, run.id)["documents"] == note


def test_an_outage_is_retried_then_owed_then_delivered(
    run: Run, couch: Couch, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_couch(monkeypatch, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(AwayError, match="does not answer"):
        publish_documents(run, {}, may_retry=True)
    assert read_note(run.lake, run.id) == "", "a retry follows: nothing is decided"
    note = publish_documents(run, {}, may_retry=False)
    assert note.startswith("owed: CouchDB at http://127.0.0.1:")
    assert publish_documents(run, {}, may_retry=False) == note
    assert [n for n in run.lake.names("runs/weekly") if "documents" in n] == ["documents.json"]
    settings = couch.settings
    name_couch(monkeypatch, settings.url, settings.database)
    monkeypatch.setenv(DOCUMENTS_USER, settings.user)
    monkeypatch.setenv(DOCUMENTS_PASSWORD, settings.password.get_secret_value())
    delivered = publish_documents(run, {}, may_retry=True)
    assert "is current" in delivered and read_note(run.lake, run.id) == delivered


def test_a_wrong_password_is_final_and_noted_without_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with double(401, b"{}") as url:
        name_couch(monkeypatch, url)
        login = {DOCUMENTS_USER: "writer", DOCUMENTS_PASSWORD: SECRET}
        with pytest.raises(SourceError, match="refuses the user 'writer'"):
            publish_documents(run, login, may_retry=True)
    note = read_note(run.lake, run.id)
    assert note.startswith("not published: CouchDB at") and "\n" not in note
    assert SECRET not in note + "".join(capfd.readouterr())


def test_airflow_s_graph_has_the_task_where_a_couchdb_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_couch(monkeypatch, "http://127.0.0.1:5984")
    monkeypatch.delenv(DOCUMENTS_USER, raising=False)
    found = found_by(SCRIPT, tmp_path)
    assert found["errors"] == {}
    assert {"budget.verify_serving", "recommender.verify_serving"} <= set(found["upstream"])
    assert (found["downstream"], found["rule"]) == (["report"], "all_done")
    assert found["minutes"] == load_settings("local").schedule.minutes["publish_documents"]
    assert found["login"] == {}
    assert found["connected"] == {DOCUMENTS_USER: "w", DOCUMENTS_PASSWORD: "p"}
    assert found["ends"] == {"6": "owed: True", "7": "owed: False"}
