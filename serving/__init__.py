"""Serving: the REST API and its web pages.

Serving answers from bundles alone, without Spark and without a JVM. Its interface is two commands,
`python -m serving` and `python -m serving.check`, and for the rooms that answer the same questions
without HTTP the modules that `__all__` lists. Tests may use every module:

- `app`: the web application and its middleware
- `routes`: the routes of the API
- `web_pages`: the pages `/`, `/docs` and `/sign-in`
- `access`: the scope of every route, and the rules that each request passes
- `callers`: tokens and sessions: who calls
- `rate_limits`: so many requests a minute
- `problems`: errors as RFC 9457 problem documents
- `questions`: what is asked and answered, without HTTP
- `backend`: all that the routes need to answer
- `follower`: follows a ledger and loads its champion
- `bundle_cache`: bundles on the local disk
- `engines`: load a bundle and compute answers
- `other_engines`: engines in processes of their own, for `?engine=`
- `title_index`: search in titles and ids
- `feedback_log`: the ratings that people give through the API
- `feedback_hand_over`: bring them to the lake
- `check`: would serving accept a bundle?
"""

__all__ = [
    "access",
    "app",
    "backend",
    "bundle_cache",
    "callers",
    "engines",
    "feedback_log",
    "follower",
    "problems",
    "questions",
    "routes",
]
