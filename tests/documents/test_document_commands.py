"""`marquee documents check` and `status`, as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from documents.couch import Couch
from documents.publication import publish
from marquee.lake import Lake
from marquee.settings import REPOSITORY
from tests.plugins.free_ports import free_port


def typed(url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The finished command, at a place with this CouchDB."""
    given = {"MARQUEE_DOCUMENTS__URL": url, **variables}
    return subprocess.run(
        [sys.executable, "-m", "cli", "documents", *arguments],
        cwd=REPOSITORY,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("foo", "'foo' is not http://host:port"),
        ("127.0.0.1:8000", "'127.0.0.1:8000' is not http://host:port"),
        ("ftp://host", "is not http://host:port"),
        ("http://", "is not host:port"),
        ("http://host:99999", "is not host:port"),
        ("http://ada:s3cr3t@host", "'…@host' is not host:port"),
    ],
)
def test_an_address_of_no_api_is_one_line(address: str, says: str) -> None:
    done = typed("http://127.0.0.1:1", "check", "--api", address)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: the API's address ") and says in done.stderr
    assert done.stderr.count("\n") == 1 and "--api http://host:port" in done.stderr
    assert "s3cr3t" not in done.stderr


@pytest.mark.parametrize("url", ["foo", "127.0.0.1:5984", "http://ada:s3cr3t@host:5984"])
@pytest.mark.parametrize("command", ["publish", "check", "status"])
def test_an_address_of_no_couchdb_is_one_line(command: str, url: str) -> None:
    done = typed(url, command)
    assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done.stderr
    assert "documents" in done.stderr and "s3cr3t" not in done.stderr


def test_another_server_at_the_apis_port_and_none_are_one_line(lake: Lake, couch: Couch) -> None:
    publish(lake, couch, lambda _: None)
    name = {"MARQUEE_DOCUMENTS__DATABASE": couch.settings.database}
    done = typed(couch.settings.url, "check", "--api", couch.settings.url, **name)
    assert done.returncode == 1 and "not as Marquee's API does — give" in done.stderr, done.stderr
    nobody = f"http://127.0.0.1:{free_port()}"
    done = typed(couch.settings.url, "check", "--api", nobody, **name)
    assert f"the API at {nobody} does not answer" in done.stderr and "--api" in done.stderr


def test_status_names_the_command_as_this_shell_runs_it(
    lake: Lake, couch: Couch, tmp_path: Path
) -> None:
    variables = {"MARQUEE_DOCUMENTS__DATABASE": couch.settings.database, "PATH": str(tmp_path)}
    done = typed(couch.settings.url, "status", "--lake", lake.root, **variables)
    assert done.returncode == 1, done.stderr
    assert "marquee documents publish" not in done.stdout.replace("/marquee documents", "")
    assert "documents publish` creates it" in done.stdout
