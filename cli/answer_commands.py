"""Answers by other ways than the API: `marquee stream`, and `marquee documents`.

`stream` becomes the process `python -m streams`, with the settings, the lake and the folders of the
running stack where one runs. So Ctrl-C, and whoever supervises it, reach the stream itself. The
commands of documents import their room when they run: it loads what serving loads.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cli.terminal import as_typed_here
from cli.world_and_lake import (
    LakeFlag,
    StackWorldFlag,
    WebHdfsFlag,
    WorldFlag,
    checking_arguments,
    chosen_lake,
    running_settings,
    running_stack,
    settings_for,
)
from marquee.daemon_settings import check_loop_name
from marquee.errors import StackError
from marquee.settings import load_settings
from marquee.state_folders import StateFolders

SparkFlag = Annotated[
    bool, typer.Option("--spark", help="Micro-batches of Spark, in place of the plain loop.")
]
NameFlag = Annotated[
    str, typer.Option(help="Name of this loop; each of those that share the work has its own.")
]
ReplaceFlag = Annotated[
    bool, typer.Option("--replace", help="Overwrite documents that somebody else has changed.")
]
PortFlag = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="Port of loopback for /livez, /readyz and /metrics; 0: any. Default: none.",
        show_default=False,
    ),
]
documents = typer.Typer(
    name="documents",
    help="The champions' answers as documents in a CouchDB, for apps and boards that replicate.",
    no_args_is_help=True,
)


def stream(
    spark: SparkFlag = False,
    name: NameFlag = "1",
    port: PortFlag = None,
    data: StackWorldFlag = "",
) -> None:
    """Answer the questions of a Kafka topic on another one (docs/guides/streams.md)."""
    found = running_stack(data)
    settings = running_settings(found) if found else settings_for(data)
    if found is None and settings.kafka.embedded:
        raise StackError("no stack runs, and its Kafka is the one to ask", "start it: `marquee up`")
    if found and not settings.kafka_bootstrap:
        remedy = "`marquee down`, then start it with [kafka] embedded = true, or bootstrap"
        raise StackError("the stack that runs was started without Kafka", remedy)
    with checking_arguments():
        check_loop_name(name)
    folders = StateFolders(settings.state_folder)
    command = [sys.executable, "-m", "streams", "spark" if spark else "loop", "--name", name]
    command += ["--lake", settings.lake.root, "--webhdfs", settings.lake.webhdfs]
    command += ["--cache", str(folders.stream_bundles), "--feedback", str(folders.feedback)]
    command += [] if port is None else ["--port", str(port)]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | (found.environment if found else {}))


@documents.command()
def publish(
    replace: ReplaceFlag = False,
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    data: WorldFlag = "",
) -> None:
    """Publish the champions' answers, and let readers read them. Repeat it after an outage.

    The CouchDB is that of `url` in the section documents; its name and password come from
    MARQUEE_DOCUMENTS__USER and MARQUEE_DOCUMENTS__PASSWORD.
    """
    from documents.couch import Couch
    from documents.publication import publish as publish_generation

    with checking_arguments():
        couch = Couch(load_settings().documents)
    with couch:
        found = publish_generation(chosen_lake(lake, webhdfs, data), couch, print, replace)
        print(found.sentence)


@documents.command()
def check(
    api: Annotated[str, typer.Option(help="The API's address. Default: the settings'.")] = "",
    each: Annotated[int, typer.Option(min=1, help="Documents of each kind.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 1,
) -> None:
    """Compare a sample with the API: one line a difference. The status is 1 where there is any.

    MARQUEE_API_TOKEN holds the token for an API beyond loopback.
    """
    from documents.couch import Couch
    from documents.sample_check import api_address, print_check

    settings = load_settings()
    with checking_arguments():
        api = api_address(api or settings.serving_url)
        couch = Couch(settings.documents)
    with couch:
        raise typer.Exit(print_check(couch, api, each, seed))


@documents.command()
def status(lake: LakeFlag = "", webhdfs: WebHdfsFlag = "", data: WorldFlag = "") -> None:
    """What is published or half published. The status is 1 where something is owed."""
    from documents.couch import Couch
    from documents.publication import OWED, status_lines

    with checking_arguments():
        couch = Couch(load_settings().documents)
    with couch:
        lines = status_lines(couch, chosen_lake(lake, webhdfs, data))
    for line in lines:
        print(as_typed_here(line))
    raise typer.Exit(1 if lines[-1].startswith(OWED) else 0)
