"""Ratings as DataFrames: reading, typing, quarantine, one rating a pair, the split. All pure."""
