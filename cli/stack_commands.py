"""The local stack from the shell: `marquee up`, `down`, `status` and `doctor`.

`marquee run` brings the stack up with the same functions.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from broker.client import check_brokers
from cli.terminal import (
    as_typed_here,
    console,
    ignoring_signals,
    print_sentence,
    stay_up,
    stop_on_interrupt,
    unwind_on_signals,
)
from cli.world_and_lake import (
    JsonFlag,
    checking_arguments,
    is_local,
    lake_of,
    matching_stacks,
    running_settings,
    running_stack,
    settings_for,
    stack_to_start,
    state_root,
    world_name_of,
    worlds,
)
from documents.pointer import check_couchdb
from exports.formats import check_exports, check_formats
from local_stack.airflow_api import AirflowApi
from local_stack.environment import job_environment
from local_stack.health_checks import check_machine
from local_stack.place_checks import check_by_job, check_database, check_lake
from local_stack.processes import stack_processes
from local_stack.spark_checks import check_spark
from local_stack.stack import Stack
from marquee.clock import iso
from marquee.errors import ConflictError, MarqueeError
from marquee.host_checks import Finding
from marquee.lake import check_world
from marquee.place_settings import is_local_master
from marquee.run_folder import latest_live, live_sentence
from marquee.settings import Settings, load_settings
from steps.spark_submit import application_name, submit_command

DataFlag = Annotated[
    str,
    typer.Option(
        help="A folder with a MovieLens release of any form (ratings.csv, u.data or ratings.dat), "
        "or ml-latest-small to fetch that one. Default: the embedded synthetic world."
    ),
]
RunningWorldFlag = Annotated[
    str,
    typer.Option(
        "--data",
        help="The world you mean, by its name or its folder. Default: the one that runs.",
        show_default=False,
    ),
]
UnpauseFlag = Annotated[bool, typer.Option("--unpause", help="Unpause the DAG, if it is paused.")]
PROBE_MINUTES = 2.0
"""Minutes that the doctor's job waits for an executor."""
out = console()


def up(
    data: DataFlag = "",
    wait: Annotated[bool, typer.Option(help="Stay until Ctrl-C, then stop everything.")] = False,
    unpause: UnpauseFlag = False,
) -> None:
    """Start HDFS, Airflow, the replica site and serving on loopback, and leave them running."""
    unwind_on_signals()
    with checking_arguments():
        settings = settings_for(data)
    stack = stack_to_start(settings)
    with stop_on_interrupt(stack) as session:
        bring_up(stack)
        api, paused = ready_airflow(stack, unpause)
        show_addresses(stack)
        show_runs(api, paused)
        if wait:
            session.stops_stack = True
            out.print("Ctrl-C stops everything; all state stays.")
            stay_up(stack, session)


def bring_up(stack: Stack) -> float:
    """Start the stack, print each process that becomes ready, and return the seconds it took."""
    started = time.monotonic()
    check_formats(
        stack.settings.exports.formats
    )  # or the run would end with it, after its training
    with out.status("starting HDFS, Airflow, the replica site and serving"):
        for name, _ in stack.up():
            out.print(f"  {time.monotonic() - started:5.1f} s  {name} is ready", highlight=False)
    return time.monotonic() - started


def ready_airflow(stack: Stack, unpause: bool = False) -> tuple[AirflowApi, bool]:
    """Create Airflow's pools; return its API, and whether the DAG is paused.

    `unpause` unpauses the DAG. A new DAG is unpaused already, and starts no run by that.
    """
    api = AirflowApi(stack.settings, stack.folders.airflow)
    api.create_pools()
    if unpause:
        api.unpause()
    return api, api.is_paused()


def show_runs(api: AirflowApi, paused: bool) -> None:
    """Print that the DAG is paused, or which runs that were not finished go on."""
    if paused:
        print_sentence(api.paused_sentence())
    elif runs := api.runs_ahead_of(""):
        print_sentence(f"unfinished runs go on: {', '.join(runs)}")


def show_addresses(stack: Stack) -> None:
    """Print the addresses of the stack, and the file of the password (without the password)."""
    port = stack.settings.stack.port
    out.print(f"""
  Airflow    http://127.0.0.1:{port("airflow")}  (user admin; the password is in
             {stack.folders.airflow / "passwords.json"})
  API, page  http://127.0.0.1:{port("serving")}/  and /docs
  HDFS       http://127.0.0.1:{port("namenode_http")}
  replica    http://127.0.0.1:{port("replica")}/
  logs       {stack.folders.logs}
""")


def down(
    data: RunningWorldFlag = "",
    every: Annotated[bool, typer.Option("--all", help="Every stack that runs.")] = False,
) -> None:
    """Stop every process of the stack, in order, and keep its state.

    Finds the running stack by itself. Also ends the leftover processes of a killed stack.
    """
    with checking_arguments():
        found = matching_stacks(data) if every else [one for one in [running_stack(data)] if one]
        settings = load_settings()
        folders = [state_root(settings) / world_name_of(data, settings)] if data else []
    folders = folders or [state_root(settings) / name for name in worlds(settings)]
    stopped = []
    for folder in dict.fromkeys([*(one.state for one in found), *([] if found else folders)]):
        own = settings.model_copy(update={"state": str(folder.parent), "world": folder.name})
        with ignoring_signals():
            if Stack(own).down():
                stopped.append(folder.name)
                out.print(f"stopped '{folder.name}'; its state stays in {folder}", highlight=False)
    if not stopped:
        out.print("nothing was running")


def status(
    data: RunningWorldFlag = "",
    as_json: JsonFlag = False,
    check: Annotated[
        bool, typer.Option(help="Only tell by the status: 0 if all is ready.")
    ] = False,
) -> None:
    """What runs, since when, and what each part still lacks.

    Finds the running stacks by itself, and shows each. Also shows the live record: the error of
    the serving recommender on ratings given since its training.
    """
    with checking_arguments():
        found = matching_stacks(data)
    stacks = [(one, Stack(running_settings(one))) for one in found]
    processes = {one.state: stack.status() for one, stack in stacks}
    every = [row | {"world": one.world} for one, _ in stacks for row in processes[one.state]]
    if check:
        raise typer.Exit(0 if every and not any(row["lacks"] for row in every) else 1)
    if as_json:
        print(json.dumps(every))
        return
    if not found:
        out.print(as_typed_here(_nothing_runs(load_settings())), highlight=False)
    for one, stack in stacks:
        out.print(f"the stack of {escape(str(one))}", highlight=False)
        _show_status(stack.settings, processes[one.state])


def _nothing_runs(settings: Settings) -> str:
    """The sentences where no stack runs: the worlds with a state, and leftover processes."""
    known = worlds(settings)
    text = "nothing is running; `marquee up` starts the stack"
    if known:
        text += f"\nworlds with a state in {state_root(settings)}: {', '.join(known)}"
    counts = {name: len(stack_processes(state_root(settings) / name)) for name in known}
    for name, count in counts.items():
        if count:
            text += f"\n{count} processes of '{name}' are left without their supervisord: "
            text += f"`marquee down --data {name}` ends them"
    return text


def _show_status(settings: Settings, processes: list[dict[str, object]]) -> None:
    table = Table("part", "state", "process", "since", "ready")
    for row in processes:
        pid, at = int(str(row["pid"])), int(str(row["since"]))  # both are 0 before the start
        since = iso(datetime.fromtimestamp(at, UTC)) if at else ""
        ready = escape(str(row["lacks"])) or "[green]yes[/green]"
        table.add_row(str(row["name"]), str(row["state"]), str(pid or ""), since, ready)
    out.print(table)
    if any(row["lacks"] for row in processes if row["name"] in ("namenode", "datanode")):
        return  # a request to the lake would wait for HDFS
    if (live := newest_live(settings)) is not None:
        colour = "red" if live.get("alarm") else "default"
        out.print(f"[{colour}]live record: {escape(live_sentence(live))}[/{colour}]")


def newest_live(settings: Settings) -> dict[str, Any] | None:
    """The newest live record; None where there is none, or where the lake does not answer.

    Raises ConflictError where the lake holds another world.
    """
    try:
        lake = lake_of(settings)
        check_world(lake, settings.world)
        return latest_live(lake)
    except ConflictError:
        raise
    except MarqueeError:
        return None


def doctor(
    data: DataFlag = "",
    place: Annotated[
        str,
        typer.Option(help="Also check this place: HDFS, Spark and every worker. A name or a file."),
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Check whether this machine, and a place of several machines, can do the work.

    Of this machine: Java, memory, disk and ports. Of a place: every address, user and port, clocks,
    room on each DataNode and worker, and the Python and packages of each worker.
    """
    if place:
        os.environ["MARQUEE_PLACE"] = place
    with checking_arguments():
        settings = settings_for(data)
    stack = Stack(settings) if place else stack_to_start(settings)
    findings = []
    for found in _all_checks(stack):
        findings.append(found)
        if not as_json:
            failed = "[yellow]scarce[/yellow]" if found.warning else "[red]not so[/red]"
            mark = "[green]fine[/green]" if found.passed else failed
            out.print(f"{mark}  {escape(str(found))}", highlight=False)
    if as_json:
        print(json.dumps([vars(f) for f in findings]))
    raise typer.Exit(0 if all(f.passed or f.warning for f in findings) else 1)


def _all_checks(stack: Stack) -> Iterator[Finding]:
    """The checks of this machine, then of what the place has elsewhere."""
    settings = stack.settings
    yield from check_machine(settings, running=stack.supervisor.is_running())
    for check in (check_database, check_couchdb, check_brokers, check_exports):
        yield from check(settings)
    if not is_local(settings):  # a place may name another HDFS beside our own processes
        yield from check_lake(settings)
    if is_local_master(settings.spark.master):
        return
    found = list(check_spark(settings.spark))
    yield from found
    if all(one.passed for one in found):
        yield from check_spark_job(settings)


def check_spark_job(settings: Settings) -> Iterator[Finding]:
    """Run the job `probe_workers`, and judge what it reports of each worker."""
    spark = settings.spark.model_copy(update={"resource_minutes": PROBE_MINUTES})
    settings = settings.model_copy(update={"spark": spark})
    environment = job_environment(settings)
    run = f"doctor-{uuid.uuid4().hex[:8]}"
    command = submit_command(settings, "probe_workers", run, environment["SPARK_ARCHIVE"])
    name = application_name("probe_workers", run, "")
    yield from check_by_job(command, environment, settings, name)
