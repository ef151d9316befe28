"""The local stack from the shell: up, down, status, doctor."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.data import (
    arguments,
    meant,
    running_settings,
    settings_for,
    stack_to_start,
    state_root,
    the_running,
    world_of,
    worlds,
)
from cli.showing import console, typed
from local_stack.airflow_api import DAG, AirflowApi
from local_stack.doctor import examine
from local_stack.processes import leftovers
from local_stack.stack import Stack, undisturbed, unwind_on_term
from marquee.errors import ConflictError, MarqueeError
from marquee.lake import check_world, open_lake
from marquee.names import iso
from marquee.settings import Settings, load_settings
from release.live import latest_live, live_sentence

Data = Annotated[
    str,
    typer.Option(
        help="A folder with a MovieLens release of any form (ratings.csv, u.data or ratings.dat), "
        "or ml-latest-small to fetch that one. Default: the embedded synthetic world."
    ),
]
Meant = Annotated[
    str,
    typer.Option(
        "--data",
        help="The world you mean, by its name or its folder. Default: the one that runs.",
        show_default=False,
    ),
]
Unpause = Annotated[bool, typer.Option("--unpause", help="Unpause the DAG, if it is paused.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
LEFT_RUNNING = "the stack stays up, so that you can look; `marquee down` stops it"
out = console()


def mount(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (up, down, status, doctor):
        app.command()(command)


def up(
    data: Data = "",
    wait: Annotated[bool, typer.Option(help="Stay until Ctrl-C, then stop everything.")] = False,
    unpause: Unpause = False,
) -> None:
    """Start HDFS, Airflow, the replica site and serving on loopback, and leave them running."""
    unwind_on_term()
    with arguments():
        settings = settings_for(data)
    stack = stack_to_start(settings)
    with stopping_what_was_started(stack) as session:
        bring_up(stack)
        _, paused = ready_airflow(stack, unpause)
        show_addresses(stack)
        if paused:
            say(paused_sentence(stack))
        if wait:
            session.stops = True
            out.print("Ctrl-C stops everything; all state stays.")
            hold(stack, session)


@dataclass
class Session:
    """What a command does with the stack when it ends."""

    stops: bool = False
    """Whether Ctrl-C, TERM or a closed terminal stop the stack, whoever started it."""
    status: int = 130
    """The command's own status where it is interrupted."""


@contextmanager
def stopping_what_was_started(stack: Stack) -> Iterator[Session]:
    """Around a command that starts the stack: interrupted, it stops what it has started.

    A stack that ran before stays, and so does one whose command fails: somebody wants to look.
    Both say how to stop it. A terminal that is gone counts as Ctrl-C.
    """
    session = Session()
    try:
        yield session
    except MarqueeError:
        if stack.keeper.is_running():
            say(LEFT_RUNNING)
        raise
    except (KeyboardInterrupt, BrokenPipeError, SystemExit, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EIO):
            raise
        with undisturbed():
            if session.stops or stack.started:
                say("stopping")
                stack.down()
            elif stack.keeper.is_running():
                say(f"it ran before: {LEFT_RUNNING}")
        raise typer.Exit(session.status) from None


def hold(stack: Stack, session: Session) -> None:
    """Stay until Ctrl-C; StackError where another command stops the stack."""
    session.status = 0
    while True:
        stack.check_running()
        time.sleep(1)


def paused_sentence(stack: Stack) -> str:
    """That somebody paused the DAG, and how to unpause it."""
    port = stack.settings.stack.port("airflow")
    return (
        f"{DAG} is paused, and stays so: nothing runs until it is unpaused, at "
        f"http://127.0.0.1:{port}/dags/{DAG} or with `marquee up --unpause`"
    )


def say(text: str) -> None:
    """Print, unless the terminal is gone: what comes after must be done all the same."""
    with suppress(OSError, SystemExit):
        out.print(typed(text), highlight=False)


def ready_airflow(stack: Stack, unpause: bool = False) -> tuple[AirflowApi, bool]:
    """Airflow with its pools made, and whether a person has paused the DAG.

    A new DAG is born unpaused (which starts nothing by itself); `unpause` undoes a person's pause.
    """
    api = AirflowApi(stack.settings, stack.places.airflow)
    api.ready_pools()
    if unpause:
        api.ready_dag()
    return api, api.is_paused()


def down(
    data: Meant = "",
    every: Annotated[bool, typer.Option("--all", help="Every stack that runs.")] = False,
) -> None:
    """Stop every process of the stack, in order, leaving its state as it is.

    Finds the running stack by itself. Also ends what a killed stack has left behind.
    """
    with arguments():
        found = meant(data) if every else [one for one in [the_running(data)] if one]
        settings = load_settings()
        folders = [state_root(settings) / world_of(data, settings)] if data else []
    folders = folders or [state_root(settings) / name for name in worlds(settings)]
    stopped = []
    for folder in dict.fromkeys([*(one.state for one in found), *([] if found else folders)]):
        own = settings.model_copy(update={"state": str(folder.parent), "world": folder.name})
        with undisturbed():
            if Stack(own).down():
                stopped.append(folder.name)
                out.print(f"stopped '{folder.name}'; its state stays in {folder}", highlight=False)
    if not stopped:
        out.print("nothing was running")


def status(
    data: Meant = "",
    as_json: AsJson = False,
    check: Annotated[
        bool, typer.Option(help="Only tell by the status: 0 if all is ready.")
    ] = False,
) -> None:
    """What runs, since when, and what each part still lacks.

    Finds the running stacks by itself, and shows each. Below the parts, the live record: how the
    recommender that serves has done on ratings given since it was trained.
    """
    with arguments():
        found = meant(data)
    shown = [(one, Stack(running_settings(one))) for one in found]
    parts = {one.state: stack.status() for one, stack in shown}
    every = [part | {"world": one.world} for one, _ in shown for part in parts[one.state]]
    if check:
        raise typer.Exit(0 if every and not any(part["lacks"] for part in every) else 1)
    if as_json:
        print(json.dumps(every))
        return
    if not found:
        out.print(typed(_nothing_runs(load_settings())), highlight=False)
    for one, stack in shown:
        out.print(f"the stack of {escape(str(one))}", highlight=False)
        _show(stack.settings, parts[one.state])


def _nothing_runs(settings: Settings) -> str:
    """That no stack runs, which worlds have a state, and what a killed one has left behind."""
    known = worlds(settings)
    said = "nothing is running; `marquee up` starts the stack"
    if known:
        said += f"\nworlds with a state in {state_root(settings)}: {', '.join(known)}"
    left = {name: len(leftovers(state_root(settings) / name)) for name in known}
    for name, count in left.items():
        if count:
            said += f"\n{count} processes of '{name}' are left without their supervisord: "
            said += f"`marquee down --data {name}` ends them"
    return said


def _show(settings: Settings, parts: list[dict[str, object]]) -> None:
    table = Table("part", "state", "process", "since", "ready")
    for part in parts:
        pid, at = int(str(part["pid"])), int(str(part["since"]))  # 0 where it has not started
        since = iso(datetime.fromtimestamp(at, UTC)) if at else ""
        lacks = str(part["lacks"])
        ready = escape(lacks) or "[green]yes[/green]"
        table.add_row(str(part["name"]), str(part["state"]), str(pid or ""), since, ready)
    out.print(table)
    if any(part["lacks"] for part in parts if part["name"] in ("namenode", "datanode")):
        return  # asking the lake would only wait for it
    if (live := newest_live(settings)) is not None:
        colour = "red" if live.get("alarm") else "default"
        out.print(f"[{colour}]live record: {escape(live_sentence(live))}[/{colour}]")


def newest_live(settings: Settings) -> dict[str, Any] | None:
    """How what serves did on newer ratings; None where no run measured it or no
    lake answers. Raises ConflictError where the lake holds another world."""
    try:
        place = settings.lake
        lake = open_lake(place.root, place.webhdfs, place.user, drill=place.drill)
        check_world(lake, settings.world)
        return latest_live(lake)
    except ConflictError:
        raise
    except MarqueeError:
        return None


def doctor(data: Data = "", as_json: AsJson = False) -> None:
    """Can this machine run it? Looks at Java, memory, disk and ports."""
    with arguments():
        settings = settings_for(data)
    stack = stack_to_start(settings)
    findings = list(examine(stack.settings, running=stack.keeper.is_running()))
    if as_json:
        print(json.dumps([vars(f) for f in findings]))
    else:
        for found in findings:
            mark = "[green]fine[/green]" if found.fine else "[red]not so[/red]"
            rest = "" if found.fine else f" — {found.remedy}"
            out.print(f"{mark}  {found.name}: {found.says}{rest}", highlight=False)
    raise typer.Exit(0 if all(f.fine for f in findings) else 1)


def bring_up(stack: Stack) -> float:
    """Start the stack, saying what gets ready when; the seconds it took."""
    started = time.monotonic()
    with out.status("starting HDFS, Airflow, the replica site and serving"):
        for name, _ in stack.up():
            out.print(f"  {time.monotonic() - started:5.1f} s  {name} is ready", highlight=False)
    return time.monotonic() - started


def show_addresses(stack: Stack) -> None:
    """Where to look, and where the password is; never the password itself."""
    port = stack.settings.stack.port
    out.print(f"""
  Airflow    http://127.0.0.1:{port("airflow")}  (user admin; the password is in
             {stack.places.airflow / "passwords.json"})
  API, page  http://127.0.0.1:{port("serving")}/  and /docs
  HDFS       http://127.0.0.1:{port("namenode_http")}
  replica    http://127.0.0.1:{port("replica")}/
  logs       {stack.places.logs}
""")
