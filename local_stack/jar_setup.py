"""Jars that pyspark lacks (HDFS, MLeap): fetched by its Ivy, and checked by their digests."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate

from marquee.errors import StackError
from marquee.identifiers import digest_file
from marquee.settings import Artifact, JarSettings

TRUST_STORE_PASSWORD = (
    "changeit"  # Java's default password; the store holds public certificates only
)


MANY = 10
"""So many missing jars are fetched together."""


def fetch_jars(settings: JarSettings, java: Path, ivy: Path, folder: Path) -> list[Path]:
    """Fetch the missing jars into `folder`, with pyspark's Ivy (a jar); returns all paths.

    Every call checks every jar's SHA-256. Raises StackError for a jar that cannot be fetched, or
    that has another SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(java), *trust_options(folder / "trust.p12"), "-jar", str(ivy)]
    if settings.settings:
        command += ["-settings", settings.settings]
    missing = [one for one in settings.artifacts if not jar_file(one, folder).is_file()]
    if len(missing) >= MANY:
        _fetch_together(missing, command, folder)
    return [_fetch(artifact, command, folder) for artifact in settings.artifacts]


def jar_file(artifact: Artifact, folder: Path) -> Path:
    """Where a jar lies; its version is in the name, so that releases share a folder."""
    return folder / f"{artifact.name}-{artifact.version}.jar"


def _fetch_together(missing: Sequence[Artifact], ivy: list[str], folder: Path) -> None:
    """Fetch many jars with one Java, which takes seconds to start. `_fetch` then checks each jar,
    and fetches what did not come."""
    print(f"fetching {len(missing)} jars", flush=True)
    module = ElementTree.Element("ivy-module", version="2.0")
    ElementTree.SubElement(module, "info", organisation="marquee", module="jars")
    listed = ElementTree.SubElement(module, "dependencies")
    for one in missing:
        facts = {"org": one.group, "name": one.name, "rev": one.version, "transitive": "false"}
        ElementTree.SubElement(listed, "dependency", {**facts, "conf": "default"})
    with tempfile.TemporaryDirectory(dir=folder, prefix="ivy-") as once:
        file = Path(once) / "ivy.xml"
        ElementTree.ElementTree(module).write(file)
        command = [*ivy, "-cache", once, "-ivy", str(file), *_retrieved_into(folder)]
        subprocess.run(command, capture_output=True)


def _fetch(artifact: Artifact, ivy: list[str], folder: Path) -> Path:
    jar = jar_file(artifact, folder)
    if jar.is_file() and digest_file(jar) == artifact.sha256:
        return jar
    jar.unlink(missing_ok=True)
    print(f"fetching {jar.name}", flush=True)
    # A cache that Ivy kept would give a refused jar again, after its mirror was mended.
    with tempfile.TemporaryDirectory(dir=folder, prefix="ivy-") as once:
        command = [*ivy, "-cache", once, *_retrieval(artifact, folder)]
        done = subprocess.run(command, capture_output=True, text=True)
    if not jar.is_file():
        raise StackError(
            f"could not fetch {jar.name}: {_cause(done.stdout + done.stderr)}",
            "is Maven Central reachable? behind a mirror, set jars.settings to an ivysettings.xml",
        )
    found = digest_file(jar)
    if found != artifact.sha256:
        jar.unlink()
        raise StackError(
            f"{jar.name} came with sha256 {found[:12]}…, not {artifact.sha256[:12]}…",
            "do not use it: check the mirror in jars.settings",
        )
    return jar


def _retrieval(artifact: Artifact, folder: Path) -> list[str]:
    wanted = ["-dependency", artifact.group, artifact.name, artifact.version]
    return ["-notransitive", "-confs", "default", *wanted, *_retrieved_into(folder)]


def _retrieved_into(folder: Path) -> list[str]:
    return ["-types", "jar", "bundle", "-retrieve", f"{folder}/[artifact]-[revision].[ext]"]


def trust_options(store: Path) -> list[str]:
    """Write this machine's certificate authorities to `store`; returns Java's options for it.

    A Java from PyPI trusts public authorities only. A company's proxy may have its own authority,
    which the machine's store (or SSL_CERT_FILE) contains. Returns no options if Python finds no
    authorities.
    """
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not found:
        return []
    with warnings.catch_warnings():
        # Serial numbers of some public authorities break newer rules and cause warnings.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        certificates = [
            PKCS12Certificate(load_der_x509_certificate(der), f"authority-{number}".encode())
            for number, der in enumerate(found)
        ]
    password = TRUST_STORE_PASSWORD
    store.write_bytes(
        serialize_java_truststore(certificates, BestAvailableEncryption(password.encode()))
    )
    name = "-Djavax.net.ssl.trustStore"
    return [f"{name}={store}", f"{name}Type=PKCS12", f"{name}Password={password}"]


def _cause(output: str) -> str:
    """The line of Ivy's output that states the error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [x for x in lines if "error" in x.lower() and "::" not in x]
    return (errors or lines or ["no answer"])[0]
