"""The file behind the crawl's memory: its tables, and the lock that keeps it to one owner."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from pathlib import Path
from typing import IO

from marquee.errors import SourceError

DYING_SECONDS = 2.0
"""How long a killed owner may take to let go of the lock."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS frontier (
    title_id TEXT PRIMARY KEY,
    rated_count INTEGER NOT NULL,
    listed INTEGER NOT NULL,           -- 1: in the latest links file
    visited_at REAL,                   -- epoch seconds of the last outcome; NULL: never
    parser TEXT,                       -- parser version that refused it; NULL: it did not
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
CREATE TABLE IF NOT EXISTS coverage (field TEXT PRIMARY KEY, share REAL NOT NULL);
"""


def claim(lock: IO[str]) -> None:
    """Lock, or BlockingIOError; a crawl that was just killed lets go a moment later."""
    patience = time.monotonic() + DYING_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.05)


def open_memory(path: Path) -> sqlite3.Connection:
    """The database, made where it is not there; SourceError where the file is another thing."""
    try:
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        # In WAL, NORMAL keeps every commit through a crash of the process; only a crash of the
        # machine may lose the last ones, and then their pages are fetched again.
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError as error:
        raise SourceError(
            f"{path} is not a crawl's memory: {error}", "move it away; the crawl starts a new one"
        ) from None
    return db
