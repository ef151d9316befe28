"""What Airflow learns from Marquee: operators, connections, DAG defaults, a timetable."""
