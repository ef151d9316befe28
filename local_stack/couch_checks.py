"""Checks of the CouchDB of `[documents]`: its version, the login, and whose documents it holds.

`marquee doctor` prints the findings, where a CouchDB is named. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from marquee.addresses import shown
from marquee.document_settings import (
    DOCUMENTS_PASSWORD,
    DOCUMENTS_USER,
    OLDEST_COUCHDB,
    DocumentsSettings,
    version_of,
)
from marquee.host_checks import Finding
from marquee.settings import Settings

SECONDS = 10
LOGIN = f"set {DOCUMENTS_USER} and {DOCUMENTS_PASSWORD}, or correct Airflow's connection"


def check_couchdb(settings: Settings) -> Iterator[Finding]:
    """Ask the server for its version, and then for the database with the login."""
    documents = settings.documents
    if not documents.is_on:
        return
    login = (documents.user, documents.password.get_secret_value()) if documents.user else None
    with httpx.Client(auth=login, timeout=SECONDS, trust_env=False) as client:
        try:
            server = _server(client, documents)
            yield server
            if server.passed:
                yield _database(client, documents, settings.world)
        except (httpx.HTTPError, ValueError) as error:
            what = f"{shown(documents.url)} does not answer as CouchDB does: {type(error).__name__}"
            yield Finding("CouchDB", False, what, "start it, or correct [documents] url")


def _server(client: httpx.Client, documents: DocumentsSettings) -> Finding:
    answer = client.get(documents.url)
    where = shown(documents.url)
    if answer.status_code in (401, 403):
        return Finding("CouchDB", False, f"{where} refuses the login", LOGIN)
    found = answer.json()
    version = str(found.get("version", "")) if isinstance(found, dict) else ""
    least = ".".join(map(str, OLDEST_COUCHDB))
    passed = answer.status_code == 200 and version_of(version) >= OLDEST_COUCHDB
    says = f"{where} is version {version[:20] or 'unknown'}; {least} or later is wanted"
    return Finding("CouchDB", passed, says, f"install CouchDB {least} or later")


def _database(client: httpx.Client, documents: DocumentsSettings, world: str) -> Finding:
    name = "documents"
    where = f"{shown(documents.url)}/{documents.database}"
    answer = client.get(f"{documents.url}/{documents.database}/current")
    if answer.status_code in (401, 403):
        return Finding(name, False, f"{where} refuses the login", LOGIN)
    if answer.status_code == 404:
        return Finding(name, True, f"{where} is free: nothing is published there yet")
    found = answer.json()
    theirs = str(found.get("world", "")) if isinstance(found, dict) else ""
    says = f"{where} holds documents of the world '{theirs[:60]}'"
    return Finding(name, theirs == world, says, "name another [documents] database")
