"""One weekly run of a cluster in containers: `python -m cli.first_run`.

The service `demo` of `docker-compose.yaml` runs it beside Airflow's API: it triggers a run, prints
each task that ends, then the verdicts, and ends with status 0 where the run succeeded.
"""

from __future__ import annotations

import sys

from cli.run_command import weekly_run
from cli.run_results import RunFigures
from cli.terminal import unwind_on_signals
from local_stack.airflow_api import AirflowApi
from local_stack.stack import Stack
from marquee.errors import MarqueeError
from marquee.settings import load_settings

SECONDS_TO_READ_THE_DAG = 600.0
"""How long Airflow may take to read the DAG's file for the first time, on a slow machine."""


class ContainerStack(Stack):
    """A stack whose processes a container engine starts, restarts and measures."""

    def check_running(self) -> None:
        """Nothing to check: a container that ended is started again."""

    def pids(self) -> list[int]:
        """No process: those of other containers are not visible."""
        return []


def main() -> int:
    """Run the weekly run once; the exit status."""
    unwind_on_signals()
    try:
        stack = ContainerStack(load_settings())
        api = AirflowApi(stack.settings, stack.folders.airflow)
        api.is_paused(SECONDS_TO_READ_THE_DAG)
        succeeded = weekly_run(stack, {}, RunFigures()) == "success"
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.status
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
