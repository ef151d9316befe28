"""`marquee stream`: answer the questions of a Kafka topic, as `python -m streams` does.

The command becomes that process, with the settings, the lake and the folders of the running stack
where one runs. So Ctrl-C, and whoever supervises it, reach the stream itself.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cli.world_and_lake import WorldFlag, running_settings, running_stack, settings_for
from marquee.state_folders import StateFolders

SparkFlag = Annotated[
    bool, typer.Option("--spark", help="Micro-batches of Spark, in place of the plain loop.")
]
NameFlag = Annotated[
    str, typer.Option(help="Name of this loop; each of those that share the work has its own.")
]


def stream(spark: SparkFlag = False, name: NameFlag = "1", data: WorldFlag = "") -> None:
    """Answer the questions of a Kafka topic on another one (docs/guides/streams.md)."""
    found = running_stack(data)
    settings = running_settings(found) if found else settings_for(data)
    folders = StateFolders(settings.state_folder)
    command = [sys.executable, "-m", "streams", "spark" if spark else "loop", "--name", name]
    command += ["--lake", settings.lake.root, "--webhdfs", settings.lake.webhdfs]
    command += ["--cache", str(folders.stream_bundles), "--feedback", str(folders.feedback)]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | (found.environment if found else {}))
