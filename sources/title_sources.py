"""The sources of titles: what each is, what it takes, its licence, and the function that reads it.

`TITLE_SOURCES` is the one place where a source is registered. The settings give each a key with its
place (`[titles]`), a run's form chooses among these keys, and `title_merging` reads the chosen ones
through this table. A new source is a function `(path, wanted, aside) -> records`, one entry here
and one key in `config/base.toml` (`docs/guides/extending.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.errors import SourceError
from marquee.identifiers import digest_bytes
from marquee.lake import Lake
from sources.title_cells import SetAside
from sources.title_record import Record
from sources.titles_csv import read_titles_csv
from sources.titles_imdb5000 import read_imdb5000
from sources.titles_imdb_tsv import read_imdb_tsv
from sources.titles_wikidata import read_wikidata

Reader = Callable[[Path, Collection[str], SetAside], Iterable[Record]]
"""Reads a source's file or folder, given the title ids that ratings know, and where to count the
rows that cannot be read. A reader of whole files may ignore the ids."""
CRAWL = "crawl"


@dataclass(frozen=True)
class TitleSource:
    """One source of titles."""

    name: str
    """For people, as the licence note starts."""
    terms: str
    """Its licence, in a sentence."""
    takes: str = ""
    """The file or folder that `[titles]` names."""
    read: Reader | None = None
    """None where a run does not read it from a place: the crawl leaves its titles itself."""


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


def refuse_unknown_sources(places: Mapping[str, str]) -> None:
    """Raise SourceError where a key of `[titles]` is the name of no source."""
    unknown = [name for name in places if not _is_readable(name)]
    if unknown:
        raise SourceError(
            f"[titles] gives {', '.join(unknown)} a place, and no source is called so",
            f"choose of {', '.join(filter(_is_readable, TITLE_SOURCES))}",
        )


def read_source(
    name: str, places: Mapping[str, str], wanted: Collection[str], aside: SetAside
) -> Iterable[Record]:
    """The records of a source beside the crawl; SourceError where it is unknown or has no place."""
    source = TITLE_SOURCES.get(name)
    if source is None or source.read is None:
        known = ", ".join((CRAWL, *filter(_is_readable, TITLE_SOURCES)))
        raise SourceError(f"no source of titles is called '{name}'", f"choose of {known}")
    if not places.get(name):
        raise SourceError(
            f"titles.{name} says no place, so that source cannot be read",
            f"set it in [titles] of config ({source.takes}), or leave {name} out of the run's "
            "sources",
        )
    return source.read(Path(places[name]).expanduser(), wanted, aside)


def licence_note(name: str) -> str:
    """What may be done with a source, for people to read before its first use."""
    if name not in TITLE_SOURCES:
        raise SourceError(
            f"no source is called '{name}'", f"choose of {', '.join(sorted(TITLE_SOURCES))}"
        )
    return f"{TITLE_SOURCES[name].name}: {TITLE_SOURCES[name].terms}"


def new_licence_notes(lake: Lake, names: Iterable[str]) -> list[str]:
    """The notes of these sources that nobody has seen in this lake; the lake then holds them.

    A note with other terms is another note, and is shown again.
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
