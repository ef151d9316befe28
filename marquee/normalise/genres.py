"""Genres in IMDb's canonical English, whatever language a page speaks."""

from __future__ import annotations

from collections.abc import Iterable

from marquee.normalise.text import clean

GENRES = (
    "Action",
    "Adult",
    "Adventure",
    "Animation",
    "Biography",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "Film-Noir",
    "Game-Show",
    "History",
    "Horror",
    "Music",
    "Musical",
    "Mystery",
    "News",
    "Reality-TV",
    "Romance",
    "Sci-Fi",
    "Short",
    "Sport",
    "Talk-Show",
    "Thriller",
    "War",
    "Western",
)

# Spellings that differ from the canonical word by more than case: German, and old or long forms.
_OTHER_WORDS = {
    "abenteuer": "Adventure",
    "animationsfilm": "Animation",
    "biografie": "Biography",
    "biographie": "Biography",
    "dokumentarfilm": "Documentary",
    "dokumentation": "Documentary",
    "familie": "Family",
    "familienfilm": "Family",
    "film noir": "Film-Noir",
    "game show": "Game-Show",
    "spielshow": "Game-Show",
    "geschichte": "History",
    "historie": "History",
    "historisch": "History",
    "kurz": "Short",
    "kurzfilm": "Short",
    "komödie": "Comedy",
    "krieg": "War",
    "kriegsfilm": "War",
    "krimi": "Crime",
    "kriminalfilm": "Crime",
    "musik": "Music",
    "musikfilm": "Music",
    "nachrichten": "News",
    "reality tv": "Reality-TV",
    "liebesfilm": "Romance",
    "romanze": "Romance",
    "romantik": "Romance",
    "science fiction": "Sci-Fi",
    "science-fiction": "Sci-Fi",
    "sci fi": "Sci-Fi",
    "talk show": "Talk-Show",
    "talkshow": "Talk-Show",
    "erwachsene": "Adult",
}
_CANONICAL = {genre.lower(): genre for genre in GENRES} | _OTHER_WORDS


def read_genre(text: str) -> str:
    """One genre's canonical English; a word we do not know stays as it is."""
    word = clean(text)
    return _CANONICAL.get(word.lower(), word)


def read_genres(texts: Iterable[str]) -> list[str]:
    """Genres in page order, each once."""
    return list(dict.fromkeys(genre for genre in map(read_genre, texts) if genre))
