"""The steps of the weekly run: one function for each task of the DAG, with the task's name.

A step takes a `Run` and returns paths, ids or counts. Airflow's tasks and `marquee step` call the
steps, so an operator can repeat a task from a shell.

- `crawl_titles`: the task crawl_titles
- `load_sources`: the tasks find_ratings, load_ratings, load_feedback and load_titles
- `freeze_inputs`: the task freeze_inputs, which fixes the datasets that the run reads
- `unchanged`: the fingerprint of a model's inputs, and the last decision with the same fingerprint
- `evaluate`: the task evaluate, and the live record
- `release_model`: the tasks gate, approve, promote and verify_serving
- `publish_documents`: the task publish_documents, where `[documents]` names a CouchDB
- `export_champion`: the task export, and what no configured format can carry
- `run_report`: the task report
- `run`: one run, and the check of the lake's world
- `form`: the keys of a run's form, and their check
- `spark_submit`: the options of spark-submit for the tasks prepare_* and train
- `shipped_code`: the zip of our code for Spark executors
- `sweep`: removes the leftovers of killed attempts
"""

__all__ = [
    "crawl_titles",
    "evaluate",
    "export_champion",
    "form",
    "freeze_inputs",
    "load_sources",
    "publish_documents",
    "release_model",
    "run",
    "run_report",
    "spark_submit",
    "unchanged",
]
