"""Titles, lists and estimates as documents of CouchDB, one whole generation at a time."""

__all__: list[str] = []
