"""What a crawl remembers: which titles there are, what became of each, and the items themselves.

One SQLite file, one transaction for each outcome. The item lies in the same row as the outcome, so
no crash keeps one and loses the other. A title whose request was open when the process died has no
outcome, and the next crawl requests it again. `crawl_run` writes the output files from here;
`state_database` holds the tables.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

from marquee.clock import SKEW, seconds
from marquee.errors import AwayError
from scrapy_imdb.state_database import file_error, lock_file, open_database

Kind = Literal["title", "refused", "missing", "failed"]
KINDS: tuple[Kind, ...] = ("title", "refused", "missing", "failed")
KEPT_RUNS = 5
"""Crawls whose items stay in the state after their delivery."""
MERGED = "merged into "
"""Begins the reason of a title that the site merged into another; the other's id follows."""
AHEAD = SKEW.total_seconds()
"""Seconds; a visit further ahead of the clock has a stamp of a wrong clock."""


@dataclass(frozen=True)
class Outcome:
    """What became of one title in one crawl."""

    title_id: str
    kind: Kind
    reason: str = ""
    line: bytes | None = None
    """The item, or the refused page with its reason, as one JSON line."""
    is_away: bool = False
    """The site did not answer at all, so that trying later may help."""
    merged_into: str | None = None
    """Of a title: the id it was merged into, where the site did that."""


class CrawlState:
    """The folder with the database and its lock; a context manager.

    `run` names a crawl (`CrawlPlan.run`). Raises AwayError where another crawl owns the folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (folder / "lock").open("w")
            lock_file(self._lock)
        except BlockingIOError:
            raise AwayError(
                f"another crawl owns {folder}", "wait for it to end; two crawls never share one"
            ) from None
        except OSError as error:
            raise file_error(f"{folder} cannot be used", error) from None
        self._db = open_database(folder)

    def __enter__(self) -> CrawlState:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._db.close()
        self._lock.close()

    def begin(self, run: str, links: Iterable[tuple[str, int]]) -> None:
        """Take in the links, and whatever an earlier crawl gathered and never delivered.

        A crawl that goes on tries again what failed, and what it refused before it was stopped.
        """
        with self._db:
            self._db.execute("UPDATE frontier SET listed = 0")
            self._db.executemany(
                "INSERT INTO frontier (title_id, rated_count, listed) VALUES (?, ?, 1) "
                "ON CONFLICT DO UPDATE SET rated_count = excluded.rated_count, listed = 1",
                links,
            )
            self._db.execute(
                "INSERT OR IGNORE INTO runs (run, started_at) VALUES (?, ?)", (run, seconds())
            )
            self._db.execute(
                "UPDATE OR IGNORE outcomes SET run = ? WHERE run IN "
                "(SELECT run FROM runs WHERE delivered_at IS NULL AND run <> ?)",
                (run, run),
            )
            self._db.execute("DELETE FROM runs WHERE delivered_at IS NULL AND run <> ?", (run,))
            self._db.execute(
                "DELETE FROM outcomes WHERE run = ? AND (kind = 'failed' OR kind = 'refused' AND "
                "title_id IN (SELECT title_id FROM frontier WHERE visited_at IS NULL))",
                (run,),
            )

    def wanted(self, run: str, refresh_days: int, parser: str, limit: int) -> list[str]:
        """Titles to request now: never visited by how often they are rated, then the stalest.

        Titles that failed last time, or at which a crawl stopped, come after all of them. A title
        refused by an older parser counts as never visited; one visited while the clock was ahead
        counts as stale.
        """
        present = seconds()
        stale = present - refresh_days * 86_400
        rows = self._db.execute(
            """
            SELECT title_id, visited_at IS NULL OR parser IS NOT NULL AS is_new FROM frontier
            WHERE listed = 1
              AND (visited_at IS NULL OR visited_at < ? OR visited_at > ?
                   OR (parser IS NOT NULL AND parser <> ?))
              AND title_id NOT IN (SELECT title_id FROM outcomes WHERE run = ?)
            ORDER BY failures > 0, is_new DESC, failures,
                     CASE WHEN is_new THEN -rated_count ELSE visited_at END,
                     title_id
            LIMIT ?
            """,
            (stale, present + AHEAD, parser, run, max(limit, 0)),
        )
        return [title_id for title_id, _ in rows]

    def record(self, run: str, outcome: Outcome, parser: str) -> None:
        """Keep one outcome; durable when this returns, whatever happens to this process."""
        now = seconds()
        line = None if outcome.line is None else zlib.compress(outcome.line, 6)
        reason = MERGED + outcome.merged_into if outcome.merged_into else outcome.reason
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?)",
                (run, outcome.title_id, outcome.kind, reason, now, line),
            )
            if outcome.kind != "failed":
                self._db.execute("DELETE FROM merges WHERE title_id = ?", (outcome.title_id,))
            if outcome.merged_into:
                self._db.execute(
                    "INSERT INTO merges VALUES (?, ?)", (outcome.title_id, outcome.merged_into)
                )
            if outcome.kind == "failed":
                self._db.execute(
                    "UPDATE frontier SET failures = failures + 1 WHERE title_id = ?",
                    (outcome.title_id,),
                )
            else:
                self._db.execute(
                    "UPDATE frontier SET visited_at = ?, parser = ?, failures = 0 "
                    "WHERE title_id = ?",
                    (now, parser if outcome.kind == "refused" else None, outcome.title_id),
                )

    def count_request(self, run: str) -> None:
        """One more request is about to leave."""
        with self._db:
            self._db.execute("UPDATE runs SET requests = requests + 1 WHERE run = ?", (run,))

    def forget_refusals(self, run: str) -> None:
        """Let the next crawl request again what this one refused: the site changed, not the titles.

        They come last. If the titles themselves were at fault, they would stop every later crawl.
        """
        with self._db:
            self._db.execute(
                "UPDATE frontier SET visited_at = NULL, parser = NULL, failures = failures + 1 "
                "WHERE title_id IN "
                "(SELECT title_id FROM outcomes WHERE run = ? AND kind = 'refused')",
                (run,),
            )

    def merges(self) -> dict[str, str]:
        """Requested ids to the ids they had become at their last visit, over all crawls."""
        return dict(self._db.execute("SELECT title_id, merged_into FROM merges").fetchall())

    def visited_lately(self, run: str, at_least: int) -> list[str]:
        """Titles read in this crawl; filled up to `at_least` with those of earlier crawls."""
        rows = self._db.execute(
            "SELECT title_id FROM frontier WHERE visited_at IS NOT NULL "
            "ORDER BY title_id IN (SELECT title_id FROM outcomes WHERE run = ?) DESC, "
            "visited_at DESC LIMIT max(?, (SELECT count(*) FROM outcomes WHERE run = ?))",
            (run, at_least, run),
        )
        return [title_id for (title_id,) in rows]

    def forget_merges(self, run: str, titles: Iterable[str]) -> None:
        """Drop what this crawl read of these titles; the next one requests them again, last."""
        with self._db:
            for title_id in titles:
                dropped = self._db.execute(
                    "DELETE FROM outcomes WHERE run = ? AND title_id = ? AND kind = 'title'",
                    (run, title_id),
                ).rowcount
                if dropped:
                    self._db.execute("DELETE FROM merges WHERE title_id = ?", (title_id,))
                    self._db.execute(
                        "UPDATE frontier SET visited_at = NULL, failures = failures + 1 "
                        "WHERE title_id = ?",
                        (title_id,),
                    )

    def postpone(self, title_id: str) -> None:
        """Request a title after all others next time: the crawl stopped at its page."""
        with self._db:
            self._db.execute(
                "UPDATE frontier SET failures = failures + 1 WHERE title_id = ?", (title_id,)
            )

    def counts(self, run: str) -> dict[Kind, int]:
        """Outcomes of a crawl by kind, every kind present."""
        rows = self._db.execute(
            "SELECT kind, count(*) FROM outcomes WHERE run = ? GROUP BY 1", (run,)
        )
        found = dict(rows.fetchall())
        return {kind: found.get(kind, 0) for kind in KINDS}

    def requests(self, run: str) -> int:
        """Requests for title pages that a crawl has sent, repeats included."""
        row = self._db.execute("SELECT requests FROM runs WHERE run = ?", (run,)).fetchone()
        return int(row[0]) if row else 0

    def reasons(self, run: str) -> dict[str, int]:
        """How often each reason of a refusal or failure was given."""
        rows = self._db.execute(
            "SELECT reason, count(*) FROM outcomes WHERE run = ? AND reason <> '' "
            "AND kind <> 'title' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
            (run,),
        )
        return dict(rows.fetchall())

    def merged(self, run: str) -> dict[str, str]:
        """Requested ids to the ids their titles were merged into, in order."""
        rows = self._db.execute(
            "SELECT title_id, substr(reason, ?) FROM outcomes WHERE run = ? AND kind = 'title' "
            "AND reason <> '' ORDER BY title_id",
            (len(MERGED) + 1, run),
        )
        return dict(rows.fetchall())

    def count_due(self, refresh_days: int) -> int:
        """Listed titles that were never visited or are stale."""
        present = seconds()
        row = self._db.execute(
            "SELECT count(*) FROM frontier WHERE listed = 1 "
            "AND (visited_at IS NULL OR visited_at < ? OR visited_at > ?)",
            (present - refresh_days * 86_400, present + AHEAD),
        ).fetchone()
        return int(row[0])

    def lines(self, run: str, kind: Kind) -> Iterator[bytes]:
        """The JSON lines of a crawl, in order of title id."""
        rows = self._db.execute(
            "SELECT line FROM outcomes WHERE run = ? AND kind = ? AND line IS NOT NULL "
            "ORDER BY title_id",
            (run, kind),
        )
        return (zlib.decompress(line) for (line,) in rows)

    def mark_delivered(self, run: str) -> None:
        """Note that the crawl's files are complete; the items of old crawls are dropped."""
        with self._db:
            self._db.execute("UPDATE runs SET delivered_at = ? WHERE run = ?", (seconds(), run))
            self._db.execute(
                "DELETE FROM outcomes WHERE run NOT IN (SELECT run FROM runs ORDER BY "
                "delivered_at IS NULL DESC, delivered_at DESC LIMIT ?)",
                (KEPT_RUNS,),
            )

    def is_dropped(self, run: str) -> bool:
        """Whether a crawl was delivered so long ago that its items have been dropped."""
        row = self._db.execute(
            "SELECT 1 FROM runs WHERE run = ? AND delivered_at IS NOT NULL AND run NOT IN "
            "(SELECT run FROM runs ORDER BY delivered_at IS NULL DESC, delivered_at DESC LIMIT ?)",
            (run, KEPT_RUNS),
        ).fetchone()
        return row is not None

    def reference(self) -> dict[str, float]:
        """Field coverage of the last good crawl; empty before the first."""
        return dict(self._db.execute("SELECT field, share FROM coverage").fetchall())

    def set_reference(self, coverage: dict[str, float]) -> None:
        """Keep each field's share as the reference of later crawls, in place of the last one."""
        with self._db:
            self._db.execute("DELETE FROM coverage")
            self._db.executemany("INSERT INTO coverage VALUES (?, ?)", coverage.items())
