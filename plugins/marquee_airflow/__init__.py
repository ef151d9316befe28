"""Marquee's parts of Airflow. `dags/` imports them; Airflow itself loads only `plugin`.

- `tasks`: the tasks other than Spark jobs; how every task logs, fails and is retried
- `spark`: the Spark jobs as tasks
- `drivers`: drivers that YARN runs elsewhere: why one does not start, and why one failed
- `approval`: the Report button; the task that asks a person for an approval
- `document_task`: the task publish_documents, and its login
- `form`: the run's typed form; the check of every request for a run
- `timetable`: the weekly timetable
- `runs`: makes our `Run` and its lake from Airflow's context
- `plugin`: what Airflow loads: timetable, button, form check, listener
- `bin/`: a spark-submit that ends with the task that started it
"""

__all__ = ["approval", "document_task", "form", "spark", "tasks", "timetable"]
