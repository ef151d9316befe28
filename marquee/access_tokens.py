"""The API tokens of serving: who may read, rate and see reports.

`marquee tokens` writes the file, serving reads it. The file holds the SHA-256 of each secret, never
the secret. A secret is 256 random bits, so one fast hash suffices: nobody can try that many. (A
password needs a slow hash, because people choose few.)
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from marquee.addresses import check_page
from marquee.artefacts.document import Document, Moment, NewerFormatError, read_document
from marquee.clock import now
from marquee.errors import SettingsError, SourceError

READ, REPORTS, RATE, ANYBODY = "read", "reports", "rate", "rate:*"
"""The scopes. `rate:p-anna` allows to rate as one person, `rate:*` as every person."""
SCOPE = re.compile(r"read|reports|rate:(?:\*|p-[A-Za-z0-9._-]{1,64})")
HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FORMAT = 1
SECRET_BYTES = 32
SECRET_PREFIX = "mq_"
"""The beginning of every secret, by which a scanner finds one in a repository or a log."""
Access = Literal["auto", "open", "tokens"]
"""Whether serving asks for tokens; see `asks_for_tokens`."""


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # its ValueError names the text
    return text


Network = Annotated[str, AfterValidator(_network)]
"""An address, or a network such as `10.0.0.0/8`."""


def _public_url(text: str) -> str:
    if text:  # without a scheme it names no host, and `auto` would ask nobody for a token
        check_page(text)
    return text


PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""Where others reach serving, as `https://films.example`; empty where nobody does."""


class Token(Document):
    """One token, without its secret."""

    name: str
    """The name of the holder."""
    scopes: tuple[str, ...]
    digest: str
    """The SHA-256 of the secret, in hexadecimal digits."""
    ending: str
    """The last four characters of the secret, so that a person can tell which one it is."""
    created: Moment
    expires: Moment | None = None

    @property
    def has_expired(self) -> bool:
        return self.expires is not None and self.expires <= now()


class TokenFile(Document):
    """All tokens of one server."""

    format: int = FORMAT
    tokens: tuple[Token, ...] = ()


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal digits; any text has one."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens in the file, those that have expired too; none where there is no file.

    Raises SourceError where the file cannot be read or is no list of tokens.
    """
    try:
        return read_document(TokenFile, _content(path), FORMAT).tokens
    except FileNotFoundError:
        return ()
    except OSError as error:
        is_foreign = isinstance(error, PermissionError)
        raise SourceError(
            f"{path} cannot be read: {error.strerror}",
            "let its owner run this" if is_foreign else "name another file",
        ) from None
    except NewerFormatError as error:
        raise SourceError(
            f"{path} is no list of tokens: {error}", "a later release wrote it: update this one"
        ) from None
    except ValueError as error:
        raise SourceError(
            f"{path} is no list of tokens: {error}",
            "name another file; if it is the server's own, move it aside and make the tokens "
            "again: marquee tokens add NAME --may read",
        ) from None


def _content(path: Path) -> bytes:
    """What the file holds. A pipe is refused, since a reader would wait for its writer."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SourceError(f"{path} is no plain file", "name another file")
        with open(handle, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(handle)


def add_token(
    path: Path, name: str, scopes: Sequence[str], days: int | None = None
) -> tuple[Token, str]:
    """Make a token and keep it in the file; returns the token and its secret.

    The token expires after `days`; None never. Raises SourceError for a name that is taken or
    impossible, for no scope and for an unknown one. A link is followed: all its readers see this.
    """
    if not HOLDER.fullmatch(name):
        raise SourceError(
            f"'{name}' names no holder",
            "give 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first",
        )
    require_scopes(scopes)
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    created = now()
    token = Token(
        name=name,
        scopes=tuple(dict.fromkeys(scopes)),
        digest=digest_of(secret),
        ending=secret[-4:],
        created=created,
        expires=created + timedelta(days=days) if days else None,
    )
    path = _linked(path)
    with _locked(path):
        kept = read_tokens(path)
        if any(one.name == name for one in kept):
            raise SourceError(
                f"there is a token of '{name}' already",
                f"take another name, or revoke it first: marquee tokens revoke {name}",
            )
        _write(path, (*kept, token))
    return token, secret


def revoke_token(path: Path, name: str) -> Token:
    """Remove the token of that holder; returns it. Raises SourceError where there is none."""
    path = _linked(path)
    with _locked(path):
        kept = read_tokens(path)
        found = next((one for one in kept if one.name == name), None)
        if found is None:
            raise SourceError(
                f"there is no token of '{name}' in {path}", "`marquee tokens list` names all"
            )
        _write(path, tuple(one for one in kept if one is not found))
    return found


def require_scopes(scopes: Sequence[str]) -> None:
    """Raise SourceError for no scope at all, or for an unknown one."""
    if wrong := [scope for scope in scopes if not SCOPE.fullmatch(scope)]:
        raise SourceError(
            f"'{wrong[0]}' is no scope", "give read, reports, rate:* or rate:p-NAME with --may"
        )
    if not scopes:
        raise SourceError(
            "a token without a scope opens nothing",
            "say what it may, for example --may read --may rate:p-anna",
        )


def asks_for_tokens(access: Access, host: str, public_url: str) -> bool:
    """Whether a server that binds to `host` asks its callers for a token.

    `auto` asks where other machines can reach the server: beyond loopback, or at a public address
    that a proxy on this machine serves. Raises SettingsError for `open` beyond loopback, and for a
    public address that is none.
    """
    is_here = is_loopback(host)
    if access == "open" and not is_here:
        raise SettingsError(
            f"[serving] access is 'open', and other machines can reach {host}: anybody could read, "
            "rate as and delete every person",
            "set it to 'auto' or 'tokens' and make a token (marquee tokens add NAME --may read), "
            "or bind to 127.0.0.1",
        )
    if access == "auto":
        return not is_here or not is_loopback(_host_of(public_url) or host)
    return access == "tokens"


def _host_of(public_url: str) -> str | None:
    try:
        return urlsplit(public_url).hostname
    except ValueError as error:
        raise SettingsError(
            f"[serving] public_url is '{public_url}', which is no address: {error}",
            "write it as https://films.example",
        ) from None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host; a name other than `localhost` may lie."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _linked(path: Path) -> Path:
    """The file that a link leads to; a write at the link would leave that one as it was."""
    return Path(os.path.realpath(path))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other writers of the file out; readers need no lock, since writes are atomic."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise SourceError(
            f"{path.parent} cannot be used: {error.strerror}", "name another file with --file"
        ) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    """Replace the file: durable, whole at every moment, and for its owner alone."""
    content = json.dumps(TokenFile(tokens=tokens).model_dump(mode="json"), indent=1) + "\n"
    staged = path.with_name(f".tokens.{secrets.token_hex(4)}")
    try:
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(staged, path)
    except OSError as error:
        with suppress(OSError):
            staged.unlink()
        raise SourceError(
            f"{path} cannot be written: {error.strerror}", "nothing was changed"
        ) from None
