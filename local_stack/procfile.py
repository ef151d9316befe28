"""Procfile: what runs, one line a process. This module reads it and says in which order."""

from __future__ import annotations

from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY

# Who must be ready before whom; a part that is not named waits for nobody.
AFTER: dict[str, tuple[str, ...]] = {
    "datanode": ("namenode",),
    "serving": ("datanode",),
}


def read_procfile(path: Path = REPOSITORY / "Procfile") -> dict[str, str]:
    """Name and command of every process, in the file's order."""
    processes = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise StackError(f"{path}:{number} is not 'name: command'", "correct that line")
        processes[name.strip()] = command.strip()
    return processes


def waves(names: list[str]) -> list[list[str]]:
    """Names in groups: each group may start once the groups before it are ready."""
    left, done, order = list(names), set[str](), list[list[str]]()
    while left:
        wave = [n for n in left if set(AFTER.get(n, ())) & set(names) <= done]
        if not wave:
            raise StackError(f"these processes wait for each other: {', '.join(left)}")
        order.append(wave)
        done.update(wave)
        left = [n for n in left if n not in done]
    return order
