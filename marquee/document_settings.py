"""The settings of documents in a CouchDB, and where their secret may stand.

The name and the password come from the environment (an Airflow connection is passed on in it), and
a file that names one is refused: files are read by many processes and shown by commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr, field_validator

from marquee.addresses import check_page, shown
from marquee.place_settings import Section

PREFIX = "MARQUEE_DOCUMENTS__"
DOCUMENTS_USER, DOCUMENTS_PASSWORD = f"{PREFIX}USER", f"{PREFIX}PASSWORD"
SECRET_KEYS = ("user", "password")
OLDEST_COUCHDB = (3, 4)
"""Releases before get no repairs any more, and store passwords under a weaker hash."""


class DocumentsSettings(Section):
    """A CouchDB, and what is published there."""

    url: str
    database: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,99}$")
    top_n: int = Field(ge=1, le=100)
    batch: int = Field(ge=1, le=10_000)
    keep: int = Field(ge=2, le=52)
    user: str = ""
    password: SecretStr = SecretStr("")

    @field_validator("url")
    @classmethod
    def _url_is_an_address(cls, value: str) -> str:
        if "@" in value:
            raise ValueError(
                f"'{shown(value)}' holds a name or a password; {DOCUMENTS_USER} and "
                f"{DOCUMENTS_PASSWORD} in the environment do"
            )
        if value:
            check_page(value)
        return value.rstrip("/")

    @property
    def is_on(self) -> bool:
        """Whether a CouchDB is named."""
        return bool(self.url)


def secrets_in_files(files: Mapping[str, Any]) -> list[str]:
    """A sentence for each secret of documents that a settings file holds; it shows none."""
    section = files.get("documents")
    held = [key for key in SECRET_KEYS if isinstance(section, Mapping) and section.get(key)]
    return [f"documents.{key}: stands in a file; set {PREFIX}{key.upper()} instead" for key in held]


def version_of(text: str) -> tuple[int, int]:
    """Major and minor number of a CouchDB's `version`; (0, 0) for text that is none."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
