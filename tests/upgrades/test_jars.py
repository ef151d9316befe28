"""The jars of HDFS: fetched by the real Ivy from a folder, checked, and named on the class path."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from local_stack.jar_setup import fetch_jars, jar_file
from local_stack.java_setup import cache_folder, jar_files, java_home, spark_jars
from marquee.daemon_settings import Artifact, JarSettings
from marquee.errors import StackError
from marquee.settings import load_settings

RESOLVER = """<ivysettings><settings defaultResolver="folder"/>
<resolvers><filesystem name="folder">
<artifact pattern="{repository}/[artifact]-[revision].[ext]"/>
</filesystem></resolvers></ivysettings>
"""


class Mirror:
    """A folder that Ivy takes for a repository, and the settings of one jar in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        (folder / "ivysettings.xml").write_text(RESOLVER.format(repository=self.folder))
        self.settings = str(folder / "ivysettings.xml")
        self.jars = folder / "jars"

    def offer(self, content: bytes, version: str = "1") -> None:
        (self.folder / f"thing-{version}.jar").write_bytes(content)

    def fetch(self, *artifacts: Artifact) -> list[Path]:
        java = java_home(cache_folder(load_settings("local"))) / "bin" / "java"
        (ivy,) = spark_jars("ivy-*.jar")
        wanted = JarSettings(settings=self.settings, artifacts=artifacts)
        return fetch_jars(wanted, java, ivy, self.jars)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


def thing(content: bytes, version: str = "1") -> Artifact:
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(group="org.example", name="thing", version=version, sha256=digest)


def test_a_jar_that_a_mirror_changed_is_refused_until_the_mirror_is_mended(mirror: Mirror) -> None:
    mirror.offer(b"not the jar")
    for _ in range(2):
        with pytest.raises(StackError, match=r"thing-1.jar came with sha256 .* check the mirror"):
            mirror.fetch(thing(b"the jar"))
        assert not list(mirror.jars.rglob("*thing*"))
    mirror.offer(b"the jar")
    (jar,) = mirror.fetch(thing(b"the jar"))
    assert jar.read_bytes() == b"the jar"


def test_a_jar_that_a_kill_cut_off_is_fetched_again(mirror: Mirror) -> None:
    mirror.offer(b"the jar")
    mirror.jars.mkdir()
    jar_file(thing(b"the jar"), mirror.jars).write_bytes(b"the j")
    (jar,) = mirror.fetch(thing(b"the jar"))
    assert jar.read_bytes() == b"the jar"


def test_what_is_there_needs_no_network(mirror: Mirror, capfd: pytest.CaptureFixture[str]) -> None:
    mirror.offer(b"the jar")
    jars = mirror.fetch(thing(b"the jar"))
    (mirror.folder / "thing-1.jar").unlink()
    capfd.readouterr()
    assert mirror.fetch(thing(b"the jar")) == jars
    assert capfd.readouterr().out == "", "nothing is fetched"
    with pytest.raises(StackError, match=r"could not fetch thing-2.jar: .* — is Maven Central"):
        mirror.fetch(thing(b"the jar"), thing(b"another", "2"))


def test_the_class_path_has_the_jars_of_this_release_alone(tmp_path: Path) -> None:
    settings = load_settings("local").model_copy(update={"cache": str(tmp_path)})
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "hadoop-hdfs-1.0.jar").touch()
    found = jar_files(settings)
    assert found and [jar.name for jar in found] == [
        f"{one.name}-{one.version}.jar" for one in settings.jars.artifacts
    ]
    assert {jar.parent for jar in found} == {tmp_path / "jars"}
