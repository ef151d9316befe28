"""The weekly run's steps that need no engine: one module a task, named as the task.

Each takes a `Run` and returns a small value: paths, ids, counts. Airflow calls them, and so does
`marquee step`, so that a run can be repeated from a shell.
"""

__all__ = [
    "approve",
    "crawl_titles",
    "evaluate",
    "fetch_ratings",
    "freeze_inputs",
    "gate",
    "history",
    "load_feedback",
    "load_ratings",
    "load_titles",
    "promote",
    "report",
    "run",
    "verify_serving",
]
