"""The local stack of one world: set-up, daemons, health checks. All ports listen on loopback.

- `stack`: starts and stops the whole stack.
- `environment`: addresses, variables and secrets of a stack, for Airflow too.
- `airflow_database`: Airflow's metadata, made or migrated at a start, in SQLite or Postgres.
- `airflow_api`: a client of Airflow's REST API.
- `processes`: finds and ends processes of the stacks on this machine.
- `host_daemon`: one daemon of a cluster on this host; `systemd_units`: the units that start it
- `java_setup`: finds Java and the folders of jars, and fills them.
- `health_checks`: can this machine run a stack, and is each process ready?
- `place_checks`, `spark_checks`: are HDFS, Spark and every worker of a place as its file says?

Inside the room only: `airflow_postgres`, `bootstrap`, `clean_state`, `jar_setup`, `hdfs`, `kafka`,
`yarn`, `supervisor`.
"""

__all__ = [
    "airflow_api",
    "airflow_database",
    "environment",
    "health_checks",
    "host_daemon",
    "java_setup",
    "place_checks",
    "processes",
    "spark_checks",
    "stack",
    "systemd_units",
]
