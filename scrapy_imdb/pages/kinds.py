"""The kind of a title and its years, from the words in parentheses of a page's `<title>`.

`Carny (TV Movie 2009) - IMDb`, `Breaking Bad (TV Series 2008–2013) - IMDb`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from marquee.normalise.text import clean

_KINDS = {
    "": "movie",
    "film": "movie",
    "short": "short",
    "kurzfilm": "short",
    "tv movie": "tvMovie",
    "fernsehfilm": "tvMovie",
    "tv-film": "tvMovie",
    "tv series": "tvSeries",
    "fernsehserie": "tvSeries",
    "tv-serie": "tvSeries",
    "tv mini-series": "tvMiniSeries",
    "tv mini series": "tvMiniSeries",
    "tv-miniserie": "tvMiniSeries",
    "miniserie": "tvMiniSeries",
    "tv episode": "tvEpisode",
    "fernsehepisode": "tvEpisode",
    "tv-episode": "tvEpisode",
    "folge": "tvEpisode",
    "tv special": "tvSpecial",
    "fernsehspecial": "tvSpecial",
    "tv-special": "tvSpecial",
    "tv short": "tvShort",
    "tv-kurzfilm": "tvShort",
    "video": "video",
    "video short": "video",
    "video game": "videoGame",
    "videospiel": "videoGame",
    "music video": "musicVideo",
    "musikvideo": "musicVideo",
}
_LD_TYPES = {
    "movie": "movie",
    "tvseries": "tvSeries",
    "tvepisode": "tvEpisode",
    "videogame": "videoGame",
    "musicvideoobject": "musicVideo",
}
_TAIL = re.compile(
    r"\(([^()0-9]*?)\s*((?:18|19|20)\d\d)?(?:\s*[–—-]\s*((?:18|19|20)\d\d)?)?\s*\)"
    r"(?:\s*-\s*IMDb)?\s*$"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a page's `<title>` says: IMDb's type id (None: it does not say), and the years."""

    type: str | None
    year: int | None
    end_year: int | None


def read_kind(page_title: str) -> Kind:
    """`Name (TV Series 2008–2013) - IMDb` is a tvSeries of 2008 to 2013."""
    found = _TAIL.search(clean(page_title))
    if not found:
        return Kind(None, None, None)
    words, year, end = found.groups()
    return Kind(_KINDS.get(words.strip().lower()), _number(year), _number(end))


def type_of(kind: Kind, ld_type: str, genres: list[str]) -> str:
    """IMDb's type id: the page title's word, else JSON-LD's, else a film; a short is a short."""
    known = _LD_TYPES.get(ld_type.lower(), "movie")
    found = kind.type if kind.type and kind.type != "movie" else known
    return "short" if found == "movie" and "Short" in genres else found


def _number(text: str | None) -> int | None:
    return int(text) if text else None
