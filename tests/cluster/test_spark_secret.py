"""A Standalone master and a worker that want a secret: a job with it runs, others are refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local_stack.environment import job_environment
from local_stack.spark_checks import check_spark
from marquee.errors import SettingsError
from marquee.process_secrets import (
    SPARK_SECRET,
    spark_authentication,
    spark_secret,
    write_private,
)
from marquee.settings import Settings, load_settings
from steps.spark_submit import submit_command
from tests.cluster.conftest import PLACE, write_release
from tests.cluster.standalone import JAVA, MASTER, Standalone, eventually
from tests.plugins.free_ports import free_port

SECRET = "a-secret-of-the-tests-that-is-long-enough"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("secret")
    write_private(made / "spark.secret", SECRET + "\n")
    write_release(made / "release")
    return made


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Standalone]:
    """A master and a worker, started with what `host_daemon` gives them."""
    made = Standalone(folder, free_port(), free_port())
    flags = dict.fromkeys(("spark.authenticate", "spark.network.crypto.enabled"), "true")
    options = " ".join([JAVA, *(f"-D{name}={text}" for name, text in flags.items())])
    variables = {"SPARK_DAEMON_JAVA_OPTS": options, SPARK_SECRET: SECRET}
    words = ["--host", "127.0.0.1", "--port", str(made.port), "--webui-port", str(made.page_port)]
    try:
        made.start("master", MASTER, *words, **variables)
        eventually(lambda: made.state().get("status") == "ALIVE", folder)
        made.add_worker("worker0", **variables)
        eventually(lambda: made.workers_alive() == 1, folder)
        yield made
    finally:
        made.stop()


@pytest.fixture
def place(cluster: Standalone, folder: Path) -> Settings:
    file = folder / "secret.toml"
    words = {"folder": folder, "master": cluster.master, "page": cluster.page}
    text = PLACE.format(python=sys.executable, **words)
    wants = f'authenticate = true\nsecret_file = "{folder}/spark.secret"\n'
    file.write_text(text.replace("[spark]\n", f"[spark]\n{wants}"))
    return load_settings(str(file)).model_copy(update={"state": str(folder / "state")})


def with_file(place: Settings, path: Path, on: bool = True) -> Settings:
    spark = place.spark.model_copy(update={"secret_file": str(path), "authenticate": on})
    return place.model_copy(update={"spark": spark})


def submission(place: Settings) -> subprocess.Popen[str]:
    """Start the probe of the workers; it prints to a pipe."""
    environment = job_environment(place)
    Path(environment["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    command = submit_command(place, "probe_workers", "secret", environment["SPARK_ARCHIVE"])
    assert SECRET not in " ".join(command)
    assert (
        "spark.authenticate.secret=in-_SPARK_AUTH_SECRET" in command or not place.spark.authenticate
    )
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def command_lines(root: psutil.Process) -> Iterator[str]:
    """Those of a process and of all that it started; one that just ended has none."""
    for one in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            yield " ".join(one.cmdline())


@pytest.mark.timeout(900)
def test_a_job_with_the_secret_runs_and_no_command_line_shows_it(
    cluster: Standalone, place: Settings
) -> None:
    driver, seen = submission(place), set()
    roots = [psutil.Process(one.pid) for one in (driver, *cluster.processes.values())]
    while driver.poll() is None:
        seen |= {line for root in roots for line in command_lines(root)}
        time.sleep(0.1)
    printed = driver.communicate()[0]
    assert driver.returncode == 0, printed
    assert '"host"' in printed and SECRET not in printed
    for kind in (MASTER, "CoarseGrainedExecutorBackend", "SparkSubmit"):
        assert any(kind in line for line in seen), "it was looked at"
    assert not any(SECRET in line for line in seen)


@pytest.mark.timeout(900)
def test_a_job_without_it_is_refused_in_one_line(place: Settings, tmp_path: Path) -> None:
    """With a wrong one and with none, at the same time: Spark tries for a minute."""
    write_private(tmp_path / "other", "another-secret-that-is-long-enough")
    drivers = [submission(with_file(place, tmp_path / "other", on=on)) for on in (True, False)]
    for driver in drivers:
        printed = driver.communicate()[0]
        assert driver.returncode != 0
        (line,) = [one for one in printed.splitlines() if one.startswith("error: ")]
        assert "spark://127.0.0.1:" in line and "[spark] authenticate and secret_file" in line


def test_a_file_that_is_missing_is_said_before_a_driver_starts(
    place: Settings, tmp_path: Path
) -> None:
    driver = submission(with_file(place, tmp_path / "nowhere"))
    printed = driver.communicate()[0]
    assert driver.returncode != 0
    assert printed.startswith("error: Spark's secret cannot be read") and printed.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0o600, "cannot be read: .* — make one, and copy it to every host"),
        ("short", 0o600, "is shorter than 20 signs"),
        ("é" * 30, 0o600, "cannot be read: it is not ASCII"),
        (SECRET, 0o604, "anybody may read .* — chmod o="),
    ],
)
def test_a_file_that_protects_nothing_is_refused(
    place: Settings, tmp_path: Path, text: str | None, mode: int, says: str
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(SettingsError, match=says):
        spark_secret(with_file(place, path).spark)
    (finding,) = [f for f in check_spark(with_file(place, path).spark) if "secret" in f.name]
    assert not finding.passed and finding.remedy


def test_a_place_that_authenticates_names_its_file() -> None:
    spark = load_settings("cluster").spark.model_dump() | {"authenticate": True}
    with pytest.raises(ValueError, match="secret_file is the absolute path"):
        type(load_settings("cluster").spark)(**spark)


def test_locally_nothing_is_asked() -> None:
    spark = load_settings("local").spark
    assert spark_secret(spark) == "" and spark_authentication(spark) == {}
