"""Where a running stack's secrets are found: in logs, and in the environments of processes."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import psutil

from local_stack.stack import Stack
from marquee.host_needs import AIRFLOW


def secrets_of(stack: Stack) -> list[str]:
    """Airflow's password of the admin, and its three keys."""
    files = [stack.folders.airflow / name for name in ("passwords.json", "keys.json")]
    found = [str(text) for file in files for text in json.loads(file.read_text()).values()]
    assert len(found) == 4
    return found


def logs_with_secrets(stack: Stack) -> list[Path]:
    """The logs that hold a secret."""
    logs = [path for path in stack.folders.state.rglob("*.log") if path.is_file()]
    assert logs
    secrets = secrets_of(stack)
    return [p for p in logs if any(secret in p.read_text(errors="replace") for secret in secrets)]


def holders_of_secrets(stack: Stack) -> list[str]:
    """The processes beside Airflow's, supervisord included, with a variable of Airflow's."""
    daemon = stack.supervisor.process()
    assert daemon is not None
    others = {p["name"]: p["pid"] for p in stack.supervisor.processes() if p["name"] not in AIRFLOW}
    assert {"namenode", "datanode", "serving", "replica"} <= others.keys()
    found = []
    for name, pid in {**others, "supervisord": daemon.pid}.items():
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            if pid == daemon.pid and process.pid != pid:
                continue  # a child of supervisord's has its own name
            with suppress(psutil.NoSuchProcess):
                found += [name] if holds_secrets(stack, process.pid) else []
    return found


def holds_secrets(stack: Stack, pid: int) -> bool:
    """Whether the environment of a process has a variable of Airflow's, or any secret."""
    environment = psutil.Process(pid).environ()
    assert environment.get("STATE") == str(stack.folders.state), "this is no process of the stack"
    values = " ".join(environment.values())
    names = [name for name in environment if name.startswith("AIRFLOW__")]
    return bool(names) or any(secret in values for secret in secrets_of(stack))
