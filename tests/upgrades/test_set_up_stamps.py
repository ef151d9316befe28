"""What `make setup` notices: another Java, other jars, a set-up that was killed halfway."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from local_stack import bootstrap, java_setup
from local_stack.java_setup import (
    cache_folder,
    class_archive,
    java_home,
    record_class_archive,
)
from marquee.settings import load_settings

JAVA = """#!/bin/sh
echo 'openjdk version "{version}.0.1"' >&2
"""
SUBMIT = """#!/bin/sh
# Stands in for Spark's, whose recording takes a minute: writes the archive that it is told to.
echo recorded >> "$(dirname "$0")/runs"
for word do
  case "$word" in *ArchiveClassesAtExit=*) echo classes > "${word#*ArchiveClassesAtExit=}";; esac
done
exit $(cat "$(dirname "$0")/status")
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete cache, as `set_up` leaves it."""
    made = tmp_path / "cache"
    made.mkdir()
    monkeypatch.setenv("MARQUEE_CACHE", str(made))
    install_java(tmp_path / "java", 17)
    (made / "java.json").write_text(json.dumps({"home": str(tmp_path / "java")}))
    (made / "ready").write_text(bootstrap.java_identity(tmp_path / "java"))
    assert bootstrap._is_complete()
    return made


def install_java(home: Path, version: int) -> None:
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "bin" / "java").write_text(JAVA.format(version=version))
    (home / "bin" / "java").chmod(0o755)


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pyspark's folder with two jars, and a stand-in for its spark-submit."""
    home = tmp_path / "pyspark"
    (home / "bin").mkdir(parents=True)
    (home / "jars").mkdir()
    for name in ("spark-core.jar", "ivy-2.jar"):
        (home / "jars" / name).write_text(name)
    (home / "bin" / "spark-submit").write_text(SUBMIT)
    (home / "bin" / "spark-submit").chmod(0o755)
    (home / "bin" / "status").write_text("0")
    monkeypatch.setattr(java_setup, "spark_home", lambda: home)
    return home


def runs(spark: Path) -> int:
    """How often the archive was recorded since the last call."""
    file = spark / "bin" / "runs"
    count = len(file.read_text().splitlines()) if file.exists() else 0
    file.unlink(missing_ok=True)
    return count


def test_a_set_up_is_complete_with_the_java_that_it_found(cache: Path, tmp_path: Path) -> None:
    os.utime(tmp_path / "java" / "bin" / "java", (1, 1))
    assert not bootstrap._is_complete(), "the system has brought another Java"
    (cache / "ready").unlink()
    assert not bootstrap._is_complete(), "a set-up was killed"


@pytest.mark.parametrize("note", ["", '{"home": ', "{}"])
def test_a_note_that_a_kill_cut_off_is_written_again(
    cache: Path, note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "java.json").write_text(note)
    assert not bootstrap._is_complete()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    assert java_home(cache) == tmp_path / "java" and bootstrap._is_complete()


def test_the_empty_stamp_of_an_older_release_says_nothing(cache: Path, tmp_path: Path) -> None:
    (cache / "ready").write_text("")
    assert not bootstrap._is_complete()
    shutil.rmtree(tmp_path / "java")
    assert not bootstrap._is_complete(), "and its Java is gone"


def test_a_java_that_became_too_new_is_left_for_one_that_fits(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_java(tmp_path / "java", 25)
    install_java(tmp_path / "fits", 21)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "fits"))
    assert java_setup._fit_java(cache) == tmp_path / "fits" == java_home(cache)


def test_the_archive_is_recorded_once_for_each_java_and_each_jar(
    cache: Path, spark: Path, tmp_path: Path
) -> None:
    home = tmp_path / "java"
    for _ in range(2):
        record_class_archive(home, cache)
    assert class_archive(cache).read_text() == "classes\n" and runs(spark) == 1
    os.utime(home / "bin" / "java", (1, 1))
    record_class_archive(home, cache)
    assert runs(spark) == 1, "another Java"
    jar = spark / "jars" / "spark-core.jar"
    os.utime(jar, (1, 1))
    record_class_archive(home, cache)
    assert runs(spark) == 1, "a JVM compares the times of jars"
    jar.rename(jar.with_name("spark-core-4.jar"))
    record_class_archive(home, cache)
    assert runs(spark) == 1, "another jar"


@pytest.mark.parametrize("lost", ["spark.jsa", "spark.jsa.made-by"])
def test_a_recording_that_was_killed_is_repeated(
    cache: Path, spark: Path, tmp_path: Path, lost: str
) -> None:
    record_class_archive(tmp_path / "java", cache)
    (cache / lost).unlink()
    (cache / "spark.new").write_text("half")
    record_class_archive(tmp_path / "java", cache)
    assert runs(spark) == 2 and class_archive(cache).read_text() == "classes\n"
    assert not (cache / "spark.new").exists()


def test_a_recording_that_fails_leaves_no_archive_of_an_older_java(
    cache: Path, spark: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_class_archive(tmp_path / "java", cache)
    os.utime(tmp_path / "java" / "bin" / "java", (1, 1))
    (spark / "bin" / "status").write_text("1")
    record_class_archive(tmp_path / "java", cache)
    assert not class_archive(cache).exists() and not (cache / "spark.new").exists()
    assert "Spark will start more slowly" in capsys.readouterr().out


def test_the_cache_of_this_machine_bears_the_java_that_it_was_made_with() -> None:
    cache = cache_folder(load_settings("local"))
    assert bootstrap.java_identity(java_home(cache)), "it has files of classes, or a program"


def test_a_jar_in_the_settings_is_part_of_the_stamp(tmp_path: Path) -> None:
    base = (bootstrap.REPOSITORY / "config" / "base.toml").read_text("utf-8")
    changed, moved = tmp_path / "changed.toml", tmp_path / "moved.toml"
    digest = load_settings("local").jars.artifacts[-1].sha256
    assert digest in base
    changed.write_text(base.replace(digest, digest[::-1]), "utf-8")
    moved.write_text(base.replace("[lake]", "# a remark\n[lake]", 1), "utf-8")
    ours = bootstrap._jars(bootstrap.REPOSITORY / "config" / "base.toml")
    assert ours != bootstrap._jars(changed) and ours == bootstrap._jars(moved)
