"""The words and figures of a page in its reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from marquee.normalise.countries import COUNTRY_NAMES, LANGUAGE_NAMES

LANGUAGES = ("en", "de")

_GENRES = {
    "Adventure": "Abenteuer",
    "Biography": "Biografie",
    "Comedy": "Komödie",
    "Crime": "Kriminalfilm",
    "Documentary": "Dokumentarfilm",
    "Family": "Familie",
    "History": "Geschichte",
    "Music": "Musik",
    "News": "Nachrichten",
    "Romance": "Liebesfilm",
    "Short": "Kurzfilm",
    "Sci-Fi": "Science-Fiction",
    "War": "Krieg",
}
_COUNTRIES = {
    "US": "Vereinigte Staaten",
    "GB": "Vereinigtes Königreich",
    "DE": "Deutschland",
    "FR": "Frankreich",
    "IN": "Indien",
    "KR": "Südkorea",
}
_TYPES = {"movie": "Film", "tvSeries": "Fernsehserie", "tvMovie": "Fernsehfilm"}
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹"}
_ROLES = {
    "director": ("Director", "Directors", "Regie", "Regie"),
    "writer": ("Writer", "Writers", "Drehbuch", "Drehbuch"),
    "cast": ("Star", "Stars", "Hauptbesetzung", "Hauptbesetzung"),
}


@dataclass(frozen=True)
class Words:
    """A reader's language: `en` or `de`."""

    language: str

    @property
    def is_german(self) -> bool:
        return self.language == "de"

    @property
    def locale(self) -> str:
        return "de-DE" if self.is_german else "en-US"

    def genre(self, name: str) -> str:
        return _GENRES.get(name, name) if self.is_german else name

    def country(self, code: str) -> str:
        return (_COUNTRIES.get(code) if self.is_german else None) or COUNTRY_NAMES.get(code, code)

    def spoken(self, code: str) -> str:
        return LANGUAGE_NAMES.get(code, code)

    def type(self, type_id: str) -> str:
        return _TYPES.get(type_id, type_id) if self.is_german else type_id

    def role(self, name: str, count: int) -> str:
        one, many, einer, viele = _ROLES[name]
        return (einer if count == 1 else viele) if self.is_german else (one if count == 1 else many)

    def count(self, number: int) -> str:
        """`1,234`, in German `1.234`."""
        text = f"{number:,}"
        return text.replace(",", ".") if self.is_german else text

    def score(self, number: float) -> str:
        text = f"{number:.1f}"
        return text.replace(".", ",") if self.is_german else text

    def money(self, amount: float, currency: str) -> str:
        """`$65,000,000` or `JPY 2,400,000,000`; in German `65.000.000 $`."""
        sign, figure = _SIGNS.get(currency, currency), self.count(round(amount))
        if self.is_german:
            return f"{figure}\u00a0{sign}"
        return f"{sign}\u00a0{figure}" if sign == currency else f"{sign}{figure}"

    @property
    def estimated(self) -> str:
        return "(geschätzt)" if self.is_german else "(estimated)"
