"""The state of a crawl: the known titles, the outcome of each visit, and the items.

An SQLite file holds the state, and each outcome is one transaction. An outcome and its item share a
row, so a crash keeps both or neither. A title whose request was open at a crash has no outcome, and
the next crawl requests it again. `crawl_run` writes the output files from the state.
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

OutcomeKind = Literal["title", "refused", "missing", "failed"]
OUTCOME_KINDS: tuple[OutcomeKind, ...] = ("title", "refused", "missing", "failed")
KEPT_RUNS = 5
"""Number of delivered crawls whose items stay in the state."""
MERGED_REASON = "merged into "
"""Start of the `reason` of a merged title: `merged into tt0133093`."""
MOST_AHEAD = SKEW.total_seconds()
"""Seconds. A visit further in the future was stamped by a wrong clock."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one title in one crawl."""

    title_id: str
    kind: OutcomeKind
    reason: str = ""
    line: bytes | None = None
    """The item, or the refused page with its reason, as one JSON line."""
    is_away: bool = False
    """Whether the site did not answer: a later try may help."""
    merged_into: str | None = None
    """The id of the title that the site merged this title into; else None."""


class CrawlState:
    """The folder with the database and its lock; a context manager.

    `run` is the key of a crawl (`CrawlPlan.run`). Raises AwayError while another crawl holds the
    lock.
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
        """Store the links, and move undelivered outcomes of earlier crawls to this run.

        Where an earlier attempt of the same crawl was stopped, its failed titles are due again. So
        are the titles it refused before the tripwire stopped it.
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

    def titles_to_request(self, run: str, refresh_days: int, parser: str, limit: int) -> list[str]:
        """At most `limit` titles to request now: first unvisited ones, the most rated first.

        Stale titles follow, the stalest first; last come titles that failed or at which a crawl
        stopped. A title that an older parser refused counts as unvisited. A title with a visit in
        the future counts as stale.
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
            (stale, present + MOST_AHEAD, parser, run, max(limit, 0)),
        )
        return [title_id for title_id, _ in rows]

    def record(self, run: str, outcome: Outcome, parser: str) -> None:
        """Store one outcome; it survives a crash of the process from the return on."""
        now = seconds()
        line = None if outcome.line is None else zlib.compress(outcome.line, 6)
        reason = MERGED_REASON + outcome.merged_into if outcome.merged_into else outcome.reason
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
        """Count one request before it is sent."""
        with self._db:
            self._db.execute("UPDATE runs SET requests = requests + 1 WHERE run = ?", (run,))

    def forget_refusals(self, run: str) -> None:
        """Schedule again the titles that this crawl refused: the site may have changed.

        They come last in the next crawl. At the front they could stop every crawl at once.
        """
        with self._db:
            self._db.execute(
                "UPDATE frontier SET visited_at = NULL, parser = NULL, failures = failures + 1 "
                "WHERE title_id IN "
                "(SELECT title_id FROM outcomes WHERE run = ? AND kind = 'refused')",
                (run,),
            )

    def merges(self) -> dict[str, str]:
        """Requested id to the id it was merged into at the last visit, over all crawls."""
        return dict(self._db.execute("SELECT title_id, merged_into FROM merges").fetchall())

    def visited_lately(self, run: str, at_least: int) -> list[str]:
        """Titles visited in this crawl, and the latest of earlier crawls up to `at_least`."""
        rows = self._db.execute(
            "SELECT title_id FROM frontier WHERE visited_at IS NOT NULL "
            "ORDER BY title_id IN (SELECT title_id FROM outcomes WHERE run = ?) DESC, "
            "visited_at DESC LIMIT max(?, (SELECT count(*) FROM outcomes WHERE run = ?))",
            (run, at_least, run),
        )
        return [title_id for (title_id,) in rows]

    def forget_merges(self, run: str, titles: Iterable[str]) -> None:
        """Drop this crawl's items of these titles; the next crawl requests them, last."""
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
        """Request a title last in the next crawl, because this crawl stopped at its page."""
        with self._db:
            self._db.execute(
                "UPDATE frontier SET failures = failures + 1 WHERE title_id = ?", (title_id,)
            )

    def counts(self, run: str) -> dict[OutcomeKind, int]:
        """Outcomes of a crawl by kind, every kind present."""
        rows = self._db.execute(
            "SELECT kind, count(*) FROM outcomes WHERE run = ? GROUP BY 1", (run,)
        )
        found = dict(rows.fetchall())
        return {kind: found.get(kind, 0) for kind in OUTCOME_KINDS}

    def requests(self, run: str) -> int:
        """Requests for title pages that a crawl has sent, repeats included."""
        row = self._db.execute("SELECT requests FROM runs WHERE run = ?", (run,)).fetchone()
        return int(row[0]) if row else 0

    def reasons(self, run: str) -> dict[str, int]:
        """The 20 commonest reasons of refusals and failures, with their counts."""
        rows = self._db.execute(
            "SELECT reason, count(*) FROM outcomes WHERE run = ? AND reason <> '' "
            "AND kind <> 'title' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
            (run,),
        )
        return dict(rows.fetchall())

    def merged(self, run: str) -> dict[str, str]:
        """Requested id to the id it was merged into, for titles of this crawl, in order."""
        rows = self._db.execute(
            "SELECT title_id, substr(reason, ?) FROM outcomes WHERE run = ? AND kind = 'title' "
            "AND reason <> '' ORDER BY title_id",
            (len(MERGED_REASON) + 1, run),
        )
        return dict(rows.fetchall())

    def count_due(self, refresh_days: int) -> int:
        """The number of listed titles that are unvisited or stale."""
        present = seconds()
        row = self._db.execute(
            "SELECT count(*) FROM frontier WHERE listed = 1 "
            "AND (visited_at IS NULL OR visited_at < ? OR visited_at > ?)",
            (present - refresh_days * 86_400, present + MOST_AHEAD),
        ).fetchone()
        return int(row[0])

    def lines(self, run: str, kind: OutcomeKind) -> Iterator[bytes]:
        """The JSON lines of a crawl, in order of title id."""
        rows = self._db.execute(
            "SELECT line FROM outcomes WHERE run = ? AND kind = ? AND line IS NOT NULL "
            "ORDER BY title_id",
            (run, kind),
        )
        return (zlib.decompress(line) for (line,) in rows)

    def mark_delivered(self, run: str) -> None:
        """Mark the crawl's files as complete, and drop the items of old crawls."""
        with self._db:
            self._db.execute("UPDATE runs SET delivered_at = ? WHERE run = ?", (seconds(), run))
            self._db.execute(
                "DELETE FROM outcomes WHERE run NOT IN (SELECT run FROM runs ORDER BY "
                "delivered_at IS NULL DESC, delivered_at DESC LIMIT ?)",
                (KEPT_RUNS,),
            )

    def is_dropped(self, run: str) -> bool:
        """Whether a crawl was delivered and its items have been dropped since."""
        row = self._db.execute(
            "SELECT 1 FROM runs WHERE run = ? AND delivered_at IS NOT NULL AND run NOT IN "
            "(SELECT run FROM runs ORDER BY delivered_at IS NULL DESC, delivered_at DESC LIMIT ?)",
            (run, KEPT_RUNS),
        ).fetchone()
        return row is not None

    def reference_coverage(self) -> dict[str, float]:
        """Field coverage of the last good crawl; empty before the first."""
        return dict(self._db.execute("SELECT field, share FROM coverage").fetchall())

    def set_reference_coverage(self, coverage: dict[str, float]) -> None:
        """Replace the reference coverage by this crawl's."""
        with self._db:
            self._db.execute("DELETE FROM coverage")
            self._db.executemany("INSERT INTO coverage VALUES (?, ?)", coverage.items())
