"""Parsers for the text of files and pages: one parser for each kind of value, for every source.

A parser returns the value, or `Unreadable` with the reason. It never guesses.

- `text`: white space, empty cells, and JSON of other people
- `dates`: dates in six languages, as ISO 8601
- `amounts`: amounts of money with their currency
- `currencies`: words, signs and codes of ISO 4217 currencies
- `canonical_names`: one name or code for each genre, country and language
"""

__all__ = ["amounts", "canonical_names", "currencies", "dates", "text"]
