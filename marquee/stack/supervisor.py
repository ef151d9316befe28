"""The daemon's keeper: supervisord, told what to run and spoken to over a private socket.

supervisord restarts what dies, with back-off, and stops parts in order (TERM to the parent first,
KILL to its group only as a fallback). It listens on a socket only the owner opens; no port.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from marquee.errors import StackError

SECONDS_TO_ANSWER = 20
TEMPLATE = """[supervisord]
nodaemon=true
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
PROGRAM = """
[program:{name}]
command=/bin/sh -c '{command}'
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
    """A short path for the socket (its length is bounded), one a state folder."""
    name = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"marquee-{os.getuid()}-{name}.sock"


class Keeper:
    """supervisord of one state folder: start it, ask it, stop it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.socket = socket_path(state)

    def launch(
        self, processes: dict[str, str], directory: Path, environment: dict[str, str]
    ) -> None:
        """Start supervisord, with nothing running below it yet."""
        (self.state / "logs").mkdir(parents=True, exist_ok=True)
        conf = self.state / "supervisord.conf"
        conf.write_text(self._conf(processes, directory))
        with (self.state / "logs" / "keeper.log").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(conf)],
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while not self.is_running():
            if time.monotonic() > deadline:
                raise StackError("supervisord did not start", f"look at {self.state}/logs")
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except StackError:
            return False

    def start(self, name: str) -> None:
        """Start one process; return at once."""
        self._call("startProcess", name, False)

    def processes(self) -> list[dict[str, Any]]:
        """What supervisord knows of each: name, statename, pid, start."""
        found: list[dict[str, Any]] = self._call("getAllProcessInfo")
        return found

    def shut_down(self, groups: list[list[str]]) -> None:
        """Stop each group together, one group after the other, then supervisord; wait for it."""
        pid = int(self._call("getPID"))
        for group in groups:
            for name in self._running(group):
                self._call("stopProcess", name, False)
            while self._running(group):
                time.sleep(0.05)  # supervisord itself turns to KILL after `stopwaitsecs`
        self._call("shutdown")
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while _is_alive(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        self.socket.unlink(missing_ok=True)

    def _running(self, group: list[str]) -> list[str]:
        return [p["name"] for p in self.processes() if p["name"] in group and p["pid"]]

    def _conf(self, processes: dict[str, str], directory: Path) -> str:
        text = TEMPLATE.format(state=self.state, socket=self.socket)
        for name, command in processes.items():
            escaped = command.replace("%", "%%").replace("'", "'\"'\"'")
            text += PROGRAM.format(
                name=name, command=escaped, directory=directory, state=self.state
            )
        return text

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"supervisord refused {method}: {fault.faultString}") from None
        except (OSError, xmlrpc.client.Error) as error:
            raise StackError(f"supervisord does not answer ({error})", "run `marquee up`") from None
        finally:
            transport.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return True  # not our child; the signal reached it
    except ProcessLookupError:
        return False
