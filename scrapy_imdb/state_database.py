"""The SQLite file of `CrawlState`: its tables, its lock, and its errors."""

from __future__ import annotations

import errno
import fcntl
import sqlite3
import time
from pathlib import Path
from typing import IO

from marquee.errors import AwayError, MarqueeError, SourceError

DATABASE_NAME = "crawl.sqlite"
SECONDS_TO_UNLOCK = 2.0
"""Seconds that a killed process may take to release the lock."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS frontier (
    title_id TEXT PRIMARY KEY,
    rated_count INTEGER NOT NULL,
    listed INTEGER NOT NULL,           -- 1: in the latest links file
    visited_at REAL,                   -- UTC seconds of the last outcome; NULL: never
    parser TEXT,                       -- parser version that refused it; NULL: none did
    failures INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS outcomes (
    run TEXT NOT NULL,
    title_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    line BLOB,                         -- compressed JSON line: the item, or the refused page
    PRIMARY KEY (run, title_id)
);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY,
    started_at REAL NOT NULL,
    delivered_at REAL,
    requests INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS merges (   -- as the last visit of each title found it
    title_id TEXT PRIMARY KEY,
    merged_into TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS coverage (field TEXT PRIMARY KEY, share REAL NOT NULL);
"""
MEND = "make room on its disk and see that it may be written; the crawl then goes on"
WRONG_PATHS = (
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EINVAL,
)
"""Errors of a wrong path. Another path helps; space, permissions or a repair do not."""


def open_database(folder: Path) -> sqlite3.Connection:
    """The database, created at first use; raises an error of `database_error`."""
    try:
        db = sqlite3.connect(folder / DATABASE_NAME)
        db.execute("PRAGMA journal_mode = WAL")
        # With WAL and NORMAL every commit survives a crash of the process. A crash of the machine
        # may lose the last commits; their pages are fetched again.
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error as error:
        raise database_error(folder, error) from None
    return db


def lock_file(lock: IO[str]) -> None:
    """Lock the file; BlockingIOError where another crawl holds it after `SECONDS_TO_UNLOCK`."""
    deadline = time.monotonic() + SECONDS_TO_UNLOCK
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def file_error(what: str, error: OSError) -> MarqueeError:
    """The error to raise for a file: SourceError for a wrong path, else AwayError."""
    if error.errno in WRONG_PATHS:
        return SourceError(f"{what}: {error.strerror}", "give another folder")
    return AwayError(f"{what}: {error.strerror}", MEND)


def database_error(folder: Path, error: sqlite3.Error) -> MarqueeError:
    """The error to raise for the database.

    SourceError where it is damaged, no database, or has other tables: the remedy is to move it
    away. AwayError where the disk is full, locked or failing: the database may be good.
    """
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF  # the low byte is the primary code
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        what = f"{folder / DATABASE_NAME} is not a crawl's memory: {error}"
    elif isinstance(error, sqlite3.OperationalError):
        return AwayError(f"the crawl's memory in {folder} cannot be used: {error}", MEND)
    else:
        what = f"the crawl's memory in {folder} is damaged: {error}"
    return SourceError(what, "move it away; the crawl starts a new one")
