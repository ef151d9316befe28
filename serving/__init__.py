"""Serving: the REST API and its pages, from a bundle and nothing else; no Spark, no JVM.

No other room imports this one. Two commands are its interface: `python -m serving` and
`python -m serving.check`. Tests may use every module:

- `app`: the web application and its table of routers
- `backend`: what the routes answer from
- `follower`, `bundle_cache`: follow a ledger; fetch and keep bundles
- `engines`: what computes the answers, and the table of engines
- `feedback_log`: the ratings of our API's people
- `title_index`: titles and ids of a champion
- `problems`: errors as RFC 9457 documents
- `web_pages`: `/` and `/docs`
- `routes`: the API
"""

__all__: list[str] = []
