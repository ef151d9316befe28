"""From raw folders to prepared data: pure functions on DataFrames that the two prepare jobs call.

Ratings: `raw_ratings` reads releases and feedback as strings, `rating_dataset` types each row or
states why it is no rating, keeps one rating a pair, marks the holdout and counts the figures.

Titles: `title_items` merges the items of raw snapshots to one row a title, `listed_titles` joins
them to the release's list, `title_dataset` converts budgets, splits, and counts the figures.
"""

__all__ = [
    "listed_titles",
    "rating_dataset",
    "raw_ratings",
    "title_dataset",
    "title_items",
]
