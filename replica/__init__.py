"""A small IMDb-shaped website, and the synthetic world behind it. No room imports this one.

`python -m replica serve` and `python -m replica make-world` are its doors.

- `site`: the website as an ASGI application.
- `site_titles`: the titles it serves, and their words in two languages.
- `site_pages`: a title as a page.
- `site_faults`: blocks and broken pages on request.
- `make_world`: make the synthetic world and write its files.
- `world_parameters`: its sizes, its dates, and what titles cost.
- `world_titles`, `world_ratings`: its titles (words: `world_words.toml`), and what people rate.
- `world_faults`: worlds that are wrong on purpose.
"""

__all__: list[str] = []
