"""Whoever opens a lake says how many copies it writes: `[lake] replication` holds for all."""

from __future__ import annotations

import ast
from pathlib import Path

from marquee.settings import REPOSITORY
from tests.test_architecture import modules

OPENERS = {"open_lake", "WebHdfsLake"}


def openings(path: Path) -> list[ast.Call]:
    """The calls that open a lake; one without arguments is a function of the room's own."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [
        call
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in OPENERS and call.args
    ]


def test_every_opening_of_a_lake_names_the_copies() -> None:
    found = {path.relative_to(REPOSITORY).as_posix(): openings(path) for path in modules()}
    calls = [(name, call) for name, calls in found.items() for call in calls]
    wrong = [
        f"{name}:{call.lineno}"
        for name, call in calls
        if "replication" not in {word.arg for word in call.keywords}
    ]
    assert len(calls) >= 7 and wrong == []
