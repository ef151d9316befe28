"""A cluster from the shell: `marquee plan` says what fits, `marquee units` writes systemd units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from cli.terminal import console
from cli.world_and_lake import (
    JsonFlag,
    LakeFlag,
    WebHdfsFlag,
    checking_arguments,
    chosen_lake,
    settings_for,
)
from local_stack.host_daemon import ROLES
from local_stack.systemd_units import Host, unit_files
from marquee.errors import SettingsError, SourceError
from marquee.host_needs import (
    DataSize,
    TaskNeed,
    heap_for,
    memory_of_machine,
    serving,
    task_needs,
)
from marquee.place_settings import megabytes
from marquee.role_needs import PLACES, Engines
from marquee.run_folder import largest_size
from marquee.settings import load_settings
from marquee.shelf import SYSTEM, VISIBLE, Board, Plan, overlay, plan_boards, read_boards
from sources.ratings_release import size_of_world

RatingsFlag = Annotated[
    int, typer.Option("--rows", min=0, help="Ratings. Default: those of --lake, else of --data.")
]
PeopleFlag = Annotated[int, typer.Option(min=0, help="People. Default: about, by the ratings.")]
TitlesFlag = Annotated[int, typer.Option(min=0, help="Titles. Default: about, by the ratings.")]
HostsFlag = Annotated[
    str,
    typer.Option(
        "--hosts", help="The boards: 4x4GB, or 1x8GB,3x2GB. Default: this machine.", show_default=""
    ),
]
WorldFlag = Annotated[
    str,
    typer.Option("--data", help="A folder with a release. Default: the settings' world."),
]
TomlFlag = Annotated[bool, typer.Option("--toml", help="Print a place's file.")]


DeployMode = Literal["client", "cluster"]
DeployModeFlag = Annotated[
    DeployMode, typer.Option(help="Drivers with Airflow (client), or in YARN's containers.")
]
EnginesFlag = Annotated[
    str,
    typer.Option(
        "--with",
        help=f"Optional engines to count, joined by commas: {', '.join(PLACES)}; or none. Default: "
        "those that the settings switch on.",
        show_default=False,
    ),
]
RolesFlag = Annotated[
    list[str], typer.Option("--role", help=f"What this host does: {', '.join(ROLES)}; repeat it.")
]
ToFlag = Annotated[
    Path | None, typer.Option("--to", help="Folder for the files. Default: print them.")
]
BAR = 24
"""Characters."""
THIS = "this machine"
out = console()


def plan(
    rows: RatingsFlag = 0,
    people: PeopleFlag = 0,
    titles: TitlesFlag = 0,
    hosts: HostsFlag = "",
    data: WorldFlag = "",
    lake: LakeFlag = "",
    webhdfs: WebHdfsFlag = "",
    demo: Annotated[bool, typer.Option(help="Also run the replica of the crawled site.")] = False,
    yarn: Annotated[bool, typer.Option(help="Executors on YARN, not on Spark Standalone.")] = False,
    deploy_mode: DeployModeFlag = "client",
    engines: EnginesFlag = "",
    as_toml: TomlFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """What each host of a cluster needs, and which board does what.

    Nothing is started, and nothing is read whole. The estimates are within
    25 % of what was measured (bench/logs/peaks.jsonl). The status is 1 where
    something does not fit.

    \b
    marquee plan --rows 1000000 --hosts 1x8GB,3x2GB
    marquee plan --data ml-latest-small --hosts 4x4GB --toml > shelf.toml
    marquee plan --rows 1000000 --hosts 2x8GB --with kafka,stream
    """
    with checking_arguments():
        boards = read_boards(hosts) if hosts else [_this_machine()]
        chosen = Engines.of(load_settings(), engines)
        manager = _manager(yarn, deploy_mode)
        size = size_of(rows, people, titles, data, lake, webhdfs)
        found = plan_boards(size, boards, demo, manager, chosen)
    if as_json:
        print(json.dumps(plan_json(found)))
    elif as_toml:
        print(overlay(found), end="")
    else:
        show(found)
    raise typer.Exit(0 if found.fits else 1)


def _manager(yarn: bool, deploy_mode: DeployMode) -> str:
    """Of MANAGERS; SettingsError for a mode that Standalone does not have."""
    if deploy_mode == "client":
        return "yarn" if yarn else "standalone"
    if not yarn:
        raise SettingsError("only YARN runs a Python driver in cluster mode", "add --yarn")
    return "yarn-cluster"


def _this_machine() -> Board:
    """As a board of so much nominal memory that its visible part is this machine's."""
    return Board(THIS, memory_of_machine() / 2**20 / VISIBLE)


def size_of(rows: int, people: int, titles: int, data: str, lake: str, webhdfs: str) -> DataSize:
    """The numbers that were given, else the lake's, else the world's; given ones go first."""
    if rows:
        return DataSize.of(rows, people, titles)
    found = largest_size(chosen_lake(lake, webhdfs)) if lake else size_of_world(settings_for(data))
    return DataSize.of(found.ratings, people or found.people, titles or found.titles)


def plan_json(found: Plan) -> dict[str, Any]:
    """The plan for scripts; memory in megabytes of 2^20 bytes, disk of 10^6."""
    return {
        "size": vars(found.size),
        "fits": found.fits,
        "boards": [
            {
                "name": board.name,
                "memory_mb": round(board.memory),
                "usable_mb": round(board.usable),
                "roles": {role: round(need) for role, need in board.roles.items()},
                "left_mb": round(board.left),
            }
            for board in found.boards
        ],
        "tasks": {name: _task_json(need, found) for name, need in _tasks(found)},
        "spark": found.settings,
        "replication": found.replication,
        "lake_mb": round(found.lake_mb),
        "misfits": [str(one) for one in found.misfits],
    }


def _tasks(found: Plan) -> list[tuple[str, TaskNeed]]:
    """The tasks of a run of this place: documents are published where it has some."""
    left = () if "documents" in found.engines.names else ("publish_documents",)
    return [(name, need) for name, need in task_needs(found.size).items() if name not in left]


def _task_json(need: TaskNeed, found: Plan) -> dict[str, int]:
    """Megabytes of a task: with Airflow, its Python, below the executors, and on one machine."""
    in_cluster = found.settings.get("deploy_mode") == "cluster"
    parts = {
        "at_airflow": need.at_submitter if in_cluster else need.at_driver(_driver_heap(found)),
        "python": need.python,
        "executors": need.local(heap_for(found.size)) - need.launcher - need.python,
        "one_machine": need.local(heap_for(found.size)),
    }
    return {name: round(value) for name, value in parts.items()}


def _driver_heap(found: Plan) -> int:
    return megabytes(str(found.settings["driver_memory"]))


def show(found: Plan) -> None:
    """Print boards, tasks, settings and what does not fit."""
    out.print(f"for about {found.size}", highlight=False)
    out.print(_boards_table(found))
    out.print(_tasks_table(found))
    settings = ", ".join(f"{key} {value}" for key, value in found.settings.items())
    copies = "one copy" if found.replication == 1 else f"{found.replication} copies"
    out.print(f"[bold]spark[/bold]  {settings}", highlight=False)
    out.print(
        f"[bold]disk[/bold]   the lake grows to {found.lake_mb / 1000:,.1f} GB in a year of weekly "
        f"runs ({copies}; the DataNodes share it)",
        highlight=False,
    )
    for one in found.misfits:
        out.print(f"[red]does not fit[/red]  {escape(str(one))}", highlight=False)
    if found.fits:
        out.print("[green]it fits[/green]; `--toml` prints the file of such a place")


def _boards_table(found: Plan) -> Table:
    table = Table(
        "board", "memory", "held", "MB by role", "left", title="Boards at the week's peak"
    )
    for board in found.boards:
        roles = ", ".join(f"{role} {need:,.0f}" for role, need in board.roles.items())
        colour = (
            "red" if board.left < 0 else "yellow" if board.left < board.usable / 10 else "green"
        )
        table.add_row(
            board.name,
            f"{board.memory * VISIBLE:,.0f} MB"
            if board.name == THIS
            else f"{board.memory / 1024:g} GB",
            _bar(board, colour),
            f"system {SYSTEM}, {roles}" if roles else f"system {SYSTEM}",
            f"[{colour}]{board.left:,.0f}[/{colour}]",
        )
    return table


def _bar(board: Board, colour: str) -> str:
    """A bar of the part of the visible memory that is held."""
    part = min(1.0, 1 - board.left / (board.memory * VISIBLE))
    full = round(part * BAR)
    return f"[{colour}]{'█' * full}[/{colour}][dim]{'░' * (BAR - full)}[/dim]"


def _tasks_table(found: Plan) -> Table:
    table = Table(title="Tasks at their peak, MB (at most two with Spark at once)")
    for name in ("task", "with Airflow", "its Python", "below the executors", "on one machine"):
        table.add_column(name, justify="left" if name == "task" else "right")
    for name, need in _tasks(found):
        row = _task_json(need, found)
        table.add_row(name, *(f"{row[key]:,}" for key in row))
    table.add_row("serving, at a promotion", *[""] * 3, f"{serving(found.size):,.0f}")
    return table


def units(
    role: RolesFlag,
    to: ToFlag = None,
    rows: Annotated[int, typer.Option(min=0, help="Ratings. Default: the settings' world.")] = 0,
    user: Annotated[str, typer.Option(help="Who runs the daemons.")] = Host.user,
    folder: Annotated[str, typer.Option(help="Where daemons keep their data.")] = Host.data,
) -> None:
    """Write systemd units for the roles of a host.

    Run it on the host, in its checkout: the units name this Python and this
    folder. MemoryMax is the plan's estimate and a quarter. Heaps are those of
    the place (MARQUEE_PLACE). docs/guides/cluster.md says what comes next.

    \b
    marquee units --role datanode --role spark-worker --to /etc/systemd/system
    """
    with checking_arguments():
        settings = load_settings()
        size = DataSize.of(rows) if rows else size_of_world(settings)
        files = unit_files(role, settings, size, Host(data=folder, user=user))
        for name, text in files.items():
            if to is None:
                print(f"# --- {name}\n{text}")
            else:
                _write(to / name, text)
                out.print(f"wrote {escape(str(to / name))}", highlight=False)


def _write(path: Path, text: str) -> None:
    """Write the file and its folder; SourceError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written: {error.strerror}",
            "run this with sudo, or name another folder with --to"
            if isinstance(error, PermissionError)
            else "name another folder with --to",
        ) from None
