"""What the images are built of: every room is let in, and the worker has what it imports."""

from __future__ import annotations

import re
import subprocess
import sys

from marquee.settings import REPOSITORY

NOT_SHIPPED = {"tests", "bench"}
ROOMS = {file.parent.name for file in REPOSITORY.glob("*/__init__.py")}
ALLOWED = {
    line.removeprefix("!")
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
}
DOCKERFILE = (REPOSITORY / "docker" / "Dockerfile").read_text()


def test_the_allow_list_has_every_room_and_nothing_that_is_gone() -> None:
    assert {"marquee", "serving"} <= ROOMS
    assert ROOMS - NOT_SHIPPED <= ALLOWED and not ALLOWED & NOT_SHIPPED
    assert [name for name in sorted(ALLOWED) if not (REPOSITORY / name).exists()] == []


def test_the_allow_list_has_all_that_the_dockerfile_copies() -> None:
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)) - {"."}
    assert {"marquee", "Procfile"} <= copied
    assert {name.split("/")[0] for name in copied} <= ALLOWED


def test_nodes_of_yarn_find_the_jars_where_the_file_says() -> None:
    file = (REPOSITORY / "docker-compose.yaml").read_text()
    assert "MARQUEE_SPARK__YARN_JARS: local:/opt/spark/jars/*\n" in file
    assert "MARQUEE_SPARK__WORKER_PYTHON: /opt/marquee/.venv/bin/python3\n" in file
    worker = DOCKERFILE.partition("AS worker\n")[2].partition("\nFROM ")[0]
    assert "site-packages/pyspark /opt/spark" in worker and "test -e /opt/spark/jars" in worker


def test_the_worker_has_every_room_that_its_daemons_import() -> None:
    code = "import sys, local_stack.host_daemon; print(*{m.split('.')[0] for m in sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    wanted = set(done.stdout.split()) & ROOMS
    worker = DOCKERFILE.partition("AS worker\n")[2].partition("\nFROM ")[0]
    copied = set(re.findall(r"^COPY (\w+) \w+$", worker, re.MULTILINE))
    assert {"local_stack", "marquee"} <= wanted <= copied
