"""A real server on a free port of loopback, over a lake in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_budget, promote_recommender

from marquee.access_tokens import add_token
from marquee.lake import Lake, open_lake
from serving.access import TokenRules
from serving.backend import Backend, open_backend
from serving.callers import KnownTokens
from serving.engines import LoadedRecommender
from serving.follower import Follower
from tests.plugins.live_server import running
from tests.serving.followers import open_follower


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(f"file://{tmp_path / 'lake'}")


@pytest.fixture
def backend(lake: Lake, tmp_path: Path) -> Backend:
    return open_backend(lake, tmp_path / "cache", tmp_path / "feedback")


@pytest.fixture
def two(lake: Lake, backend: Backend, tmp_path: Path) -> Backend:
    """Both models serve; the feedback log is empty."""
    promote_recommender(lake, tmp_path / "one")
    promote_budget(lake, tmp_path / "two")
    backend.recommender.poll()
    backend.budget.poll()
    return backend


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """Start a server over a backend, by default one that is open to everybody."""
    with ExitStack() as stack:
        yield lambda backend, rules=None: stack.enter_context(running(backend, rules))


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens.json"


@pytest.fixture
def make_token(token_file: Path) -> Callable[..., str]:
    """Make a token with these scopes as `marquee tokens add` does; returns its secret."""
    return lambda name, *scopes: add_token(token_file, name, scopes)[1]


@pytest.fixture
def rules(token_file: Path) -> TokenRules:
    """The rules of a server that asks for tokens; its clock stands still."""
    return TokenRules(KnownTokens(token_file), 60, burst=200, clock=lambda: 0.0)


@pytest.fixture
def guarded(
    backend: Backend, serve: Callable[..., httpx.Client], rules: TokenRules
) -> httpx.Client:
    """A client without a token, of a server that asks for one; no model serves there."""
    return serve(backend, rules)


@pytest.fixture
def clock() -> list[float]:
    """The time that a follower reads, in seconds."""
    return [0.0]


@pytest.fixture
def follower(lake: Lake, tmp_path: Path, clock: list[float]) -> Follower[LoadedRecommender]:
    """A follower of the recommender's ledger in `lake`."""
    return open_follower(lake, tmp_path, clock)
