"""What comes in: ratings releases, titles and feedback, from their own files into the lake.

Files: `text_files` decodes any text, `tables` reads CSV and TSV.

Ratings: `ratings_forms` knows the files of each release and the titles it lists, `ratings_cells`
what a cell means, `ratings_reading` reads a release whole, `ratings_release` loads it (and fetches
known ones).

Feedback: `feedback_lines` knows lines and the moment each counts from, `feedback_segments` appends,
seals and publishes.

Titles: `title_sources` is the table of sources, with a module for each (`titles_csv`,
`titles_imdb_tsv`, `titles_imdb5000`, `titles_wikidata`). `title_record` and `title_cells` make
their records, `title_merging` merges them, `title_loading` publishes them, and `title_snapshots`
finds what the lake holds.
"""

__all__ = [
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
