"""One name or code for each genre, country and language, from English and German text.

Genres become IMDb's English words, countries ISO 3166-1 codes, languages ISO 639-1 codes. The
tables hold the names in IMDb's pages, in its 2016 CSV and in our synthetic world. The readers of
title sources, the page objects and the replica call this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from marquee.normalise.text import clean


def read_genre(text: str) -> str:
    """The English name of one genre; a word outside of the table does not change."""
    word = clean(text)
    return _CANONICAL_GENRES.get(word.lower(), word)


def read_genres(texts: Iterable[str]) -> list[str]:
    """The English names of several genres, in the given order and without repeats."""
    return list(dict.fromkeys(genre for genre in map(read_genre, texts) if genre))


def country_code(text: str) -> str | None:
    """The ISO 3166-1 code of a country; None for an unknown name.

    `USA`, `United States`, `us` and `US` give `US`. `UK`, which is no ISO code, gives `GB`.
    """
    word = text.strip()
    if word.lower() in _COUNTRY_CODES:
        return _COUNTRY_CODES[word.lower()]
    if re.fullmatch(r"[A-Za-z]{2}", word):
        return word.upper()
    return _FORMER_COUNTRIES.get(word.upper())


def language_code(text: str) -> str | None:
    """The ISO 639-1 code of a language; None for an unknown name.

    `English`, `EN` and `en` give `en`. A language without a two-letter code gives three letters.
    """
    word = text.strip()
    if re.fullmatch(r"[A-Za-z]{2,3}", word):
        return word.lower()
    return _LANGUAGE_CODES.get(word.lower())


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

# German words, and old or long forms of genres.
_OTHER_GENRE_WORDS = {
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
_CANONICAL_GENRES = {genre.lower(): genre for genre in GENRES} | _OTHER_GENRE_WORDS

_COUNTRIES = """
AE United Arab Emirates|AF Afghanistan|AL Albania|AM Armenia|AR Argentina|AT Austria|AU Australia
AW Aruba|AZ Azerbaijan|BA Bosnia and Herzegovina|BD Bangladesh|BE Belgium|BG Bulgaria|BO Bolivia
BR Brazil|BS Bahamas|BY Belarus|CA Canada|CH Switzerland|CL Chile|CM Cameroon|CN China|CO Colombia
CR Costa Rica|CU Cuba|CY Cyprus|CZ Czech Republic|CZ Czechia|CS Czechoslovakia|DE Germany
DE West Germany|DD East Germany|DK Denmark|DO Dominican Republic|DZ Algeria|EC Ecuador|EE Estonia
EG Egypt|ES Spain|ET Ethiopia|FI Finland|FR France|GB UK|GB United Kingdom|GE Georgia|GH Ghana
GR Greece|GT Guatemala|HK Hong Kong|HR Croatia|HU Hungary|ID Indonesia|IE Ireland|IL Israel
IN India|IQ Iraq|IR Iran|IS Iceland|IT Italy|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KG Kyrgyzstan
KH Cambodia|KR South Korea|KP North Korea|KW Kuwait|KZ Kazakhstan|LB Lebanon|LK Sri Lanka
LT Lithuania|LU Luxembourg|LV Latvia|LY Libya|MA Morocco|MC Monaco|MK North Macedonia|MN Mongolia
MT Malta|MX Mexico|MY Malaysia|NG Nigeria|NL Netherlands|NO Norway|NP Nepal|NZ New Zealand
PA Panama|PE Peru|PH Philippines|PK Pakistan|PL Poland|PR Puerto Rico|PS Palestine|PT Portugal
PY Paraguay|QA Qatar|RO Romania|RS Serbia|RU Russia|SA Saudi Arabia|SE Sweden|SG Singapore
SI Slovenia|SK Slovakia|SN Senegal|SU Soviet Union|SY Syria|TH Thailand|TN Tunisia|TR Turkey
TW Taiwan|TZ Tanzania|UA Ukraine|UG Uganda|US USA|US United States|US United States of America
UY Uruguay|UZ Uzbekistan|VE Venezuela|VN Vietnam|YU Yugoslavia|ZA South Africa|ZW Zimbabwe
"""
_LANGUAGES = """
am Amharic|ar Arabic|bg Bulgarian|bn Bengali|bs Bosnian|ca Catalan|cmn Mandarin|cs Czech|cy Welsh
da Danish|de German|dz Dzongkha|el Greek|en English|eo Esperanto|es Spanish|et Estonian|eu Basque
fa Persian|fi Finnish|fr French|ga Irish|gu Gujarati|he Hebrew|hi Hindi|hr Croatian|hu Hungarian
hy Armenian|id Indonesian|is Icelandic|it Italian|ja Japanese|ka Georgian|kk Kazakh|km Khmer
kn Kannada|ko Korean|ku Kurdish|la Latin|lt Lithuanian|lv Latvian|mk Macedonian|ml Malayalam
mn Mongolian|mr Marathi|ms Malay|ne Nepali|nl Dutch|no Norwegian|pa Panjabi|pl Polish|prs Dari
pt Portuguese|ro Romanian|ru Russian|sk Slovak|sl Slovenian|sq Albanian|sr Serbian|sv Swedish
sw Swahili|ta Tamil|te Telugu|th Thai|tl Filipino|tr Turkish|uk Ukrainian|ur Urdu|vi Vietnamese
yue Cantonese|zh Chinese|zu Zulu|arc Aramaic|myn Maya
"""
# IMDb's own codes of former countries, and the code that we use instead.
_FORMER_COUNTRIES = {
    "XWG": "DE",
    "DDDE": "DD",
    "SUHH": "SU",
    "CSHH": "CS",
    "YUCS": "YU",
    "XYU": "YU",
    "CSXX": "RS",
    "XKO": "KR",
    "XPI": "PS",
    "ZRCD": "CD",
    "BUMM": "MM",
    "VDVN": "VN",
}


def _table(text: str) -> list[tuple[str, str]]:
    entries = re.split(r"[|\n]", text.strip())
    return [(code, name) for code, _, name in (entry.partition(" ") for entry in entries)]


_COUNTRY_CODES = {name.lower(): code for code, name in _table(_COUNTRIES)}
_LANGUAGE_CODES = {name.lower(): code for code, name in _table(_LANGUAGES)}
COUNTRY_NAMES = dict(_table(_COUNTRIES))
LANGUAGE_NAMES = dict(_table(_LANGUAGES))
