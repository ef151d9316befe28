"""Titles: from crawled items and a ratings release to one typed row a title."""
