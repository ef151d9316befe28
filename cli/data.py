"""Which world a command means: the synthetic one, a folder's, a release to fetch, what runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from local_stack.processes import PREFIX, RunningStack, running_stacks
from local_stack.stack import Stack, place_locally
from marquee.errors import MarqueeError, SourceError, StackError
from marquee.settings import Settings, load_settings
from sources.releases import RELEASES, release_folder

notes = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def arguments() -> Iterator[None]:
    """Where arguments are checked, before anything starts: what is raised here ends the command
    with status 2."""
    try:
        yield
    except MarqueeError as error:
        error.status = 2
        raise


def settings_for(data: str) -> Settings:
    """The settings of the world `data` names; an empty name is what the settings say already."""
    settings = load_settings()
    if not data:
        return settings
    folder = Path(data).expanduser()
    if not os.path.isdir(folder) and data in RELEASES:
        folder = release_folder(data, settings)
    if not os.path.isdir(folder):
        raise _unknown(data, settings)
    folder = folder.resolve()
    ratings = settings.ratings.model_copy(update={"source": str(folder), "name": folder.name})
    return settings.model_copy(update={"world": _world(folder.name), "ratings": ratings})


def world_of(data: str, settings: Settings) -> str:
    """The world's name alone, for commands that fetch nothing: a folder, or the name of a world
    that has been started once, even where its folder is gone."""
    folder = Path(data).expanduser()
    if os.path.isdir(folder):
        return _world(folder.resolve().name)
    name = _world(data)
    known = {*RELEASES, *worlds(settings), *(found.world for found in running_stacks())}
    if data not in known:
        raise _unknown(data, settings)
    return name


def worlds(settings: Settings) -> list[str]:
    """Worlds that have a state below the settings' folder, running or not."""
    root = state_root(settings)
    return sorted(p.parent.name for p in root.glob("*/logs") if p.is_dir())


def state_root(settings: Settings) -> Path:
    """The folder that holds one folder a world."""
    return settings.state_folder.parent


def meant(data: str = "") -> list[RunningStack]:
    """The running stacks a command may mean, in whatever folder and on whatever ports they run.

    Those below the settings' state folder come before all others; `data`, MARQUEE_WORLD and
    MARQUEE_STATE narrow the choice.
    """
    settings = load_settings()
    world = world_of(data, settings) if data else os.environ.get("MARQUEE_WORLD", "")
    found = [one for one in running_stacks() if not world or one.world == world]
    near = [one for one in found if one.state.parent == state_root(settings)]
    return near if near or os.environ.get("MARQUEE_STATE") else found


def the_running(data: str = "") -> RunningStack | None:
    """The one running stack a command means, named where it is not the settings' own.

    None where none runs; StackError listing them where several do and `data` names none.
    """
    found = meant(data)
    if len(found) > 1:
        raise StackError(
            f"{len(found)} stacks run: {', '.join(map(str, found))}",
            f"say which, for example --data {found[0].world}",
        )
    if found and found[0].state != load_settings().state_folder:
        notes.print(escape(f"the running stack is that of {found[0]}"))
    return found[0] if found else None


def running_settings(found: RunningStack) -> Settings:
    """The settings a running stack was started with: its ports, its lake, its ratings."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    for name in ours:
        del os.environ[name]
    os.environ.update(found.environment)
    try:
        return place_locally(load_settings())
    finally:
        for name in found.environment:
            del os.environ[name]
        os.environ.update(ours)


def stack_to_start(settings: Settings) -> Stack:
    """The stack of these settings; where it runs already, as it runs."""
    for found in running_stacks():
        if found.state == settings.state_folder:
            return Stack(running_settings(found))
    return Stack(settings)


def _world(name: str) -> str:
    world = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "data"
    return world[:60]


def _unknown(data: str, settings: Settings) -> SourceError:
    if os.path.isfile(Path(data).expanduser()):
        return SourceError(
            f"'{data}' is a file, not a folder", "give the folder that holds the release's files"
        )
    known = ", ".join(dict.fromkeys([*RELEASES, *worlds(settings)]))
    return SourceError(
        f"there is no folder '{data}'",
        f"give a folder with a release (ratings.csv, u.data or ratings.dat), or one of: {known}",
    )
