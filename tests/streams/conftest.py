"""Streams over a real broker, with a lake where the made-up models serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from marquee.lake import Lake
from tests.plugins.kafka_broker import Broker
from tests.streams.stream_rig import StreamRig, made_up_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return made_up_lake(tmp_path_factory.mktemp("streams"))


@pytest.fixture
def make_rig(kafka: Broker, lake: Lake, tmp_path: Path) -> Iterator[Callable[..., StreamRig]]:
    """Make a set of topics, with variables of the settings; its processes end with the test."""
    with ExitStack() as stack:

        def make(**variables: str) -> StreamRig:
            rig = StreamRig(kafka, lake, tmp_path / "rig", variables)
            stack.enter_context(closing(rig))
            return rig

        yield make
