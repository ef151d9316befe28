"""Titles: from crawled items and a ratings release to one typed row a title."""

__all__ = ["catalogue", "data_report", "dollars", "items", "people", "raw", "split"]
