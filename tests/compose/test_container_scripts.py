"""The scripts of docker/: a slot for each replica, secrets made once, health checks."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from marquee.process_secrets import CONNECT_SECRET, CONNECT_TOKEN
from marquee.settings import REPOSITORY
from steps.shipped_code import code_zip

SCRIPTS = REPOSITORY / "docker"
HEALTH = b'{"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}'


def replica(data: Path) -> subprocess.Popen[str]:
    """A container's process with a slot, which says its folder and waits."""
    return subprocess.Popen(
        ["sh", str(SCRIPTS / "entrypoint.sh"), "sh", "-c", 'echo "$MARQUEE_DATA"; exec sleep 60'],
        env=os.environ | {"MARQUEE_SLOTS": "yes", "MARQUEE_DATA": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    )


def folder_of(process: subprocess.Popen[str]) -> str:
    """What it said."""
    assert process.stdout
    return Path(process.stdout.readline().strip()).name


def test_replicas_of_one_volume_take_folders_of_their_own_and_find_them_again(
    tmp_path: Path,
) -> None:
    processes = [replica(tmp_path) for _ in range(3)]
    try:
        assert sorted(map(folder_of, processes)) == ["1", "2", "3"]
        processes[1].send_signal(signal.SIGKILL)
        processes[1].wait()
        processes.append(replica(tmp_path))
        assert folder_of(processes[-1]) in {"1", "2", "3"}
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"]


def test_without_slots_the_folder_stays(tmp_path: Path) -> None:
    command = ["sh", str(SCRIPTS / "entrypoint.sh"), "sh", "-c", "echo $MARQUEE_DATA"]
    environment = {**os.environ, "MARQUEE_DATA": str(tmp_path)}
    assert subprocess.check_output(command, env=environment, text=True).strip() == str(tmp_path)


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    names = ("database", "spark", "documents", "connect", "engines")
    folders = [tmp_path / name for name in names]
    for folder in folders:
        folder.mkdir()
    made = []
    for _ in range(2):
        subprocess.run(["sh", str(SCRIPTS / "make_secrets.sh"), *map(str, folders)], check=True)
        made.append([(folders[0] / "password").read_text(), (folders[1] / "spark").read_text()])
    assert made[0] == made[1]
    assert [len(secret) for secret in made[0]] == [64, 64]
    assert made[0][0] != made[0][1]
    address = (folders[0] / "airflow-database").read_text()
    assert address == f"postgresql+psycopg2://airflow:{made[0][0]}@postgres/airflow"
    token, secret = ((folders[3] / name).read_text() for name in ("token", "secret"))
    assert len({token, secret, *made[0]}) == 4 and len(token) == len(secret) == 64
    shown = f"{CONNECT_SECRET}={secret}\n"
    assert (folders[4] / "engines").read_text() == shown
    assert (folders[3] / "connect").read_text() == f"{CONNECT_TOKEN}={token}\n{shown}"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*/*")}
    files = ("password", "airflow-database", "spark", "couchdb", "documents",
             "token", "secret", "connect", "engines")  # fmt: skip
    assert modes == dict.fromkeys(files, 0o600)
    password = (folders[2] / "password").read_text()
    login = "COUCHDB_USER=marquee\nCOUCHDB_PASSWORD="
    assert (folders[2] / "couchdb").read_text() == f"{login}{password}\n"
    assert password not in made[0] and len(password) == 64


def test_the_entrypoint_gives_the_variables_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("MARQUEE_DOCUMENTS__PASSWORD=abc\n")
    command = [
        "sh",
        str(SCRIPTS / "entrypoint.sh"),
        "sh",
        "-c",
        "echo $MARQUEE_DOCUMENTS__PASSWORD",
    ]
    for name, expected in (("documents", "abc"), ("nothing", "")):
        environment = {**os.environ, "MARQUEE_VARIABLES_FILE": str(tmp_path / name)}
        assert subprocess.check_output(command, env=environment, text=True).strip() == expected


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The address of a page with Airflow's health."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(HEALTH)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.mark.parametrize(
    ("expected", "status"),
    [
        ([], 0),
        (["scheduler"], 0),
        (["nobody"], 1),
        (["scheduler=healthy"], 0),
        (["triggerer=healthy"], 1),
        (["dag_processor=healthy"], 1),
    ],
)
def test_health_is_what_the_page_says(page: str, expected: list[str], status: int) -> None:
    command = [sys.executable, "-IS", str(SCRIPTS / "healthy.py"), page, *expected]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status
    assert bool(done.stdout) == bool(status)


def test_a_page_that_is_not_there_is_unhealthy(page: str) -> None:
    command = [sys.executable, "-IS", str(SCRIPTS / "healthy.py"), "http://127.0.0.1:9/"]
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_a_file_that_its_process_no_longer_writes_is_unhealthy(tmp_path: Path) -> None:
    status = tmp_path / "stream.json"
    command = [sys.executable, "-IS", str(SCRIPTS / "healthy.py"), f"file://{status}", '"ok"']
    assert subprocess.run(command, capture_output=True).returncode == 1
    status.write_text('"ok"')
    assert subprocess.run(command).returncode == 0
    os.utime(status, (1e9, 1e9))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "was not written for 60 s" in done.stdout


def test_the_code_zip_of_an_image_is_used_where_nobody_can_write(tmp_path: Path) -> None:
    code_zip(tmp_path)
    again = f"from pathlib import Path; print(code_zip(Path({str(tmp_path)!r})))"
    program = f"from steps.shipped_code import code_zip; {again}"
    script = (
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 77\n'
        '! touch "$1/one" 2>/dev/null && exec "$2" -c "$3"'
    )
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    command = [*own, str(tmp_path), sys.executable, program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode in (1, 77) and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"no namespace of mounts here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in tmp_path.iterdir()] == [done.stdout.strip()]


def test_a_disk_without_locks_ends_a_replica_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "flock").write_text("#!/bin/sh\nexit 71\n")
    (tmp_path / "flock").chmod(0o755)
    own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MARQUEE_SLOTS": "yes"}
    data = tmp_path / "data"
    command = ["sh", str(SCRIPTS / "entrypoint.sh"), "true"]
    done = subprocess.run(
        command, env=own | {"MARQUEE_DATA": str(data)}, capture_output=True, text=True
    )
    assert done.returncode == 75 and "cannot be locked (71)" in done.stderr
    assert [one.name for one in data.iterdir()] == ["1"]
