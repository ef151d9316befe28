"""Jars that pyspark lacks: fetched by its Ivy, and checked by their digests.

The settings name those of HDFS. `config/jars/` has a list for each optional part, such as Kafka's
broker and MLeap's runtime.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import tempfile
import tomllib
import warnings
from pathlib import Path
from xml.sax.saxutils import quoteattr

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate

from marquee.daemon_settings import Artifact, JarSettings
from marquee.errors import SettingsError, StackError
from marquee.identifiers import digest_file
from marquee.settings import REPOSITORY

TRUST_STORE_PASSWORD = (
    "changeit"  # Java's default password; the store holds public certificates only
)
_JAR_LINE = re.compile(
    r"(?P<group>[^\s:]+):(?P<name>[^\s:]+):(?P<version>[^\s:]+) (?P<sha256>[0-9a-f]{64})"
)


def fetch_jars(settings: JarSettings, java: Path, ivy: Path, folder: Path) -> list[Path]:
    """Fetch the missing jars into `folder`, with one run of pyspark's Ivy (a jar); all paths.

    Every call checks every jar's SHA-256. Raises StackError for a jar that cannot be fetched, or
    that has another SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [one for one in settings.artifacts if not _is_there(one, folder)]
    if missing:
        command = [str(java), *trust_options(folder / "trust.p12"), "-jar", str(ivy)]
        command += ["-settings", settings.settings] if settings.settings else []
        _fetch(missing, command, folder)
    return [jar_file(artifact, folder) for artifact in settings.artifacts]


def listed_jars(name: str, settings: JarSettings) -> JarSettings:
    """The jars of an optional part, such as "kafka": those of the list `config/jars/<name>.toml`.

    Raises SettingsError for a line that is not `group:name:version sha256`.
    """
    path = REPOSITORY / "config" / "jars" / f"{name}.toml"
    lines = tomllib.loads(path.read_text("utf-8"))["jars"]
    found = [_JAR_LINE.fullmatch(line) for line in lines]
    if wrong := [line for line, match in zip(lines, found) if match is None]:
        raise SettingsError(f"{path}: '{wrong[0]}'", "write group:name:version sha256")
    artifacts = tuple(Artifact(**match.groupdict()) for match in found if match)
    return settings.model_copy(update={"artifacts": artifacts})


def jar_file(artifact: Artifact, folder: Path) -> Path:
    """Where a jar lies; its version is in the name, so that releases share a folder."""
    return folder / f"{artifact.name}-{artifact.version}.jar"


def _is_there(artifact: Artifact, folder: Path) -> bool:
    jar = jar_file(artifact, folder)
    if jar.is_file() and digest_file(jar) == artifact.sha256:
        return True
    jar.unlink(missing_ok=True)
    return False


def _fetch(artifacts: list[Artifact], ivy: list[str], folder: Path) -> None:
    for artifact in artifacts:
        print(f"fetching {jar_file(artifact, folder).name}", flush=True)
    # A cache that Ivy kept would give a refused jar again, after its mirror was mended.
    with tempfile.TemporaryDirectory(dir=folder, prefix="ivy-") as once:
        wanted = Path(once) / "wanted.xml"
        wanted.write_text(_module(artifacts), "utf-8")
        command = [*ivy, "-cache", once, "-ivy", str(wanted), "-confs", "default"]
        command += ["-retrieve", f"{folder}/[artifact]-[revision].[ext]"]
        done = subprocess.run(command, capture_output=True, text=True)
    output = done.stdout + done.stderr
    for artifact in sorted(artifacts, key=lambda one: _coordinates(one) not in output):
        _check(artifact, folder, output)


def _check(artifact: Artifact, folder: Path, output: str) -> None:
    """Raise StackError where the jar did not come, or is another one; then it is removed."""
    jar = jar_file(artifact, folder)
    if not jar.is_file():
        raise StackError(
            f"could not fetch {jar.name}: {_cause(output)}",
            "is Maven Central reachable? behind a mirror, set jars.settings to an ivysettings.xml",
        )
    found = digest_file(jar)
    if found != artifact.sha256:
        jar.unlink()
        raise StackError(
            f"{jar.name} came with sha256 {found[:12]}…, not {artifact.sha256[:12]}…",
            "do not use it: check the mirror in jars.settings",
        )


def _module(artifacts: list[Artifact]) -> str:
    """Ivy's description of a module that needs these jars and nothing that they ask for."""
    rows = (
        f"<dependency org={quoteattr(one.group)} name={quoteattr(one.name)} "
        f'rev={quoteattr(one.version)} transitive="false" conf="default->*">'
        f'<artifact name={quoteattr(one.name)} type="jar" ext="jar"/></dependency>'
        for one in artifacts
    )
    head = '<info organisation="marquee" module="jars"/>'
    head += '<configurations><conf name="default"/></configurations>'
    return (
        f'<ivy-module version="2.0">{head}<dependencies>{"".join(rows)}</dependencies></ivy-module>'
    )


def _coordinates(artifact: Artifact) -> str:
    """A jar as Ivy's line about one that it has not found names it."""
    return f"not found: {artifact.group}#{artifact.name};{artifact.version}"


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
