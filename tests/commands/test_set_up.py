"""`make clean` asks and keeps what it must; `make setup` installs the command."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local_stack import bootstrap
from marquee import __version__


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with two worlds, the cache, and a file of somebody else's."""
    for world in ("first", "second"):
        (tmp_path / "state" / world / "logs").mkdir(parents=True)
    (tmp_path / "state" / "first" / "airflow.db").write_bytes(b"x" * 3 * 2**20)
    (tmp_path / "state" / "first" / "feedback").mkdir()
    (tmp_path / "state" / "first" / "feedback" / "a.jsonl").touch()
    (tmp_path / "state" / "cache" / "jars").mkdir(parents=True)
    (tmp_path / "state" / "letters.txt").touch()
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("CLEAN", raising=False)
    return tmp_path / "state"


def clean() -> int:
    return bootstrap.main(["clean"])


def test_it_says_what_is_lost_and_removes_it_after_a_yes(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal, inside = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(inside))
    os.write(terminal, b"no\n")
    assert clean() == 1
    assert (root / "first").is_dir()
    os.write(terminal, b"yes\n")
    assert clean() == 0
    output = capsys.readouterr().out
    assert "3 MB  first" in output
    assert "1 files of ratings people gave" in output
    assert [path.name for path in root.iterdir()] == ["letters.txt"]
    os.close(terminal)


def test_a_script_that_does_not_say_yes_removes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert clean() == 1
    assert "CLEAN=yes" in capsys.readouterr().err
    assert (root / "second").is_dir()
    monkeypatch.setenv("CLEAN", "yes")
    assert clean() == 0
    assert not (root / "second").exists()
    assert clean() == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_nothing_is_removed_below_a_running_stack(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLEAN", "yes")
    conf = root / "second" / "supervisord.conf"
    code = "import sys, time; print(flush=True); time.sleep(600)"
    like = [sys.executable, "-c", code, "supervisor.supervisord", "-c", str(conf)]
    with subprocess.Popen(like, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (root / "second" / "supervisord.pid").write_text(f"{process.pid}\n")
        assert clean() == 1
        process.kill()
    output = capsys.readouterr().err
    assert f"a stack runs on {root / 'second'} — stop it first: make down" in output
    with (root / "first" / "command.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a command is just starting it
        assert clean() == 1
    assert clean() == 0


def test_the_installed_command_works_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)
    bootstrap._install_command()
    command = [str(tmp_path / "bin" / "marquee"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"marquee {__version__}\n", done.stderr


def test_the_first_half_of_set_up_runs_on_a_bare_python() -> None:
    """`make setup` starts before any package is installed: `-S` hides those there are."""
    command = [sys.executable, "-S", "-c", "import local_stack.bootstrap"]
    done = subprocess.run(command, cwd=bootstrap.REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_second_half_of_set_up_needs_no_room_but_the_kernel() -> None:
    """docker/Dockerfile copies these two alone before it runs `make setup`."""
    code = "import sys, local_stack.java_setup; print(*{m.split('.')[0] for m in sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=bootstrap.REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rooms = {path.parent.name for path in bootstrap.REPOSITORY.glob("*/__init__.py")}
    assert {"cli", "sources", "steps"} < rooms
    assert set(done.stdout.split()) & rooms == {"marquee", "local_stack"}
