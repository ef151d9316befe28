"""The crawl of a site's title pages, with Scrapy.

No other room imports this one. Its interface is two commands, `python -m scrapy_imdb crawl` and
`python -m scrapy_imdb parse`, and the files that they write. Tests and benchmarks may import every
module:

- `__main__`: both commands; `parse` reads pages that a person saved
- `items`: the record of one title
- `pages`: page objects, one for each layout
- `crawl_plan`: the checked flags of a crawl, and Scrapy's settings
- `crawl_run`: one crawl from start to report
- `spider`: visits each title and records the outcome
- `fetch`: fetches pages, obeys robots.txt, waits after a failure
- `tripwire`: decides when a crawl must stop
- `crawl_state`, `state_database`: titles, outcomes and items, kept in SQLite
"""

__all__: list[str] = []
