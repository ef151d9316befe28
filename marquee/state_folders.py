"""Where one world keeps its state on this machine, folder by folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateFolders:
    """The folders of one world's state."""

    state: Path

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.state / "logs"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def hdfs(self) -> Path:
        """NameNode's and DataNode's storage."""
        return self.state / "hdfs"

    @property
    def conf(self) -> Path:
        """Hadoop's configuration, for daemons and Spark alike."""
        return self.state / "conf"

    @property
    def world(self) -> Path:
        """The synthetic world's files."""
        return self.state / "world"

    @property
    def crawl(self) -> Path:
        """Frontier, outcomes and items of the crawl."""
        return self.state / "crawl"

    @property
    def feedback(self) -> Path:
        """Ratings given through our own API, not yet in the lake."""
        return self.state / "feedback"

    @property
    def bundles(self) -> Path:
        """Bundles that serving has fetched."""
        return self.state / "bundles"

    @property
    def progress(self) -> Path:
        """How far each task that runs has come, one file a task."""
        return self.state / "progress"

    @property
    def tmp(self) -> Path:
        """Temporary files of tasks and of Spark: ours alone, so that leftovers can be swept."""
        return self.state / "tmp"

    @property
    def figures(self) -> Path:
        """What each run measured, as JSON."""
        return self.state / "figures"
