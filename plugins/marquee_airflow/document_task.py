"""The task publish_documents, and the login that Airflow's connection gives it.

It is in the graph where `[documents]` names a CouchDB.
"""

from __future__ import annotations

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from marquee.document_settings import DOCUMENTS_PASSWORD, DOCUMENTS_USER
from marquee_airflow.runs import login_of
from marquee_airflow.tasks import airflow_step, live_run

DOCUMENTS_CONNECTION = "couchdb_documents"


@task(trigger_rule="all_done")
@airflow_step
def publish_documents() -> str:
    """Publish the champions' answers to CouchDB.

    A skip where CouchDB is away to the end: the run goes on, and the next run delivers. It runs in
    every run, because an earlier one may have left documents owed.
    """
    from steps.publish_documents import publish_documents

    run = live_run("publish documents")
    if run is None:
        raise AirflowSkipException("a backfill publishes nothing")
    ti = get_current_context()["ti"]
    note = publish_documents(run, documents_login(), ti.try_number <= ti.max_tries)
    if note.startswith("owed: "):
        raise AirflowSkipException(note)
    return note


def documents_login() -> dict[str, str]:
    """The login of the connection `couchdb_documents`, as variables; see `login_of`."""
    return login_of(DOCUMENTS_CONNECTION, DOCUMENTS_USER, DOCUMENTS_PASSWORD)
