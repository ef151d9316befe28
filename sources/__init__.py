"""What comes in: ratings releases, titles, feedback."""

__all__ = [
    "coverage",
    "feedback",
    "feedback_time",
    "licences",
    "ratings",
    "ratings_cells",
    "ratings_forms",
    "releases",
    "tables",
    "title_lines",
    "title_moments",
    "title_record",
    "title_snapshots",
    "titles",
    "titles_csv",
    "titles_gather",
    "titles_imdb5000",
    "titles_merge",
]
