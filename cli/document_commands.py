"""Documents in CouchDB: `marquee documents publish`, `check` and `status`.

The commands import the room `documents` when they run: it loads what serving loads.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.terminal import as_typed_here
from cli.world_and_lake import LakeFlag, WebHdfsFlag, WorldFlag, checking_arguments, chosen_lake
from marquee.settings import load_settings

ReplaceFlag = Annotated[
    bool, typer.Option("--replace", help="Overwrite documents that somebody else has changed.")
]
documents = typer.Typer(
    name="documents",
    help="The champions' answers as documents in a CouchDB, for apps and boards that replicate.",
    no_args_is_help=True,
)


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
    """What is published, what is being published, and what is owed."""
    from documents.couch import Couch
    from documents.publication import status_lines

    with checking_arguments():
        couch = Couch(load_settings().documents)
    with couch:
        for line in status_lines(couch, chosen_lake(lake, webhdfs, data)):
            print(as_typed_here(line))
