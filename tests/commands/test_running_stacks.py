"""Stacks are found, and stopped whole, whoever started them and however that ended."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli import main
from local_stack import health_checks, stack, supervisor
from local_stack.hdfs import format_namenode
from local_stack.processes import end_stack_processes, is_alive, running_stacks, stack_processes
from marquee.errors import StackError
from marquee.settings import REPOSITORY
from tests.plugins.tiny_stack import PART, TinyStack, tiny_stack

Make = Callable[..., TinyStack]
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes tiny stacks below one folder that a shell of its own would also use."""
    monkeypatch.setitem(health_checks.PROBES, PART, lambda settings: "")
    monkeypatch.setattr(stack, "require_fit_machine", lambda settings: None)
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))
    made: list[TinyStack] = []

    def one(world: str = "synthetic", **environment: str) -> TinyStack:
        made.append(tiny_stack(tmp_path, world, **environment))
        return made[-1]

    yield one
    for each in made:
        each.down()
        assert stack_processes(each.folders.state) == []


@pytest.fixture
def marquee(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a `marquee` command here; its status and all it printed."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["marquee", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), " ".join("".join(capfd.readouterr()).split())

    return run


def started(make: Make, *words: str, **environment: str) -> TinyStack:
    made = make(*words, **environment)
    assert dict(made.up()).keys() == {"prepared", PART}
    return made


def holder(state: Path, **options: object) -> subprocess.Popen[bytes]:
    """A command that started a stack and holds it, as another terminal's would."""
    command = [sys.executable, "-m", "tests.plugins.tiny_stack", str(state)]
    piped: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=REPOSITORY, **(piped | options))  # type: ignore
    if process.stdout is not None:
        assert process.stdout.readline() == b"up\n"
    return process


def family(state: Path) -> list[psutil.Process]:
    found = stack_processes(state)
    assert len(found) == 2, "supervisord and its one part"
    return found


def test_down_beside_a_command_that_holds_the_stack(make: Make, tmp_path: Path) -> None:
    """That command has not reaped anything, and must notice by itself."""
    own = make()
    held = holder(tmp_path)
    ours = family(own.folders.state)
    assert own.down()
    assert not any(is_alive(process) for process in ours)
    _, output = held.communicate(timeout=60)
    assert held.returncode == 1
    assert b"the stack was stopped by another command" in output


def test_a_command_that_is_interrupted_stops_what_it_started(make: Make, tmp_path: Path) -> None:
    own = make()
    held = holder(tmp_path)
    ours = family(own.folders.state)
    held.send_signal(signal.SIGTERM)
    held.communicate(timeout=60)
    assert held.returncode == 0
    assert not any(is_alive(process) for process in ours)


def test_a_closed_terminal_is_an_interrupt(make: Make, tmp_path: Path) -> None:
    own, (terminal, inside) = make(), pty.openpty()
    held = holder(tmp_path, stdout=inside, stderr=inside, start_new_session=True)
    os.close(inside)
    assert b"up" in os.read(terminal, 100)
    ours = family(own.folders.state)
    os.close(terminal)
    held.send_signal(signal.SIGHUP)  # what the kernel does where it is the controlling terminal
    held.wait(timeout=60)
    assert not any(is_alive(process) for process in ours)


def test_a_killed_command_leaves_a_stack_that_is_found_and_stopped(
    make: Make, tmp_path: Path, marquee: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make()
    held = holder(tmp_path)
    held.kill()
    held.communicate()
    another = tmp_path / "temporary"  # as TMPDIR of another terminal says
    another.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(another))
    ours = family(own.folders.state)
    assert marquee("status", "--check")[0] in (0, 1)
    assert own.supervisor.is_running()
    assert marquee("down") == (0, f"stopped 'synthetic'; its state stays in {own.folders.state}")
    assert not any(is_alive(process) for process in ours)
    assert marquee("down") == (0, "nothing was running")


def test_a_command_that_found_the_stack_leaves_it(make: Make, tmp_path: Path) -> None:
    own = started(make)
    second = tiny_stack(tmp_path)
    list(second.up())
    assert not second.started
    assert own.started
    second.check_running()


def test_what_a_killed_supervisord_leaves_is_named_and_ended(make: Make, marquee: Command) -> None:
    own = started(make)
    process = own.supervisor.process()
    assert process is not None
    process.kill()
    psutil.wait_procs([process], timeout=10)
    with pytest.raises(StackError, match="stopped by another command"):
        own.check_running()
    output = marquee("status")[1]
    assert "1 processes of 'synthetic' are left without their supervisord" in output
    list(own.up())  # a new start ends them first
    assert len(family(own.folders.state)) == 2


def test_a_supervisord_that_does_not_answer_is_ended(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SECONDS_TO_ANSWER", 0.3)
    monkeypatch.setattr(supervisor, "SECONDS_TO_STOP", 0.3)
    own = make()
    monkeypatch.setattr(supervisor, "SECONDS_TO_ANSWER", 20)
    list(own.up())
    ours = family(own.folders.state)
    monkeypatch.setattr(supervisor, "SECONDS_TO_ANSWER", 0.3)
    process = own.supervisor.process()
    assert process is not None
    process.suspend()
    assert own.down()
    assert not any(is_alive(each) for each in ours)


def test_a_stop_requested_during_preparation_is_obeyed(make: Make) -> None:
    own = make()
    own._prepare = (own.folders.state / "stop-requested").touch  # type: ignore[method-assign]
    with pytest.raises(StackError, match="another command stopped the stack"):
        list(own.up())
    assert running_of(own) == []


def running_of(own: TinyStack) -> list[Path]:
    return [one.state for one in running_stacks() if one.state == own.folders.state]


def test_a_neighbour_on_the_same_ports_is_named(make: Make) -> None:
    started(make, "first")
    with pytest.raises(StackError, match=r"the stack of 'first' .* runs on these ports"):
        list(make("second").up())


def test_commands_speak_to_the_stack_that_runs(
    make: Make, marquee: Command, tmp_path: Path
) -> None:
    """Its lake too, whatever this terminal's settings say."""
    started(make, "elsewhere", MARQUEE_LAKE__ROOT=f"file://{tmp_path}/lake")
    status, output = marquee("ledger", "recommender")
    assert status == 0
    assert "the running stack is that of 'elsewhere'" in output
    assert "nothing has been promoted for the recommender model yet" in output
    assert "'elsewhere'" in marquee("status")[1]
    assert marquee("history", "budget", "--data", "elsewhere")[0] == 0


def test_of_several_stacks_one_must_be_named(make: Make, marquee: Command, tmp_path: Path) -> None:
    lake = {"MARQUEE_LAKE__ROOT": f"file://{tmp_path}/lake"}
    first = started(make, "first", MARQUEE_STACK__PORT_OFFSET="1000", **lake)
    second = started(make, "second", MARQUEE_STACK__PORT_OFFSET="2000", **lake)
    for command in (["down"], ["champion", "budget"], ["history", "recommender"]):
        status, output = marquee(*command)
        assert status in (1, 2)
        assert "2 stacks run: 'first'" in output
        assert "--data first" in output
    both = marquee("status")[1]
    assert "'first'" in both
    assert "'second'" in both
    assert "stopped 'second'" in marquee("down", "--data", "second")[1]
    assert running_of(first)
    assert not running_of(second)


def test_no_stack_no_lake_and_what_to_do(make: Make, marquee: Command) -> None:
    """Another's HDFS may answer at the settings' address: it is not ours."""
    (make("kept").folders.logs).mkdir(parents=True)
    status, output = marquee("ledger", "recommender")
    assert status == 1
    assert "no stack runs, so the lake of the world 'synthetic' cannot be read" in output
    assert "worlds with a state here: kept" in output
    assert "--lake" in output


def test_a_stranger_with_our_numbers_is_left_alone(tmp_path: Path) -> None:
    """The group of an old log may be another state's by now."""
    logs = tmp_path / "logs"
    logs.mkdir()
    stranger = subprocess.Popen(
        ["sleep", "600"],
        cwd=REPOSITORY,
        env=os.environ | {"STATE": str(tmp_path / "another")},
        start_new_session=True,
    )
    try:
        (logs / "supervisord.log").write_text(f"spawned: 'part' with pid {stranger.pid}\n")
        assert end_stack_processes(tmp_path) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize(("made", "kept"), [("seen_txid", []), ("fsimage_0", ["current"])])
def test_a_format_that_was_killed_is_begun_again(
    tmp_path: Path, made: str, kept: list[str]
) -> None:
    """But nothing that may hold a name space is ever removed. The stand-in for Java lists it."""
    current = tmp_path / "name" / "current"
    current.mkdir(parents=True)
    (current / made).touch()
    java = tmp_path / "java"
    java.write_text(f'#!/bin/sh\nls "{tmp_path}/name" > "{tmp_path}/seen" 2> /dev/null || true\n')
    java.chmod(0o755)
    format_namenode(java, "", tmp_path, {})
    assert (tmp_path / "seen").read_text().split() == kept


def test_a_socket_whose_path_is_too_long_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the user's own runtime folder; without one, to the temporary folder."""
    deep = tmp_path / ("d" * supervisor.LONGEST_SOCKET_PATH)
    with tempfile.TemporaryDirectory(prefix="r") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert supervisor.socket_path(Path("/s")) == Path("/s/supervisord.sock")
        moved = supervisor.socket_path(deep)
        assert moved.parent == Path(runtime)
        assert moved != supervisor.socket_path(deep / "another")
    assert supervisor.socket_path(deep).parent == Path(tempfile.gettempdir())
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert supervisor.socket_path(deep).parent == Path(tempfile.gettempdir())
    deep.mkdir()
    (deep / "supervisord.conf").write_text("[unix_http_server]\nfile=/elsewhere/s.sock\n")
    assert supervisor.socket_path(deep) == Path("/elsewhere/s.sock")
