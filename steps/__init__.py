"""The weekly run's steps, without Airflow: one function a task, named as the task.

Each takes a `Run` and returns a small value: paths, ids, counts. Airflow's tasks and `marquee step`
call them, so a run can be repeated from a shell.

- `crawl_titles`: the task of that name
- `load_sources`: the tasks find_ratings, load_ratings, load_feedback and load_titles
- `freeze_inputs`: the task of that name; what this run reads
- `unchanged`: whether a model needs no new training; `marquee history` reads the decisions
- `evaluate`: the task of that name, and the live record
- `release_model`: the tasks gate, approve, promote, verify_serving and report
- `run`: one run, and its claim to the lake
- `form`: what a run's form may request, and the one check of it
- `spark_submit`: how the tasks prepare_* and train are submitted
- `sweep`: removes the leftovers of killed attempts
"""

__all__ = [
    "crawl_titles",
    "evaluate",
    "form",
    "freeze_inputs",
    "load_sources",
    "release_model",
    "run",
    "spark_submit",
    "unchanged",
]
