"""Real daemons for tests: HDFS alone, or the whole stack, on ports of their own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.stack import Stack
from marquee.lake import Lake, open_lake
from marquee.settings import Settings, load_settings
from tests.plugins.free_ports import free_offset

HDFS = ("namenode", "datanode")


def stack_settings(state: Path, **updates: object) -> Settings:
    """Settings of a stack with its state below `state`, on free ports."""
    settings = load_settings("local")
    ports = list(settings.stack.ports.model_dump().values())
    stack = settings.stack.model_copy(update={"port_offset": free_offset(ports)})
    return settings.model_copy(update={"state": str(state), "stack": stack, **updates})


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A NameNode and a DataNode, and nothing else."""
    stack = Stack(stack_settings(tmp_path_factory.mktemp("hdfs")))
    stack.processes = {name: stack.processes[name] for name in HDFS}
    assert {name for name, _ in stack.up()} >= set(HDFS)
    yield stack
    stack.down()


@pytest.fixture(params=["folder", pytest.param("hdfs", marks=pytest.mark.hdfs)])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake, on either root: every contract test runs on both."""
    if request.param == "folder":
        return open_lake(f"file://{tmp_path}/lake")
    stack: Stack = request.getfixturevalue("hdfs")
    root = f"{stack.settings.lake.root}-{tmp_path.name}-{random.randrange(10**9)}"
    return open_lake(root, stack.settings.lake.webhdfs)
