"""What Airflow learns from Marquee. `dags/` wires it; Airflow itself loads `plugin` alone.

- `tasks`: the tasks without an engine; how every task logs, fails and is retried
- `spark`: the Spark jobs as tasks
- `approval`: the Report button and the question to a person
- `form`: the run's typed form, and the check of every request for a run
- `timetable`: the weekly timetable
- `runs`: from Airflow's context to our `Run` and its lake
- `plugin`: what Airflow loads: timetable, button, form check, listener
- `bin/`: the spark-submit that ends with the task that started it
"""

__all__ = ["approval", "form", "spark", "tasks", "timetable"]
