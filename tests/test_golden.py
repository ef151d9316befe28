"""Golden files: the commands that cross a door, as the cluster will be told them.

A change shows in the diff. To accept it: `python -m tests.test_golden`.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from marquee.lake import FolderLake
from marquee.settings import REPOSITORY, load_settings
from steps.crawl_titles import crawl_command
from steps.form import Form
from steps.publish_documents import publish_command
from steps.run import Run
from steps.spark_submit import conf_of_master, submit_command

GOLDEN = REPOSITORY / "tests" / "golden" / "commands.txt"
JOBS = (
    *("prepare_titles", "prepare_ratings"),
    *("train_recommender", "train_budget", "forecast_recommender"),
)
WHOLE = "train_recommender"
"""The job whose command the golden file shows; the others differ from it in their names."""


def rendered() -> str:
    """The crawl's command and one job's, one flag a line, without what differs by machine."""
    settings = load_settings("local")
    run = Run(
        id="manual-1a2b3c4d",
        as_of=datetime(2026, 1, 4, 3, tzinfo=UTC),
        run_type="manual",
        form=Form.of(settings, {}),
        settings=settings,
        lake=FolderLake("file:///lake"),
    )
    crawl = crawl_command(run, run.folders.crawl / "candidates.csv", run.crawl_folder)
    commands = [crawl, submit_command(settings, WHOLE, run.id, ""), publish_command(run)]
    text = "\n\n".join(_lines(command) for command in commands) + "\n"
    return text.replace(str(REPOSITORY), "<repository>").replace(sys.executable, "<python>")


def _lines(command: list[str]) -> str:
    return " ".join(f"\\\n  {x}" if x.startswith("--") else x for x in command)


def test_commands_are_as_agreed() -> None:
    assert rendered() == GOLDEN.read_text()


def test_jobs_differ_in_their_names_alone() -> None:
    settings = load_settings("local")
    whole = submit_command(settings, WHOLE, "<run>", "")
    for job in JOBS:
        command = submit_command(settings, job, "<run>", "")
        assert [word.replace(job, WHOLE) for word in command] == whole
        assert f"marquee-{job} <run> try 1" in command


def test_airflow_submits_what_a_shell_would(dag: dict[str, Any]) -> None:
    """The provider's hook builds the same command, flag for flag.

    As it runs, a task adds what depends on the master that its connection names.
    """
    settings = load_settings("local")
    own = conf_of_master(settings.spark.master, "")
    added = {("--conf", f"{key}={value}") for key, value in own.items()}
    assert added
    built = dag["commands"]
    assert set(built) == set(JOBS)
    for job, command in built.items():
        told = submit_command(settings, job, "<run>", "")
        assert command[0] == told[0] == "spark-submit"
        assert _flags(command) | added == _flags(told)
        assert command[-11:] == told[-11:]


def _flags(command: list[str]) -> set[tuple[str, str]]:
    """Flags with their values; the last eleven words are the job and its own flags."""
    return {(a, b) for a, b in pairwise(command[1:-11]) if a.startswith("--")}


if __name__ == "__main__":
    GOLDEN.write_text(rendered())
