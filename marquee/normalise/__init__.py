"""Text as files and pages write it, read into values: one reader a kind, for every source.

A reader returns the value or `Unreadable`, which holds the reason; it never guesses and never
answers zero for what it cannot read.

- `text`: one spelling for white space and empty cells, JSON of others
- `dates`: dates in six languages, as ISO 8601
- `amounts`: amounts of money with their currency
- `currencies`: which word, sign or code means which ISO 4217 currency
- `canonical_names`: genres, countries and languages
"""

__all__ = ["amounts", "canonical_names", "currencies", "dates", "text"]
