"""The few jars HDFS needs beside pyspark's own, through the Ivy that pyspark ships."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local_stack.paths import spark_jars
from local_stack.trust import trust_options
from marquee.digest import digest_file
from marquee.errors import StackError
from marquee.settings import Artifact, JarSettings


def fetch_jars(settings: JarSettings, java: Path, folder: Path) -> list[Path]:
    """Every artifact in `folder`, downloaded where missing, its sha256 checked each time."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_fetch(artifact, settings, java, folder) for artifact in settings.artifacts]


def _fetch(artifact: Artifact, settings: JarSettings, java: Path, folder: Path) -> Path:
    jar = folder / f"{artifact.name}-{artifact.version}.jar"
    if jar.is_file() and digest_file(jar) == artifact.sha256:
        return jar
    jar.unlink(missing_ok=True)
    print(f"fetching {jar.name}", flush=True)
    done = subprocess.run(
        _command(artifact, settings, java, folder), capture_output=True, text=True
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


def _cause(said: str) -> str:
    """Ivy's own reason, which stands in the middle of what it says."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [x for x in lines if "error" in x.lower() and "::" not in x]
    return (telling or lines or ["no answer"])[0]


def _command(artifact: Artifact, settings: JarSettings, java: Path, folder: Path) -> list[str]:
    (ivy,) = spark_jars("ivy-*.jar")
    command = [str(java), *trust_options(folder / "trust.p12"), "-jar", str(ivy)]
    if settings.settings:
        command += ["-settings", settings.settings]
    command += ["-cache", str(folder / "ivy"), "-notransitive", "-confs", "default"]
    command += ["-dependency", artifact.group, artifact.name, artifact.version]
    return [*command, "-types", "jar", "-retrieve", f"{folder}/[artifact]-[revision].[ext]"]
