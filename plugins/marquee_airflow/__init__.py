"""What Airflow learns from Marquee: operators, connections, DAG defaults, a timetable."""

__all__ = ["approval", "form", "report_link", "spark", "tasks", "timetable"]
