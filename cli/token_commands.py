"""Tokens for the API: `marquee tokens add`, `list` and `revoke`.

Serving reads the file that these commands write, and notices a change by itself.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.terminal import error_console
from cli.world_and_lake import (
    JsonFlag,
    StackWorldFlag,
    checking_arguments,
    out,
    running_settings,
    running_stack,
    state_root,
    world_name_of,
)
from marquee.access_tokens import (
    SCOPE,
    Token,
    add_token,
    asks_for_tokens,
    read_tokens,
    revoke_token,
)
from marquee.clock import iso
from marquee.errors import SettingsError, SourceError
from marquee.settings import Settings, load_settings
from marquee.state_folders import StateFolders

HolderArgument = Annotated[
    str, typer.Argument(help="Who holds the token, such as kiosk.", show_default=False)
]
MayFlag = Annotated[
    list[str],
    typer.Option(
        "--may",
        help="read, reports, rate:p-NAME (as one person) or rate:* (as every person); repeatable.",
        show_default=False,
    ),
]
DaysFlag = Annotated[
    int | None,
    typer.Option(min=1, max=36_500, help="Expires after so many days. Default: never."),
]
FileFlag = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="The file that serving reads (--tokens). Default: the running stack's, else the "
        "settings'.",
        show_default=False,
    ),
]
tokens = typer.Typer(
    name="tokens",
    help="Tokens for the API: who may read, rate as a person, and see reports.",
    no_args_is_help=True,
)


@tokens.command()
def add(
    name: HolderArgument,
    may: MayFlag,
    days: DaysFlag = None,
    file: FileFlag = None,
    data: StackWorldFlag = "",
    as_json: JsonFlag = False,
) -> None:
    """Make a token. Its secret is printed once, alone on standard output, and kept nowhere."""
    with checking_arguments():
        path, settings = _tokens_file(file, data)
        token, secret = add_token(path, name, may, days)
        _show_once(
            path, json.dumps(_public(token) | {"secret": secret}) if as_json else secret, name
        )
    if as_json:
        return
    until = f" until {iso(token.expires)}" if token.expires else ""
    _note(f"'{name}' may {', '.join(token.scopes)}{until}; this is shown once, {path} has its hash")
    if not _asks(settings):
        _note("serving on loopback asks nobody for a token; [serving] access = 'tokens' makes it")


@tokens.command("list")
def list_all(file: FileFlag = None, data: StackWorldFlag = "", as_json: JsonFlag = False) -> None:
    """Every token: its holder, its scopes, its dates, and how its secret ends.

    A scope that this release does not know opens nothing, and is marked.
    """
    with checking_arguments():
        path, _ = _tokens_file(file, data)
        found = read_tokens(path)
    if as_json:
        print(json.dumps([_public(token) for token in found]))
        return
    if not found:
        out.print(f"no token was made in {escape(str(path))} yet")
        return
    table = Table("holder", "may", "made", "expires", "ends with")
    for token in found:
        until = iso(token.expires)[:10] if token.expires else "never"
        expires = "[red]expired[/red]" if token.has_expired else until
        made, ending = iso(token.created)[:10], escape(token.ending)
        table.add_row(escape(token.name), _may(token), made, expires, ending)
    out.print(table)


@tokens.command()
def revoke(name: HolderArgument, file: FileFlag = None, data: StackWorldFlag = "") -> None:
    """Revoke a token; it counts no longer from the next request on, and its sessions end."""
    with checking_arguments():
        path, _ = _tokens_file(file, data)
        token = revoke_token(path, name)
    out.print(escape(f"revoked the token of '{token.name}' (…{token.ending}) in {path}"))


def _show_once(path: Path, text: str, name: str) -> None:
    """Print the secret; SourceError, and no token is kept, where nobody can have seen it."""
    try:
        print(text, flush=True)
    except OSError as error:
        revoke_token(path, name)
        # Python would fail once more to write what is left of it, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SourceError(
            f"the secret cannot be printed ({error.strerror}): no token was kept",
            "give standard output a place that can be written",
        ) from None


def _may(token: Token) -> str:
    """The scopes for the table; a file that was written by hand may have unknown ones, or none."""
    return ", ".join(
        escape(scope) if SCOPE.fullmatch(scope) else f"[red]{escape(scope)} opens nothing[/red]"
        for scope in token.scopes or ("it",)
    )


def _tokens_file(file: Path | None, data: str) -> tuple[Path, Settings]:
    """The file of the world that the command means, and the settings of its server."""
    settings = load_settings()
    if file is not None:
        if not file.name:
            raise SourceError(
                "--file names no file", "give the path of a file, such as tokens.json"
            )
        return file, settings
    if (found := running_stack(data)) is not None:
        return StateFolders(found.state).tokens, running_settings(found)
    world = world_name_of(data, settings) if data else settings.world
    return StateFolders(state_root(settings) / world).tokens, settings


def _asks(settings: Settings) -> bool:
    """Whether serving asks for tokens, by these settings; a wrong setting is serving's to say."""
    own = settings.serving
    try:
        return asks_for_tokens(own.access, own.host, own.public_url)
    except SettingsError:
        return True


def _public(token: Token) -> dict[str, object]:
    """What anybody may see of a token."""
    return token.model_dump(mode="json", exclude={"digest"})


def _note(text: str) -> None:
    error_console.print(escape(text))
