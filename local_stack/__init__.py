"""The local stack: set-up, daemons, health checks. Everything listens on loopback.

- `stack`: the whole stack of one world, started and stopped.
- `environment`: the addresses, variables and secrets of a stack, Airflow's included.
- `airflow_api`: a client of Airflow's REST API.
- `processes`: the stacks that run on this machine, and the processes that outlive one.
- `health_checks`: can this machine run a stack, and is each of its processes ready?

Inside: `bootstrap` and `java_setup` (set-up), `hdfs`, `supervisor`.
"""

__all__ = ["airflow_api", "environment", "health_checks", "processes", "stack"]
