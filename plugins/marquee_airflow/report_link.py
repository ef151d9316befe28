"""A button on the gate task that opens the model's report in a browser.

Airflow's worker works the address out when the task ends, however it ended, and keeps it as an
XCom; the API of the running stack serves the page from the lake.
"""

from __future__ import annotations

from typing import Any

import attrs
from airflow.sdk import BaseOperatorLink

from marquee.names import run_slug
from marquee.settings import load_settings


@attrs.define()
class ReportLink(BaseOperatorLink):
    """Of a task inside a model's group: `recommender.gate`."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address of the report of this run and model; also of a refused one."""
        return address(str(operator.task_id).split(".")[0], run_slug(ti_key.run_id))


def address(model: str, run: str) -> str:
    """Where the API serves a run's report on a model."""
    return f"{load_settings().serving_url}/v1/models/{model}/runs/{run}/report"


def with_report(task: Any) -> Any:
    """The task with the button on it; `task` is what a decorated function returned."""
    task.operator.operator_extra_links = (ReportLink(),)
    return task
