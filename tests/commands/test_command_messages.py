"""What commands print: wrong arguments, a paused DAG, a part that cannot start."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
import typer
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner

from cli import app, main, run_command, stack_commands, terminal
from cli.run_results import RunFigures
from cli.world_and_lake import running_settings
from local_stack import health_checks
from local_stack.airflow_api import DAG, AirflowApi
from local_stack.health_checks import check_machine
from marquee.errors import StackError
from marquee.settings import REPOSITORY
from steps.evaluate import main_metrics_line
from tests.plugins.tiny_stack import TinyStack

WRONG = {
    "promote": ("run --promote perhaps", "'perhaps' — give yes, ask or no"),
    "search": ("run --search deep", "none, quick or full"),
    "budget's recipe": ("run --budget-recipe gbt-trnd", "did you mean 'gbt-trend'? known are"),
    "recommender's recipe": (
        "run --recommender-recipe no-such",
        "the form's 'recommender_recipe' is 'no-such' — give one of bayes",
    ),
    "pages below none": ("run --max-pages -3", "a whole number from 0"),
    "pages beyond all": ("run --max-pages 100001", "a whole number from 0 to 100,000"),
    "pages in words": ("run --max-pages many", "--max-pages"),
    "as-of ahead": ("run --as-of 2999-01-04T03:00:00Z", "ahead of the clock"),
    "as-of no moment": ("run --as-of yesterday", "yesterday"),
    "folder": ("run --data no/such/folder", "there is no folder 'no/such/folder'"),
    "file for a folder": ("run --data README.md", "'README.md' is a file, not a folder"),
    "folder of up": ("up --data no/such/folder", "there is no folder"),
    "folder of down": ("down --data no/such/folder", "there is no folder"),
    "folder of doctor": ("doctor --data no/such/folder", "there is no folder"),
    "flag": ("run --pages 3", "No such option: --pages"),
    "command": ("promote", "No such command 'promote'"),
    "model": ("champion films", "'films' is not one of 'recommender', 'budget'"),
    "no model": ("ledger", "Missing argument 'model'"),
    "moment": ("champion budget --at 2999-01-04T03:00:00Z", "ahead of the clock"),
    "step": ("step bake --run r", "there is no step 'bake' — give one of: crawl_titles"),
    "step's model": ("step gate --run r --model films", "there is no model 'films'"),
    "step's run": ("step report --run ../r", "is not the name of a run"),
    "bundle": ("evaluate champion:films --on README.md", "'films' is no model"),
    "file": ("evaluate champion:budget --on no-such.csv", "no-such.csv"),
    "ending": ("recommend-all champion:recommender --out x.txt", "neither .parquet nor .csv"),
    "diversity": ("recommend-all champion:recommender --out x.csv --diversity nan", "give 0 to 1"),
    "accepted run": ("accept-world budget --run ../r --reason r", "is not the name of a run"),
    "release and hold": ("rollback budget --reason r --release --hold", "neither --to nor --hold"),
}


@pytest.mark.parametrize(("words", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_one_sentence_and_nothing_starts(
    words: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "argv", ["marquee", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capfd.readouterr()
    assert ended.value.code == 2
    assert output.out == ""
    assert message in output.err
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_an_interrupt_during_imports_is_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no command yet that could be interrupted."""

    class Importing(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cli", Importing("cli"))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "cli" / "__main__.py"), run_name="__main__")
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_part_that_has_not_started_has_no_process_and_no_moment(
    stack: TinyStack, out: Console
) -> None:
    waits = {"name": "datanode", "state": "STOPPED", "pid": 0, "since": 0, "lacks": "its start"}
    runs = {"name": "namenode", "state": "RUNNING", "pid": 4321, "since": 1767500000, "lacks": ""}
    stack_commands._show_status(stack.settings, [runs, waits])
    shown = out.export_text()
    assert "4321" in shown and "2026-01-04T04:13:20Z" in shown
    assert "1970" not in shown
    row = next(line for line in shown.splitlines() if "datanode" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][2:4] == ["", ""]


def test_every_command_can_be_named_in_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As this shell can run it, where `marquee` itself is not on its PATH."""
    names = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(terminal.COMMANDS.split("|")) == names
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal, "REPOSITORY", tmp_path)
    launcher = tmp_path / ".venv" / "bin" / "marquee"
    launcher.parent.mkdir(parents=True)
    launcher.touch()
    text = "hdfs://h:1/marquee ledger: see `marquee ledger budget`, or marquee --help"
    here = "hdfs://h:1/marquee ledger: see `.venv/bin/marquee ledger budget`, or "
    assert terminal.as_typed_here(text) == here + ".venv/bin/marquee --help"
    (tmp_path / "marquee").touch(mode=0o755)
    assert terminal.as_typed_here(text) == text


def test_a_paused_dag_stays_paused(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console
) -> None:
    requests = airflow({f"/dags/{DAG}": {"is_paused": True}})
    with pytest.raises(StackError, match=r"is paused, and stays so: .* `marquee up --unpause`"):
        run_command.weekly_run(stack, {}, RunFigures())
    assert not [line for line in requests if line.startswith(("PATCH", "POST"))]


def test_a_person_may_ask_for_its_unpausing(
    airflow: Callable[..., list[str]], stack: TinyStack
) -> None:
    requests = airflow({f"/dags/{DAG}": {"is_paused": False}})
    _, paused = stack_commands.ready_airflow(stack, unpause=True)
    assert not paused
    assert f"PATCH /dags/{DAG}" in requests


def test_settings_of_this_shell_that_a_stack_lacks_are_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARQUEE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MARQUEE_SERVING__PUBLIC_URL", "http://same")
    found: Any = SimpleNamespace(environment={"MARQUEE_SERVING__PUBLIC_URL": "http://same"})
    for _ in range(2):
        assert running_settings(found).kafka.bootstrap == ""
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("MARQUEE_KAFKA__BOOTSTRAP") == 1 and "of this shell is not used" in said
    assert "PUBLIC_URL" not in said


def test_a_start_says_which_runs_go_on(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console
) -> None:
    runs = [{"dag_run_id": "scheduled__1", "state": "running", "queued_at": "1"}]
    airflow({f"/dags/{DAG}/dagRuns": [{"dag_runs": runs}, {"dag_runs": []}]})
    api = AirflowApi(stack.settings, stack.folders.airflow)
    for _ in range(2):
        stack_commands.show_runs(api, paused=False)
    assert out.export_text().strip() == "unfinished runs go on: scheduled__1"


@pytest.mark.parametrize("offset", [60_000, -9_000])
def test_a_port_that_cannot_be_is_a_finding(stack: TinyStack, offset: int) -> None:
    ports = stack.settings.stack.model_copy(update={"port_offset": offset})
    findings = check_machine(stack.settings.model_copy(update={"stack": ports}))
    wrong = {found.name: found.detail for found in findings if not found.passed}
    assert wrong["port serving"] == f"{8000 + offset} is no port"


@pytest.mark.parametrize(
    ("free", "starts", "says"),
    [(5000, True, ""), (3000, True, "warning: memory: 3000 MB free, 3584 MB wanted"),
     (1500, False, "memory: 1500 MB free, 3584 MB wanted")],
)  # fmt: skip
def test_a_machine_of_four_gigabytes_is_warned_and_not_refused(
    stack: TinyStack, free: int, starts: bool, says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    settings = stack.settings
    memory = SimpleNamespace(available=free * 2**20)
    monkeypatch.setattr(health_checks.psutil, "virtual_memory", lambda: memory)
    checks = lambda *_, **__: iter([health_checks._memory(settings)])  # noqa: E731
    monkeypatch.setattr(health_checks, "check_machine", checks)
    if starts:
        health_checks.require_fit_machine(settings)
    else:
        with pytest.raises(StackError, match=says):
            health_checks.require_fit_machine(settings)
    said = capsys.readouterr().err
    assert says in said if starts else not said
    assert bool(said) == (free == 3000)
    monkeypatch.setattr(stack_commands, "check_machine", checks)
    found = CliRunner().invoke(app, ["doctor"])
    assert found.exit_code == (0 if starts else 1), found.output


def test_what_evaluation_found_is_a_sentence() -> None:
    assert (
        main_metrics_line({"rmse": 0.87654, "mae": 0.6, "coverage": 0.5})
        == "rmse 0.8765, coverage 0.5"
    )
    assert main_metrics_line({}).startswith("no figures")


def test_an_airflow_that_is_away_is_a_sentence(stack: TinyStack) -> None:
    api = AirflowApi.__new__(AirflowApi)
    api.http = httpx.Client(base_url="http://127.0.0.1:9", trust_env=False)
    with pytest.raises(StackError, match=r"Airflow does not answer \(ConnectError\)"):
        api.is_paused()


@pytest.mark.parametrize(("method", "times"), [("GET", 3), ("POST", 1)])
def test_a_late_airflow_is_asked_again_and_told_once(method: str, times: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if len(asked) < times:
            raise httpx.ReadTimeout("late")
        return httpx.Response(200, json={"late": True})

    api = AirflowApi.__new__(AirflowApi)
    api.http = httpx.Client(base_url="http://a", transport=httpx.MockTransport(answer))
    assert api.call(method, "/dags") == {"late": True} and len(asked) == times
    asked.clear()
    times = 9
    with pytest.raises(StackError, match=r"Airflow does not answer \(ReadTimeout\)"):
        api.call(method, "/dags")
    assert len(asked) == (3 if method == "GET" else 1)


@pytest.mark.parametrize(
    "error", [StackError("part is dead"), KeyboardInterrupt(), OSError(32, "")]
)
@pytest.mark.parametrize("started", [True, False], ids=["started it", "found it"])
def test_only_an_interrupted_command_stops_what_it_started(
    stack: TinyStack,
    out: Console,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    started: bool,
) -> None:
    """A failed one leaves it, so that somebody can look, and prints how to stop it."""
    stopped: list[bool] = []
    monkeypatch.setattr(stack, "down", lambda: stopped.append(True))
    monkeypatch.setattr(stack.supervisor, "is_running", lambda: True)
    stack.started = started
    failed = isinstance(error, StackError)
    with (
        pytest.raises(StackError if failed else typer.Exit) as ended,
        terminal.stop_on_interrupt(stack),
    ):
        raise error
    assert stopped == ([True] if started and not failed else [])
    assert failed or getattr(ended.value, "exit_code", None) == 130
    if not stopped:
        assert "down` stops it" in out.export_text()


def test_a_stream_of_an_embedded_kafka_wants_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MARQUEE_KAFKA__EMBEDDED", "true")
    monkeypatch.setattr(sys, "argv", ["marquee", "stream"])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capfd.readouterr()
    assert ended.value.code == 1 and output.err.count("\n") == 1
    assert output.err.startswith("error: no stack runs, and its Kafka is the one to ask")


def test_help_speaks_of_a_commands_own_world_and_lake() -> None:
    """Flags that several commands share have one text, and not all of them have all the flags."""
    wrong = []
    for name, command in _commands(get_command(app)):
        own = {option for one in command.params for option in one.opts}
        texts = [command.help, *(getattr(one, "help", "") for one in command.params)]
        said = {flag for flag in ("--lake", "--data", "--webhdfs") if flag in f"{texts}"}
        wrong += [f"{name}: {flag}" for flag in said - own]
    assert not wrong


def _commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each command that does something, with the words that call it."""
    if not hasattr(command, "commands"):
        yield name.strip(), command
    for word, one in getattr(command, "commands", {}).items():
        yield from _commands(one, f"{name} {word}")
