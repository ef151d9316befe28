"""Readers of files from outside: ratings releases, titles and feedback, on their way to the lake.

- `text_files`: decode text files; `tables`: read CSV and TSV
- `ratings_forms`: the files of a release, and the titles it lists
- `ratings_cells`: ids, stars and times in a release
- `ratings_reading`: read and check a release; `ratings_release`: fetch and load it
- `feedback_lines`: one line of feedback, and the moment from which it counts
- `feedback_segments`: append, seal and read feedback
- `feedback_in_lake`: publish feedback, and fetch that of other hosts
- `title_sources`: the table of title sources
- `titles_csv`, `titles_imdb_tsv`, `titles_imdb5000`, `titles_wikidata`: one source each
- `title_cells`, `title_record`: from a row to a title's record
- `title_merging`: merge sources; `title_loading`: publish titles
- `title_snapshots`: the titles that the lake holds
"""

__all__ = [
    "feedback_in_lake",
    "feedback_lines",
    "feedback_segments",
    "ratings_cells",
    "ratings_forms",
    "ratings_reading",
    "ratings_release",
    "tables",
    "title_cells",
    "title_loading",
    "title_merging",
    "title_record",
    "title_snapshots",
    "title_sources",
    "titles_csv",
    "titles_imdb5000",
]
