"""The folders in which one world keeps its state on this machine.

The local stack makes them; tasks, the crawl and serving read and write their own.
"""

from __future__ import annotations

from pathlib import Path


class StateFolders:
    """The folders of one world's state on this machine, below `Settings.state_folder`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.logs = state / "logs"  # one file for each process
        self.airflow = state / "airflow"  # AIRFLOW_HOME
        self.hdfs = state / "hdfs"  # storage of NameNode and DataNode
        self.kafka = state / "kafka"  # storage and configuration of a broker of the stack's own
        self.conf = state / "conf"  # Hadoop's configuration, for daemons and Spark alike
        self.world = state / "world"  # the synthetic world's files
        self.crawl = state / "crawl"  # candidates, state and delivered items of the crawl
        self.feedback = state / "feedback"  # ratings from our own API that the lake does not hold
        self.tokens = state / "tokens.json"  # who may use the API, each with a secret's hash
        self.bundles = state / "bundles"  # bundles that serving has fetched
        self.stream_bundles = state / "stream-bundles"  # those that `python -m streams` has fetched
        self.progress = state / "progress"  # the progress file of each running task
        self.tmp = state / "tmp"  # temporary files of tasks and Spark, which `steps.sweep` removes
        self.copies = state / "copies"  # published files that a task wrote or fetched, by digest
        self.figures = state / "figures"  # the measurements of each run, as JSON
        self.stream_status = state / "stream.json"  # what a stream of the stack's own answered

    @property
    def of_tasks(self) -> tuple[Path, ...]:
        """The folders that are made before any process of the world starts."""
        return self.logs, self.feedback, self.figures, self.progress, self.tmp
