"""The table of title sources: name, licence, expected file, and the function that reads it.

The settings (`[titles]`) map each source to a file or folder. The form of a run chooses sources.
`title_merging` reads the chosen ones through `TITLE_SOURCES`. A new source needs a function
`(path, wanted, aside) -> records`, an entry in `TITLE_SOURCES` and a key in `config/base.toml`
(`docs/guides/extending.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import SourceError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake
from sources.title_cells import RowsAsideByFile
from sources.title_record import Record
from sources.titles_csv import read_titles_csv
from sources.titles_imdb5000 import read_imdb5000
from sources.titles_imdb_tsv import read_imdb_tsv
from sources.titles_wikidata import read_wikidata

Reader = Callable[[Path, Collection[str], RowsAsideByFile], Iterable[Record]]
"""Reads records from a source's file or folder.

Arguments: the path; the ids of rated titles, which a reader may ignore; the rows set aside, to
which the reader adds unreadable rows."""
CRAWL = "crawl"


@dataclass(frozen=True)
class TitleSource:
    """One source of titles."""

    name: str
    """The name that people see; it starts the licence note."""
    terms: str
    """Its licence, in a sentence."""
    expected: str = ""
    """The file or folder that `[titles]` names."""
    read: Reader | None = None
    """None for `crawl`, which delivers its titles itself, and for `saved` pages."""


TITLE_SOURCES: dict[str, TitleSource] = {
    CRAWL: TitleSource(
        "Pages of a site",
        "A site's own terms decide. robots.txt is obeyed, and a site that refuses is left alone; "
        "ask its owner before crawling a public one.",
    ),
    "saved": TitleSource(
        "Pages you saved yourself",
        "For your own use; do not publish the pages or what is read from them.",
    ),
    "csv": TitleSource(
        "Your own CSV",
        "Yours; the fields you give win or fill in as the order of sources says.",
        "a CSV file with the column title_id",
        lambda path, wanted, aside: read_titles_csv(path, aside),
    ),
    "imdb_tsv": TitleSource(
        "IMDb non-commercial datasets",
        "Personal and non-commercial use only; IMDb asks that its information is credited and not "
        "republished.",
        "a folder with title.basics, title.ratings, title.crew and name.basics (.tsv.gz)",
        read_imdb_tsv,
    ),
    "imdb5000": TitleSource(
        "IMDB 5000 Movie Dataset",
        "Collected from IMDb's pages by a third party in 2016; for local, non-commercial study "
        "only.",
        "its movie_metadata.csv",
        lambda path, wanted, aside: read_imdb5000(path, aside),
    ),
    "wikidata": TitleSource(
        "Wikidata",
        "CC0: free for any use.",
        "a CSV, TSV or JSON export of a query: IMDb id, amount, unit",
        lambda path, wanted, aside: read_wikidata(path, aside),
    ),
}
"""Key of `[titles]` to the source."""


def refuse_unknown_sources(paths: Mapping[str, str]) -> None:
    """Raise SourceError where a key of `[titles]` names an unknown source."""
    unknown = [name for name in paths if not _is_readable(name)]
    if unknown:
        raise SourceError(
            f"[titles] gives {', '.join(unknown)} a place, and no source is called so",
            f"choose of {', '.join(filter(_is_readable, TITLE_SOURCES))}",
        )


def read_source(
    name: str, paths: Mapping[str, str], wanted: Collection[str], aside: RowsAsideByFile
) -> Iterable[Record]:
    """The records of a source other than `crawl`; SourceError without such a source or a path."""
    source = TITLE_SOURCES.get(name)
    if source is None or source.read is None:
        known = ", ".join((CRAWL, *filter(_is_readable, TITLE_SOURCES)))
        raise SourceError(f"no source of titles is called '{name}'", f"choose of {known}")
    if not paths.get(name):
        raise SourceError(
            f"titles.{name} says no place, so that source cannot be read",
            f"set it in [titles] of config ({source.expected}), or leave {name} out of the run's "
            "sources",
        )
    return source.read(Path(paths[name]).expanduser(), wanted, aside)


def licence_note(name: str) -> str:
    """The name and licence of a source, for people to read before its first use."""
    if name not in TITLE_SOURCES:
        raise SourceError(
            f"no source is called '{name}'", f"choose of {', '.join(sorted(TITLE_SOURCES))}"
        )
    return f"{TITLE_SOURCES[name].name}: {TITLE_SOURCES[name].terms}"


def new_licence_notes(lake: Lake, names: Iterable[str]) -> list[str]:
    """The licence notes of these sources that this lake does not hold yet; they are added to it.

    A note whose terms have changed counts as new.
    """
    unseen = []
    for name in names:
        note = licence_note(name)
        path = f"notices/{name}-{digest_bytes(note.encode())[:12]}.txt"
        if not lake.exists(path):
            unseen.append(note)
            lake.create(path, f"{note}\n".encode())
    return unseen


def _is_readable(name: str) -> bool:
    return name in TITLE_SOURCES and TITLE_SOURCES[name].read is not None
