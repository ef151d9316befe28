"""Ratings as DataFrames: reading, typing, quarantine, one rating a pair, the split. All pure."""

__all__ = ["figures", "judging", "merging", "reading", "split", "text_ids"]
