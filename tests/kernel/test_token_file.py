"""The file of tokens: what it holds, who may write it, and when serving asks for one."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from marquee.access_tokens import (
    add_token,
    asks_for_tokens,
    digest_of,
    is_loopback,
    read_tokens,
    revoke_token,
)
from marquee.errors import SettingsError, SourceError
from marquee.settings import load_settings


def test_the_file_has_the_hash_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tokens.json"
    token, secret = add_token(path, "kiosk", ["read", "rate:p-anna", "read"], days=30)
    assert len(secret) == len("mq_") + 43  # 256 bits, six in a character
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in path.read_text()
    assert read_tokens(path) == (token,)
    assert token.digest == digest_of(secret) and token.ending == secret[-4:]
    assert token.scopes == ("read", "rate:p-anna")
    assert token.expires is not None and (token.expires - token.created).days == 30
    other, _ = add_token(path, "anna", ["rate:*"])
    assert not token.has_expired and not other.has_expired
    assert revoke_token(path, "kiosk") == token
    assert read_tokens(path) == (other,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    ("name", "scopes", "says"),
    [
        ("", ["read"], "names no holder"),
        ("a b", ["read"], "names no holder"),
        ("-x", ["read"], "names no holder"),
        ("x" * 65, ["read"], "names no holder"),
        ("x", [], "without a scope"),
        ("x", ["read", "write"], "'write' is no scope"),
        ("x", ["rate"], "'rate' is no scope"),
        ("x", ["rate:10"], "is no scope"),
        ("x", ["rate:p-*"], "is no scope"),
        ("x", ["rate:p-anna\n"], "is no scope"),
        ("taken", ["read"], "there is a token of 'taken' already"),
    ],
)
def test_impossible_tokens_are_refused(
    tmp_path: Path, name: str, scopes: list[str], says: str
) -> None:
    path = tmp_path / "tokens.json"
    kept, _ = add_token(path, "taken", ["read"])
    with pytest.raises(SourceError, match=says.replace("*", ".")):
        add_token(path, name, scopes)
    with pytest.raises(SourceError, match="no token of 'nobody'"):
        revoke_token(path, "nobody")
    assert read_tokens(path) == (kept,)


def test_a_broken_file_is_neither_read_nor_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    assert read_tokens(path) == ()
    for content in ("", "[]", "{", '{"format": 2}', '{"tokens": [{"name": "x"}]}'):
        path.write_text(content)
        remedy = "update this one" if "2" in content else "move it aside"
        with pytest.raises(SourceError, match=f"is no list of tokens.*{remedy}"):
            read_tokens(path)
        with pytest.raises(SourceError, match="is no list of tokens"):
            add_token(path, "x", ["read"])
        assert path.read_text() == content
    with pytest.raises(SourceError, match="cannot be used"):
        add_token(path / "below" / "tokens.json", "x", ["read"])
    known = {"name": "x", "scopes": ["read"], "digest": "0", "ending": "0", "later": 1}
    path.write_text(json.dumps({"tokens": [known | {"created": "2026-01-01T00:00:00Z"}]}))
    assert [token.name for token in read_tokens(path)] == ["x"]  # a later release adds a key


def test_a_link_is_followed_so_that_no_reader_keeps_a_revoked_token(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "all.json"
    link = tmp_path / "tokens.json"
    link.symlink_to(shared)
    add_token(link, "kiosk", ["read"])
    add_token(link, "anna", ["read"])
    assert [token.name for token in read_tokens(shared)] == ["kiosk", "anna"]
    revoke_token(link, "kiosk")
    assert [token.name for token in read_tokens(shared)] == ["anna"]
    assert link.is_symlink() and read_tokens(link) == read_tokens(shared)


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)  # a reader that opened it would wait for a writer
    loop.symlink_to(loop)
    for path in (pipe, loop, tmp_path, Path("/dev/null")):
        with pytest.raises(SourceError, match="name another file"):
            read_tokens(path)
        with pytest.raises(SourceError, match="name another file"):
            add_token(path, "x", ["read"])
    assert not pipe.is_file() and sorted(tmp_path.iterdir()) == [loop, pipe]


def test_the_longest_name_of_a_file_has_room_and_a_longer_one_is_refused(tmp_path: Path) -> None:
    add_token(tmp_path / ("x" * 255), "x", ["read"])
    with pytest.raises(SourceError, match="name another file"):
        add_token(tmp_path / ("x" * 256), "x", ["read"])


def test_a_file_that_cannot_be_replaced_is_left_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SourceError, match="nothing was changed"):
        add_token(tmp_path / "tokens.json", "x", ["read"])


def _add_ten(path: Path, first: int) -> None:
    for number in range(first, first + 10):
        add_token(path, f"holder-{number}", ["read"])


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    forks = multiprocessing.get_context("fork")
    writers = [forks.Process(target=_add_ten, args=(path, first)) for first in (0, 10, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(token.name for token in read_tokens(path)) == sorted(
        f"holder-{number}" for number in range(30)
    )


@pytest.mark.parametrize(
    ("access", "host", "public_url", "asks"),
    [
        ("auto", "127.0.0.1", "", False),
        ("auto", "localhost", "http://localhost:8000", False),
        ("auto", "::1", "", False),
        ("auto", "0.0.0.0", "", True),
        ("auto", "::", "", True),
        ("auto", "192.168.1.4", "http://127.0.0.1:8000", True),
        ("auto", "films", "", True),
        ("auto", "127.0.0.1", "https://films.example", True),
        ("tokens", "127.0.0.1", "", True),
        ("open", "127.0.0.1", "https://films.example", False),
    ],
)
def test_serving_asks_where_other_machines_reach_it(
    access: str, host: str, public_url: str, asks: bool
) -> None:
    assert asks_for_tokens(access, host, public_url) is asks  # type: ignore[arg-type]


def test_open_beyond_loopback_is_refused() -> None:
    for host in ("0.0.0.0", "::", "10.0.7.3", "films.example"):
        assert not is_loopback(host)
        with pytest.raises(SettingsError, match="marquee tokens add NAME --may read"):
            asks_for_tokens("open", host, "")


def test_a_public_address_that_is_none_is_said() -> None:
    with pytest.raises(SettingsError, match=r"public_url is 'http://.::1', which is no address"):
        asks_for_tokens("auto", "127.0.0.1", "http://[::1")


@pytest.mark.parametrize("wrong", ["films.example", "//films.example", "ftp://films.example"])
def test_a_public_address_without_a_scheme_opens_no_server(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """It names no host, so that `auto` would ask nobody behind the proxy for a token."""
    monkeypatch.setenv("MARQUEE_SERVING__PUBLIC_URL", wrong)
    with pytest.raises(SettingsError, match=r"public_url: .* is not http://host:port"):
        load_settings("local")


@pytest.mark.parametrize("wrong", ['["*"]', '["films.example"]', '["10.0.0.1/8"]'])
def test_a_proxy_is_trusted_by_address_or_network(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_SERVING__TRUSTED_PROXIES", '["10.0.0.0/8", "::1"]')
    assert load_settings("local").serving.trusted_proxies == ("10.0.0.0/8", "::1")
    monkeypatch.setenv("MARQUEE_SERVING__TRUSTED_PROXIES", wrong)
    with pytest.raises(SettingsError, match="trusted_proxies"):
        load_settings("local")
