"""From raw folders to prepared data: functions on DataFrames that the two prepare jobs call.

- `raw_ratings` reads releases and feedback as strings.
- `rating_dataset` validates each row, keeps one rating a pair, marks the holdout, counts figures.
- `title_items` merges the items of raw snapshots to one row a title.
- `listed_titles` joins these rows with the titles that the ratings release lists.
- `title_dataset` converts budgets to dollars, splits the titles, counts figures.
"""

__all__ = [
    "listed_titles",
    "rating_dataset",
    "raw_ratings",
    "title_dataset",
    "title_items",
]
