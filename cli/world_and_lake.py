"""The world and the lake of a command, and the flags that choose them.

`--data` names a folder, a release to fetch, or a world that was started before; without it the
world is the running stack's or the settings'. The lake is the one of `--lake`, else the running
stack's, else the settings'.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.terminal import error_console
from local_stack.environment import with_local_addresses
from local_stack.processes import SETTINGS_PREFIX, RunningStack, running_stacks
from local_stack.stack import Stack
from marquee.errors import LakeUnavailableError, MarqueeError, SourceError, StackError
from marquee.lake import Lake, check_world, place_lake, read_world
from marquee.policy import Model
from marquee.settings import Settings, load_settings
from sources.ratings_release import RELEASES, release_folder

ModelArgument = Annotated[Model, typer.Argument(help="Which model.", show_default=False)]
EachModelArgument = Annotated[
    Model | None,
    typer.Argument(help="Which model. Default: both.", show_default=False),
]
LakeFlag = Annotated[
    str,
    typer.Option(
        "--lake",
        help="hdfs://host:port/path or file:///path. Default: the running stack's, else "
        "the settings'.",
        show_default=False,
    ),
]
WebHdfsFlag = Annotated[
    str,
    typer.Option(
        "--webhdfs",
        help="The NameNode's HTTP address, for an hdfs:// lake. Default: the settings'.",
        show_default=False,
    ),
]
WorldFlag = Annotated[
    str,
    typer.Option(
        "--data",
        help="The world you mean: its name, or its folder as for `marquee run`; the lake must hold "
        "it. Default: that of the running stack. A lake named by --lake is taken as it is.",
        show_default=False,
    ),
]
StackWorldFlag = Annotated[
    str,
    typer.Option(
        "--data",
        help="The world you mean: its name, or its folder as for `marquee run`. Default: that of "
        "the running stack.",
        show_default=False,
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
out = Console(soft_wrap=True, highlight=False)


@contextmanager
def checking_arguments() -> Iterator[None]:
    """A context for checking arguments: an error inside gives the exit status 2.

    A lake that is away is no wrong argument, and keeps its own.
    """
    try:
        yield
    except LakeUnavailableError:
        raise
    except MarqueeError as error:
        error.status = 2
        raise


def settings_for(data: str) -> Settings:
    """The settings of the world `data`; the plain settings where `data` is empty.

    Fetches a named release that is not on this machine. Raises SourceError where `data` is neither
    a folder nor a release.
    """
    settings = load_settings()
    if not data:
        return settings
    folder = Path(data).expanduser()
    if not os.path.isdir(folder) and data in RELEASES:
        folder = release_folder(data, settings)
    if not os.path.isdir(folder):
        raise _unknown_world(data, settings)
    folder = folder.resolve()
    ratings = settings.ratings.model_copy(update={"source": str(folder), "name": folder.name})
    return settings.model_copy(update={"world": _world(folder.name), "ratings": ratings})


def world_name_of(data: str, settings: Settings) -> str:
    """The name of the world `data`, for commands that fetch nothing.

    `data` is a folder, a release, or a world that was started before (its folder may be gone).
    Raises SourceError otherwise.
    """
    folder = Path(data).expanduser()
    if os.path.isdir(folder):
        return _world(folder.resolve().name)
    name = _world(data)
    known = {*RELEASES, *worlds(settings), *(found.world for found in running_stacks())}
    if data not in known:
        raise _unknown_world(data, settings)
    return name


def worlds(settings: Settings) -> list[str]:
    """The worlds with a folder below `state_root`, running or not."""
    root = state_root(settings)
    return sorted(p.parent.name for p in root.glob("*/logs") if p.is_dir())


def state_root(settings: Settings) -> Path:
    """The folder with one subfolder for each world."""
    return settings.state_folder.parent


def matching_stacks(data: str = "") -> list[RunningStack]:
    """The running stacks that a command may mean.

    These are the stacks below `state_root`, else all stacks on this machine (only where
    MARQUEE_STATE is not set). `data`, else MARQUEE_WORLD, restricts them to one world.
    """
    settings = load_settings()
    world = world_name_of(data, settings) if data else os.environ.get("MARQUEE_WORLD", "")
    found = [one for one in running_stacks() if not world or one.world == world]
    near = [one for one in found if one.state.parent == state_root(settings)]
    return near if near or os.environ.get("MARQUEE_STATE") else found


def running_stack(data: str = "") -> RunningStack | None:
    """The running stack that a command means; None where none runs.

    Prints its name where it is not the settings' own stack. Raises StackError where several run.
    """
    found = matching_stacks(data)
    if len(found) > 1:
        raise StackError(
            f"{len(found)} stacks run: {', '.join(map(str, found))}",
            f"say which, for example --data {found[0].world}",
        )
    if found and found[0].state != load_settings().state_folder:
        error_console.print(escape(f"the running stack is that of {found[0]}"))
    return found[0] if found else None


def running_settings(found: RunningStack) -> Settings:
    """The settings with which a running stack was started: its ports, its lake, its ratings."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS_PREFIX)}
    other = (name for name, value in ours.items() if found.environment.get(name) != value)
    _warn_of_unused(tuple(sorted(name for name in other if "__" in name)))
    for name in ours:
        del os.environ[name]
    os.environ.update(found.environment)
    try:
        return with_local_addresses(load_settings())
    finally:
        for name in found.environment:
            del os.environ[name]
        os.environ.update(ours)


@cache
def _warn_of_unused(names: tuple[str, ...]) -> None:
    """Say once that the settings of this shell are not those of the stack."""
    if names:
        error_console.print(
            f"warning: {', '.join(names)} of this shell is not used: a stack has the settings "
            "that it was started with; to change them, `marquee down` first"
        )


def stack_to_start(settings: Settings) -> Stack:
    """The stack of these settings; where it runs already, with the settings it was started with."""
    for found in running_stacks():
        if found.state == settings.state_folder:
            return Stack(running_settings(found))
    return Stack(settings)


def chosen_lake(root: str, webhdfs: str, data: str = "") -> Lake:
    """The lake at `root`, else the running stack's, else the settings'.

    Raises ConflictError where the lake holds another world than `data`, or than the stack or the
    settings where neither `root` nor `data` is given. Raises StackError where the lake belongs to
    a local stack that does not run. With `root` and without `data`, it prints the lake's world on
    standard error.
    """
    settings = with_local_addresses(load_settings())
    with checking_arguments():
        world = world_name_of(data, settings) if data else settings.world
    if not root and is_local(settings) and not os.environ.get("MARQUEE_LAKE__ROOT"):
        if found := running_stack(data):
            settings, world = running_settings(found), found.world
        else:
            raise _no_stack_runs(settings, world)
    place = settings.lake
    address = ("", "") if root.startswith("file:") else (webhdfs or place.webhdfs, place.user)
    with checking_arguments():
        lake = place_lake(place, root or None, *address)
    if data or not root:
        check_world(lake, world)
    elif (named := read_world(lake)) is not None:
        error_console.print(f"{escape(lake.root)} holds the world '{escape(named.name)}'")
    return lake


def lake_of(settings: Settings) -> Lake:
    """The lake that these settings name."""
    return place_lake(settings.lake)


def is_local(settings: Settings) -> bool:
    """Whether the lake belongs to a local stack."""
    return settings.runs_hdfs and settings.lake.is_on_loopback


def _world(name: str) -> str:
    world = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "data"
    return world[:60]


def _unknown_world(data: str, settings: Settings) -> SourceError:
    if os.path.isfile(Path(data).expanduser()):
        return SourceError(
            f"'{data}' is a file, not a folder", "give the folder that holds the release's files"
        )
    known = ", ".join(dict.fromkeys([*RELEASES, *worlds(settings)]))
    return SourceError(
        f"there is no folder '{data}'",
        f"give a folder with a release (ratings.csv, u.data or ratings.dat), or one of: {known}",
    )


def _no_stack_runs(settings: Settings, world: str) -> StackError:
    """The error where no stack runs: another program may answer at the lake's address."""
    known, folder = worlds(settings), world if world in RELEASES else "FOLDER"
    flags = "" if world == settings.world else f" --data {folder}"
    here = f" (worlds with a state here: {', '.join(known)})" if known else ""
    return StackError(
        f"no stack runs, so the lake of the world '{world}' cannot be read{here}",
        f"start it with `marquee up{flags}`, or name a lake with --lake",
    )
