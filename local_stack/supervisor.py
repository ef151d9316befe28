"""Configure, start, query and stop the supervisord of one state folder.

`Stack` is the only caller. supervisord restarts processes that die, with back-off. It stops a
process with TERM, and sends KILL to the process group if TERM fails. It listens on a Unix socket
that only its owner can open. It is a daemon, so that it outlives the command that started it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

from local_stack.processes import is_alive, running_stacks
from marquee.errors import StackError
from marquee.process_secrets import is_reserved, variables_for, write_private

SECONDS_TO_ANSWER = 20
SECONDS_TO_STOP = 30
"""For one group of processes; supervisord itself sends KILL after `stopwaitsecs`."""
LONGEST_SOCKET_PATH = 100
"""Bytes; the system's limit for the path of a socket is a little higher."""
UNFIT = re.compile(r"%|\s[;#]|\n")
"""Signs that expand, begin a comment, or end a line of supervisord's file."""
SUPERVISORD_CONF = """[supervisord]
silent=true
logfile={state}/logs/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile={state}/supervisord.pid
childlogdir={state}/logs
umask=077

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM_CONF = """
[program:{name}]
command=/bin/sh -c {command}
directory={directory}
autostart=false
autorestart=true
startsecs=1
startretries=1000
stopsignal=TERM
stopwaitsecs=20
killasgroup=true
redirect_stderr=true
stdout_logfile={state}/logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""


def socket_path(state: Path) -> Path:
    """The socket named in the state's `supervisord.conf`; without one, the path for a new one."""
    conf = state / "supervisord.conf"
    if conf.is_file() and (named := re.search(r"^file=(.+)$", conf.read_text(), re.MULTILINE)):
        return Path(named[1])
    return _new_socket(state)


def _new_socket(state: Path) -> Path:
    """The path for a new socket: in the state folder, XDG_RUNTIME_DIR or the temporary folder.

    The first one counts whose path is short enough. The state folder comes first because a log-out
    empties XDG_RUNTIME_DIR (XDG Base Directory Specification 0.8), and the daemon outlives it.
    """
    path = state / "supervisord.sock"
    if _fits(path):
        return path
    name = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    own = Path(runtime) / f"marquee-{name}.sock"
    if os.path.isdir(runtime) and _fits(own):
        return own
    return Path(tempfile.gettempdir()) / f"marquee-{os.getuid()}-{name}.sock"


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


class Supervisor:
    """The supervisord of one state folder; methods that ask it raise StackError without answer."""

    def __init__(self, state: Path) -> None:
        self.state = state

    @contextmanager
    def command_lock(self) -> Iterator[None]:
        """Hold the lock under which commands start or stop this stack; others wait for it."""
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "command.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def launch(
        self, processes: dict[str, str], directory: Path, environment: dict[str, str]
    ) -> None:
        """Start supervisord without any process; StackError if it does not answer in time.

        Its own environment, which every process inherits, has no secret. Those that a process
        needs are in a file of its own, which its command reads.
        """
        if UNFIT.search(str(self.state)):  # its own message would show the whole environment
            raise StackError(
                f"the folder's name has a sign that supervisord cannot read: {self.state}",
                "give MARQUEE_STATE a folder without %, and without ; or # after a space",
            )
        (self.state / "logs").mkdir(parents=True, exist_ok=True)
        conf, log = self.state / "supervisord.conf", self.state / "logs" / "supervisord-start.log"
        conf.write_text(self._conf(processes, directory))
        everything = os.environ | environment
        for name in processes:
            self._write_secrets(name, variables_for(name, everything))
        with log.open("wb") as out:
            # The call returns when supervisord is a daemon with an open socket, or has failed.
            done = subprocess.run(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(conf)],
                env=variables_for("supervisord", everything),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        if done.returncode:
            printed = log.read_text("utf-8", "replace").strip().splitlines()
            reason = printed[0] if printed else "no word"
            raise StackError(f"supervisord did not start: {reason}", f"look at {log}")
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while not self.is_running():
            if time.monotonic() > deadline:
                raise StackError("supervisord does not answer", f"look at {self.state}/logs")
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether supervisord answers on its socket."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except StackError:
            return False

    def process(self) -> psutil.Process | None:
        """The process of supervisord, even if it does not answer; None if there is none."""
        for found in running_stacks():
            if found.state == self.state:
                with suppress(psutil.Error):
                    return psutil.Process(found.pid)
        return None

    def start(self, name: str) -> None:
        """Start one process, without waiting until it is ready."""
        self._call("startProcess", name, False)

    def processes(self) -> list[dict[str, Any]]:
        """By process: `name`, `statename`, `pid` and `start`, as supervisord returns them."""
        found: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return found

    def shut_down(self, groups: list[list[str]]) -> None:
        """Stop one group of processes after the other, then supervisord, and wait for its end.

        If supervisord does not answer, signals end it: TERM, then KILL. The caller ends processes
        that still run with `end_stack_processes`. Never raises StackError.
        """
        process, signals = self.process(), ["", "terminate", "kill"]
        try:
            for group in groups:
                self._stop(group)
            self._call("shutdown")
        except StackError:
            signals.remove("")
        if process is not None:
            _end(process, signals)
        socket_path(self.state).unlink(missing_ok=True)

    def _stop(self, group: list[str]) -> None:
        for name in self._running(group):
            self._call("stopProcess", name, False)
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self._running(group) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _running(self, group: list[str]) -> list[str]:
        return [p["name"] for p in self.processes() if p["name"] in group and p["pid"]]

    def _conf(self, processes: dict[str, str], directory: Path) -> str:
        text = SUPERVISORD_CONF.format(state=self.state, socket=_new_socket(self.state))
        for name, command in processes.items():
            # supervisord expands `%`, then splits the line as a shell does.
            secrets = shlex.quote(str(self._secrets_of(name)))
            quoted = shlex.quote(f". {secrets} && {command}").replace("%", "%%")
            text += PROGRAM_CONF.format(
                name=name, command=quoted, directory=directory, state=self.state
            )
        return text

    def _secrets_of(self, name: str) -> Path:
        return self.state / "secrets" / f"{name}.sh"

    def _write_secrets(self, name: str, environment: dict[str, str]) -> None:
        """Write what this process is given and others are not, for the shell that starts it."""
        own = {key: text for key, text in environment.items() if is_reserved(key)}
        lines = [f"export {key}={shlex.quote(text)}\n" for key, text in sorted(own.items())]
        write_private(self._secrets_of(name), "".join(lines))

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = _Transport(socket_path(self.state))
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"supervisord refused {method}: {fault.faultString}") from None
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            raise StackError(f"supervisord does not answer ({error})", "run `marquee up`") from None
        finally:
            transport.close()


class _Connection(UnixStreamHTTPConnection):  # type: ignore[misc]
    """The connection of supervisord's client, with a time-out."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(SECONDS_TO_ANSWER)


class _Transport(SupervisorTransport):  # type: ignore[misc]
    def __init__(self, socket: Path) -> None:
        super().__init__(serverurl=f"unix://{socket}")

        def connection() -> _Connection:
            made = _Connection("localhost")
            made.socketfile = str(socket)
            return made

        self._get_connection = connection


def _end(process: psutil.Process, signals: list[str]) -> None:
    """Send one signal after the other until supervisord ends; an empty one only waits."""
    for how in signals:
        with suppress(psutil.Error):
            if how and is_alive(process):
                getattr(process, how)()
        deadline = time.monotonic() + SECONDS_TO_STOP
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(0.05)
