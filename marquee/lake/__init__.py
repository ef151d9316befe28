"""The lake: one client, two roots (HDFS and a folder), everything whole or not at all."""

from __future__ import annotations

from urllib.parse import urlsplit

from marquee.errors import SettingsError
from marquee.lake.client import Lake
from marquee.lake.folder import FolderLake
from marquee.lake.manifest import Manifest
from marquee.lake.webhdfs import WebHdfsLake, connect

__all__ = ["FolderLake", "Lake", "Manifest", "WebHdfsLake", "open_lake"]


def open_lake(root: str, webhdfs: str = "", user: str = "marquee") -> Lake:
    """Open the lake at `root`: `hdfs://host:port/path` (with `webhdfs`) or `file:///path`.

    `webhdfs` is the NameNode's HTTP address, `http://host:port`; several are joined by `;`.
    """
    parts = urlsplit(root)
    if parts.scheme == "file" and parts.path not in ("", "/"):
        return FolderLake(root)
    if parts.scheme == "hdfs" and parts.netloc and parts.path not in ("", "/") and webhdfs:
        return WebHdfsLake(root, connect(webhdfs, user))
    raise SettingsError(
        f"'{root}' (WebHDFS '{webhdfs}') is not a lake",
        "give hdfs://host:port/path and the NameNode's http://host:port, or file:///path",
    )
