"""The local stack: set-up, daemons, readiness, doctor. Everything on loopback."""

__all__ = ["airflow", "airflow_api", "doctor", "environment", "figures", "processes", "stack"]
