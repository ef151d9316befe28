"""The crawl: pages to items, which URLs, and a state that survives anything.

No other room imports this one: `python -m scrapy_imdb crawl` and `... parse` are its interface, and
the files they write. Tests and benchmarks may use every module:

- `__main__`: both commands; `parse` reads pages that a person saved
- `items`: the record of one title
- `pages`: page objects, one for each layout
- `crawl_plan`: the plan of one crawl, and Scrapy's settings for it
- `crawl_run`: one crawl from start to report
- `spider`: which titles to visit, and what becomes of each
- `fetch`, `tripwire`: fetch pages as robots.txt allows; stop by itself
- `crawl_state`, `state_database`: what a crawl remembers, and the file behind it
"""

__all__: list[str] = []
