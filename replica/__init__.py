"""A small website shaped like IMDb's, and the synthetic world behind it.

No room imports this one. Its interface is two commands: `python -m replica serve` and
`python -m replica make-world`.

- `site`: the website as an ASGI application.
- `site_titles`: the titles of the website, in two languages.
- `site_pages`: renders a title as an HTML page.
- `site_faults`: blocks and broken pages, shown on request.
- `make_world`: makes the synthetic world and writes its files.
- `world_parameters`: sizes and dates of the world, and a formula for the cost of a title.
- `world_titles`: draws the titles, from the words in `world_words.toml`.
- `world_ratings`: draws the ratings.
- `world_faults`: worlds that are wrong on purpose, to test the gate.
"""

__all__: list[str] = []
