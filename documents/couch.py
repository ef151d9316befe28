"""CouchDB over HTTP: documents by id and revision, many at once, and its errors as ours.

A revision is a compare-and-swap: a write names the revision that it replaces, and is refused with
409 where another writer came first. Many at once are answered row by row (HTTP 201 also where
every row was refused).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from marquee.addresses import shown
from marquee.document_settings import (
    DOCUMENTS_PASSWORD,
    DOCUMENTS_USER,
    OLDEST_COUCHDB,
    DocumentsSettings,
    version_of,
)
from marquee.errors import AwayError, DocumentConflictError, SettingsError, SourceError

Document = dict[str, Any]
SECONDS_TO_CONNECT, SECONDS_TO_ANSWER = 5.0, 120.0
PAGE = 5000
"""Rows of one page of a listing."""
OWED = "start it; `marquee documents publish` goes on where this one stopped"


class Couch:
    """One database of a CouchDB. Every method may raise AwayError, or SettingsError for a login.

    No error shows a password: the address has none (`DocumentsSettings`), and it goes in a header.
    """

    def __init__(self, settings: DocumentsSettings, seconds: float = SECONDS_TO_ANSWER) -> None:
        if not settings.is_on:
            raise SettingsError(
                "no CouchDB is named: [documents] url is empty",
                "set it, or MARQUEE_DOCUMENTS__URL=http://host:5984",
            )
        self.settings = settings
        self.where = f"{shown(settings.url)}/{settings.database}"
        user, password = settings.user, settings.password.get_secret_value()
        self._client = httpx.Client(
            auth=(user, password) if user else None,
            timeout=httpx.Timeout(seconds, connect=SECONDS_TO_CONNECT),
            trust_env=False,
        )

    def __enter__(self) -> Couch:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def open(self) -> None:
        """Create the database where it is missing; SourceError for a server that is too old.

        A member of an existing database may write there, and may create none.
        """
        self.require_version()
        if not self.exists():
            self._ask("PUT", "", accepted=(201, 202, 412))  # 412: somebody was first

    def require_version(self) -> str:
        """The server's version; SourceError where it is too old, or no CouchDB."""
        found = self._json(self._send("GET", self.settings.url, None))
        version = str(found.get("version", "")) if isinstance(found, dict) else ""
        if version_of(version) < OLDEST_COUCHDB:
            least = ".".join(map(str, OLDEST_COUCHDB))
            what = f"is CouchDB {version[:20]}" if version_of(version) > (0, 0) else "is no CouchDB"
            raise SourceError(f"{shown(self.settings.url)} {what}", f"give one of {least} or later")
        return version

    def exists(self) -> bool:
        """Whether the database is there."""
        return self._ask("GET", "", accepted=(200, 404)).status_code == 200

    def get(self, identifier: str) -> Document | None:
        """A document; None where there is none."""
        found = self._ask("GET", quote(identifier, safe=":"), accepted=(200, 404))
        return None if found.status_code == 404 else self._document(found)

    def put(self, document: Document) -> str:
        """Write a document over the revision that it names (or none); returns the new revision.

        Raises DocumentConflictError where that revision is not the latest.
        """
        path = quote(document["_id"], safe=":")
        found = self._ask("PUT", path, document, accepted=(201, 202, 409))
        if found.status_code == 409:
            what = f"{self.where}/{document['_id']} was changed meanwhile"
            raise DocumentConflictError(what, "try again, while nobody else writes")
        return str(self._document(found)["rev"])

    def write(self, documents: Sequence[Document]) -> dict[str, str]:
        """Write many documents; returns the new revisions by id. Those with another latest
        revision (409) stay, and are not among them.

        Raises AwayError or SourceError for a row that was refused for another reason.
        """
        if not documents:
            return {}
        found = self._json(self._ask("POST", "_bulk_docs", {"docs": list(documents)}))
        if not isinstance(found, list) or len(found) != len(documents):
            raise SourceError(f"{self.where} answers no CouchDB's rows", "look at what runs there")
        refused = [row for row in found if isinstance(row, dict) and row.get("error")]
        others = [row for row in refused if row["error"] != "conflict"]
        if others:
            raise self._refused(others)
        return {str(row["id"]): str(row["rev"]) for row in found if row not in refused}

    def delete(self, rows: Sequence[tuple[str, str]]) -> int:
        """Delete documents by id and revision; returns how many were. Changed ones stay."""
        gone = [{"_id": name, "_rev": rev, "_deleted": True} for name, rev in rows]
        return len(self.write(gone))

    def several(self, identifiers: Sequence[str]) -> dict[str, Document]:
        """The documents of these ids that exist, by id."""
        found = self._ask("POST", "_all_docs?include_docs=true", {"keys": list(identifiers)})
        rows = self._document(found).get("rows", ())
        return {row["id"]: row["doc"] for row in rows if row.get("doc")}

    def rows(self, prefix: str) -> Iterator[list[tuple[str, str]]]:
        """Pages of ids and revisions, by id, of all documents whose id begins with `prefix:`.

        The documents of a page may be deleted before the next page is taken.
        """
        start = f"{prefix}:"
        while True:
            # In _all_docs ids are ordered by their bytes, and `;` follows `:`.
            asked = {"startkey": start, "endkey": f"{prefix};", "limit": PAGE}
            query = "&".join(f"{key}={quote(json.dumps(value))}" for key, value in asked.items())
            found = self._document(self._ask("GET", f"_all_docs?{query}")).get("rows", [])
            every = [(str(row["id"]), str(row["value"]["rev"])) for row in found]
            if page := [row for row in every if row[0] != start]:
                yield page
            if len(every) < PAGE:
                return
            start = every[-1][0]

    def count(self, prefix: str) -> int:
        """How many documents have an id that begins with `prefix:`."""
        return sum(map(len, self.rows(prefix)))

    def _ask(
        self, method: str, path: str, body: Any = None, accepted: tuple[int, ...] = (200, 201, 202)
    ) -> httpx.Response:
        address = f"{self.settings.url}/{self.settings.database}"
        found = self._send(method, f"{address}/{path}" if path else address, body)
        if found.status_code == 413:
            raise SourceError(f"{self.where} takes no request so large", "lower [documents] batch")
        if found.status_code not in accepted:
            raise self._unexpected(found, self.where)
        return found

    def _send(self, method: str, address: str, body: Any) -> httpx.Response:
        try:
            found = self._client.request(method, address, json=body)
        except httpx.TransportError as error:
            what = f"CouchDB at {shown(self.settings.url)} does not answer ({type(error).__name__})"
            raise AwayError(what, OWED) from None
        if found.status_code in (401, 403):
            raise self._wrong_login()
        if found.status_code in (408, 429) or found.status_code >= 500:
            what = f"CouchDB at {shown(self.settings.url)} answers {found.status_code}"
            raise AwayError(f"{what}{_reason(found)}", OWED)
        return found

    def _wrong_login(self) -> SettingsError:
        user = self.settings.user
        who = f"refuses the user '{user[:60]}'" if user else "asks for a user and a password"
        return SettingsError(
            f"CouchDB at {shown(self.settings.url)} {who}",
            f"set {DOCUMENTS_USER} and {DOCUMENTS_PASSWORD}, or correct Airflow's connection",
        )

    def _refused(self, rows: Sequence[Mapping[str, Any]]) -> Exception:
        """A server that is short of something refuses rows for a while; a rule, for ever."""
        first = rows[0]
        what = f"{self.where} refuses {len(rows)} documents, first {first.get('id')}: "
        what += f"{first['error']}: {str(first.get('reason', ''))[:200]}"
        if first["error"] in ("forbidden", "unauthorized", "bad_request", "doc_validation"):
            return SourceError(what, "look at the database's design documents and its members")
        return AwayError(what, OWED)

    def _unexpected(self, found: httpx.Response, where: str) -> SourceError:
        what = f"{where} answers {found.status_code}{_reason(found)}"
        remedy = "was the database deleted meanwhile? Publish again, or look at what runs there"
        return SourceError(what, remedy if found.status_code == 404 else "look at what runs there")

    def _json(self, found: httpx.Response) -> Any:
        try:
            return found.json()
        except ValueError:
            raise SourceError(
                f"{shown(self.settings.url)} answers no JSON: it is no CouchDB",
                "correct [documents] url",
            ) from None

    def _document(self, found: httpx.Response) -> Document:
        value = self._json(found)
        if not isinstance(value, dict):
            raise self._unexpected(found, self.where)
        return value


def _reason(found: httpx.Response) -> str:
    """What CouchDB says about an error, in brackets; empty where it says nothing."""
    try:
        value = found.json()
    except ValueError:
        return ""
    said = str(value.get("reason") or value.get("error") or "") if isinstance(value, dict) else ""
    return f" ({said[:200]})" if said else ""
