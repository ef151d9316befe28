"""The local stack from the shell: up, down, status, doctor."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from marquee.cli.data import settings_for
from marquee.cli.showing import console
from marquee.errors import ConflictError, MarqueeError
from marquee.lake import check_world, open_lake
from marquee.names import iso
from marquee.release.live import latest_live, live_sentence
from marquee.settings import Settings
from marquee.stack.airflow_api import AirflowApi
from marquee.stack.doctor import examine
from marquee.stack.stack import Stack, place_locally, unwind_on_term

Data = Annotated[
    str,
    typer.Option(
        help="A folder with a MovieLens release of any form (ratings.csv, u.data or ratings.dat), "
        "or ml-latest-small to fetch that one. Default: the embedded synthetic world."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
out = console()


def mount(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (up, down, status, doctor):
        app.command()(command)


def up(
    data: Data = "",
    wait: Annotated[bool, typer.Option(help="Stay until Ctrl-C, then stop everything.")] = False,
) -> None:
    """Start HDFS, Airflow, the replica site and serving on loopback, and leave them running."""
    unwind_on_term()
    stack = Stack(settings_for(data))
    try:
        bring_up(stack)
        ready_airflow(stack)
        show_addresses(stack)
        while wait:
            time.sleep(3600)
    except KeyboardInterrupt:
        stack.down()


def ready_airflow(stack: Stack) -> AirflowApi:
    """Airflow with its pools made and the DAG unpaused (which starts nothing by itself)."""
    api = AirflowApi(stack.settings, stack.places.airflow)
    api.ready_pools()
    api.ready_dag()
    return api


def down(data: Data = "") -> None:
    """Stop every process of the stack, in order, leaving its state as it is."""
    ran = Stack(settings_for(data)).down()
    out.print("stopped" if ran else "nothing was running")


def status(
    data: Data = "",
    as_json: AsJson = False,
    check: Annotated[
        bool, typer.Option(help="Only tell by the status: 0 if all is ready.")
    ] = False,
) -> None:
    """What runs, since when, and what each part still lacks.

    Below the parts, the live record: how the recommender that serves has done
    on ratings given since it was trained.
    """
    parts = Stack(settings_for(data)).status()
    if check:
        raise typer.Exit(0 if parts and not any(part["lacks"] for part in parts) else 1)
    if as_json:
        print(json.dumps(parts))
        return
    if not parts:
        out.print("nothing is running; `marquee up` starts the stack")
        return
    table = Table("part", "state", "process", "since", "ready")
    for part in parts:
        since = iso(datetime.fromtimestamp(int(str(part["since"])), UTC))
        lacks = str(part["lacks"])
        ready = lacks or "[green]yes[/green]"
        table.add_row(str(part["name"]), str(part["state"]), str(part["pid"]), since, ready)
    out.print(table)
    if (live := newest_live(place_locally(settings_for(data)))) is not None:
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
    stack = Stack(settings_for(data))
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
