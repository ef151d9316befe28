"""Addresses of hosts and of their pages, as settings have them: read, or refused."""

from __future__ import annotations

import re

HOST = r"[^\s/:;,@\[\]]+"
ADDRESS = re.compile(rf"(\[[0-9A-Fa-f:.]+\]|{HOST})(?::([0-9]{{1,5}}))?")
"""A host with or without a port; an IPv6 address stands in brackets."""


def host_and_port(address: str, usual: int) -> tuple[str, int]:
    """Both parts of `host:port`, with the `usual` port where there is none.

    An IPv6 address loses its brackets. Raises ValueError for anything else.
    """
    found = ADDRESS.fullmatch(address)
    port = int(found[2] or usual) if found else 0
    if not found or not 0 < port < 2**16:
        raise ValueError(f"'{shown(address)}' is not host:port, with a port from 1 to 65535")
    return found[1].strip("[]"), port


def shown(address: str) -> str:
    """An address without what stands before an @: it may be a password."""
    return re.sub(r"(?<=//).*@|^(?!\w+://).*@", "…@", address, flags=re.DOTALL)


def in_brackets(host: str) -> str:
    """The host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def check_page(address: str) -> None:
    """Raise ValueError unless the address is `http://host`, with or without a port and a path."""
    scheme, _, rest = address.partition("://")
    if scheme not in ("http", "https") or re.search(r"[\s?#]", rest):
        raise ValueError(f"'{shown(address)}' is not http://host:port")
    host_and_port(rest.partition("/")[0], 80)
