"""The chosen sources of titles, read and merged: the crawl and what stands beside it.

What earlier crawls brought home is part of the crawl's say: this week's crawl visits some titles
only, and a source of lower precedence must not win over a page read last week.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from marquee.clock import now
from marquee.errors import SourceError
from marquee.lake import Lake
from sources.title_lines import read_lines
from sources.title_moments import fetch_moment
from sources.title_record import Record, SetAside
from sources.title_snapshots import moment_of, records_at, snapshots
from sources.titles_csv import read_titles_csv
from sources.titles_imdb5000 import read_imdb5000
from sources.titles_imdb_tsv import read_imdb_tsv
from sources.titles_merge import OWN, Merged, merge_titles
from sources.titles_wikidata import read_wikidata

CRAWL = "crawl"
Reader = Callable[[Path, Collection[str], SetAside], Iterable[Record]]
READERS: Mapping[str, Reader] = {
    "csv": lambda path, wanted, aside: read_titles_csv(path, aside),
    "imdb_tsv": read_imdb_tsv,
    "imdb5000": lambda path, wanted, aside: read_imdb5000(path, aside),
    "wikidata": lambda path, wanted, aside: read_wikidata(path, aside),
}
"""Source to what reads it, given its file or folder, the title ids that ratings know, and where to
count the rows that cannot be read."""


def gather_titles(
    chosen: Sequence[str],
    places: Mapping[str, str],
    crawled: Iterable[Record],
    wanted: Collection[str],
) -> Merged:
    """Merge the chosen sources, the first wins; SourceError where one cannot be read."""
    aside: SetAside = {}
    sources = [(name, _records(name, places, crawled, wanted, aside)) for name in chosen]
    return merge_titles(sources, aside)


def crawled_titles(lake: Lake, folder: Path, before: str) -> Iterator[Record]:
    """What crawls know by now: a record a title, this run's in place of earlier ones."""
    known: dict[str, tuple[datetime, Record]] = {}
    for path in snapshots(lake, before):
        loaded = moment_of(path, lake.manifest(path))
        for record in filter(None, map(_of_crawl, records_at(lake, path))):
            fetched = fetch_moment(record.get("fetched_at"), loaded, now())
            if record["title_id"] not in known or known[record["title_id"]][0] <= fetched:
                known[record["title_id"]] = fetched, record
    pages = {title_id: record for title_id, (_, record) in known.items()}
    pages |= {r["title_id"]: r for r in read_lines(sorted(folder.glob("titles-*.jsonl.gz")))}
    return iter(pages.values())


def _records(
    name: str,
    places: Mapping[str, str],
    crawled: Iterable[Record],
    wanted: Collection[str],
    aside: SetAside,
) -> Iterable[Record]:
    if name == CRAWL:
        return crawled
    if name not in READERS:
        known = ", ".join((CRAWL, *READERS))
        raise SourceError(f"no source of titles is called '{name}'", f"choose of {known}")
    if not places[name]:
        raise SourceError(
            f"titles.{name} says no place, so that source cannot be read",
            f"set it in [titles] of config, or leave {name} out of the run's sources",
        )
    return READERS[name](Path(places[name]).expanduser(), wanted, aside)


def _of_crawl(record: Record) -> Record | None:
    """The crawl's own fields of a loaded record; None where no crawl gave any."""
    given = record.get("provenance")
    if given is None:
        return record
    if CRAWL not in given.values():
        return None
    mine = {name for name, source in given.items() if source == CRAWL} | {*OWN, "provenance"}
    blank: Record = {
        name: [] if isinstance(value, list) else None for name, value in record.items()
    }
    page = blank | {name: value for name, value in record.items() if name in mine}
    del page["provenance"]
    return page
