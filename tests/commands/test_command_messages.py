"""What commands print: wrong arguments, a paused DAG, what runs and how far, what failed."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import typer
from rich.console import Console
from rich.text import Text

from cli import app, main, run_command, run_watch, stack_commands, terminal
from cli.run_results import RunFigures
from local_stack.airflow_api import DAG, AirflowApi
from local_stack.health_checks import check_machine
from marquee.errors import StackError
from marquee.settings import REPOSITORY
from steps.evaluate import main_metrics_line
from tests.plugins.tiny_stack import TinyStack, tiny_stack

RUN = "manual__2026-03-04T05:06:07+00:00"
WRONG = {
    "promote": ("run --promote perhaps", "'perhaps' — give yes, ask or no"),
    "search": ("run --search deep", "none, quick or full"),
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


@pytest.fixture
def stack(tmp_path: Path) -> TinyStack:
    return tiny_stack(tmp_path)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[str]]:
    """An Airflow that answers these paths; the list holds every request to it."""

    def answering(answers: dict[str, Any]) -> list[str]:
        requests: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.path.removeprefix("/api/v2")
            requests.append(f"{request.method} {path}")
            found = answers.get(path, {})
            return httpx.Response(200, json=found.pop(0) if isinstance(found, list) else found)

        def start(self: AirflowApi, settings: object, home: Path) -> None:
            transport = httpx.MockTransport(answer)
            self.http = httpx.Client(base_url="http://127.0.0.1:7", transport=transport)

        monkeypatch.setattr(AirflowApi, "__init__", start)
        return requests

    return answering


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(width=500, record=True, soft_wrap=True)
    for module in (run_command, stack_commands, terminal):
        monkeypatch.setattr(module, "out", console)
    return console


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


def instance(task: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "task_id": task,
        "state": state,
        "start_date": "2026-03-04T05:07:08.9Z",
        "end_date": None,
        "try_number": 1,
        "duration": 2.0,
    } | more


def test_a_run_shows_who_is_waited_for_what_failed_and_where(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console, monkeypatch: Any
) -> None:
    run, gate = f"/dags/{DAG}/dagRuns/{RUN}", "recommender.approve"
    torn = {"exc_type": "AirflowFailException", "exc_value": "ratings.csv: no column userId"}
    airflow(
        {
            f"/dags/{DAG}": {"is_paused": False},
            run: [{"state": "running"}, {"state": "running"}, {"state": "failed"}],
            f"{run}/taskInstances": [
                {"task_instances": [instance(gate, "awaiting_input")]},
                {"task_instances": [instance(gate, "awaiting_input")]},
                {"task_instances": [failed := instance("load_ratings", "failed", try_number=3)]},
                {"task_instances": [failed, instance("report", "success")]},
            ],
            f"{run}/taskInstances/{gate}/-1/hitlDetails": {"subject": "May it serve?"},
            f"{run}/taskInstances/load_ratings/logs/3": {
                "content": [
                    {"event": "reading", "level": "info"},
                    {"event": "error: ratings.csv: no column userId", "level": "info"},
                    {"event": "it failed", "level": "error", "error_detail": [torn]},
                ]
            },
        }
    )
    monkeypatch.setattr(stack, "check_running", lambda: None)
    monkeypatch.setattr(stack, "pids", list)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    api = AirflowApi(stack.settings, Path())
    assert run_watch.watch(out, api, RUN, stack, RunFigures()) == "failed"
    run_watch.show_failures(out, api, RUN, Path("/logs"))
    output = out.export_text()
    assert output.count("waiting for a person: May it serve?") == 1
    asked_at = f"/dags/{DAG}/runs/manual__2026-03-04T05:06:07%2B00:00/tasks/{gate}/required_actions"
    assert f"http://127.0.0.1:7{asked_at}" in output
    failure = output.partition("failed load_ratings, attempt 3")[2]
    assert failure.count("ratings.csv: no column userId") == 1
    assert f"/logs/dag_id={DAG}/run_id={RUN}/task_id=load_ratings/attempt=3.log" in failure


def test_a_run_whose_stack_is_stopped_ends_with_a_sentence(
    airflow: Callable[..., list[str]], stack: TinyStack, out: Console
) -> None:
    airflow({})
    with pytest.raises(StackError, match="the stack was stopped by another command"):
        run_watch.watch(out, AirflowApi(stack.settings, Path()), RUN, stack, RunFigures())


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-03-04T05:08:00Z", ", sweep 7 of 140; chain 2"),
        ("2026-03-04T05:07:00Z", ""),  # an earlier run's last word
    ],
)
def test_a_running_task_says_since_when_and_how_far(tmp_path: Path, at: str, shown: str) -> None:
    word = {"what": "sweep", "done": 7, "of": 140, "since": at, "at": at, "note": "chain 2"}
    (tmp_path / "recommender.train.json").write_text(json.dumps(word))
    line = run_watch.running_line(instance("recommender.train", "running"), tmp_path)
    assert line == f"recommender.train since 05:07:08Z{shown}"


@pytest.mark.parametrize("offset", [60_000, -9_000])
def test_a_port_that_cannot_be_is_a_finding(stack: TinyStack, offset: int) -> None:
    ports = stack.settings.stack.model_copy(update={"port_offset": offset})
    findings = check_machine(stack.settings.model_copy(update={"stack": ports}))
    wrong = {found.name: found.detail for found in findings if not found.passed}
    assert wrong["port serving"] == f"{8000 + offset} is no port"


def test_what_is_paused_or_tried_again_is_said(
    airflow: Callable[..., list[str]], stack: TinyStack
) -> None:
    airflow({f"/dags/{DAG}": {"is_paused": False}})
    api = AirflowApi(stack.settings, Path())
    again = run_watch._idle_sentence(api, [instance("crawl_titles", "up_for_retry")])
    assert again == "failed, and to be tried again: crawl_titles"
    airflow({f"/dags/{DAG}": {"is_paused": True}})
    assert "was paused" in run_watch._idle_sentence(AirflowApi(stack.settings, Path()), [])


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (["[bake] 7 loaves", "[bake] cool down: 20.1 s"], "[bake] 7 loaves"),
        (["7 loaves", '{"loaves": 7}'], "7 loaves"),
        (["[bake] heat: 1.0 s"], ""),
        (["7 loaves", "21:00 WARN error: no flour — buy some"], "error: no flour — buy some"),
        (["[bake] it rose in: 3 ovens"], "[bake] it rose in: 3 ovens"),
    ],
)
def test_a_task_is_summed_up_by_its_own_last_sentence(
    airflow: Callable[..., list[str]], stack: TinyStack, printed: list[str], shown: str
) -> None:
    """No stage's seconds, no figures for programs."""
    content = [{"event": line, "logger": "task.stdout"} for line in printed]
    airflow({f"/dags/{DAG}/dagRuns/{RUN}/taskInstances/bake/logs/1": {"content": content}})
    api = AirflowApi(stack.settings, Path())
    sentence = Text.from_markup(
        run_watch._last_sentence(api, RUN, instance("bake", "success"))
    ).plain
    assert sentence == shown


def test_what_evaluation_found_is_a_sentence() -> None:
    assert (
        main_metrics_line({"rmse": 0.87654, "mae": 0.6, "coverage": 0.5})
        == "rmse 0.8765, coverage 0.5"
    )
    assert main_metrics_line({}).startswith("no figures")


def test_a_queued_run_says_behind_which_it_waits(
    airflow: Callable[..., list[str]], stack: TinyStack
) -> None:
    runs = [
        {"dag_run_id": "later", "state": "queued", "queued_at": "2026-03-04T09:00:00Z"},
        {"dag_run_id": RUN, "state": "queued", "queued_at": "2026-03-04T08:00:00Z"},
        {"dag_run_id": "first", "state": "running", "queued_at": "2026-03-04T07:00:00Z"},
    ]
    airflow({f"/dags/{DAG}/dagRuns": {"dag_runs": runs}})
    api = AirflowApi(stack.settings, Path())
    assert run_watch._queue_sentence(api, RUN).endswith("this one waits for first to end")
    assert run_watch._queue_sentence(api, "first") == ""


def test_an_airflow_that_is_away_is_a_sentence(stack: TinyStack) -> None:
    api = AirflowApi.__new__(AirflowApi)
    api.http = httpx.Client(base_url="http://127.0.0.1:9", trust_env=False)
    with pytest.raises(StackError, match=r"Airflow does not answer \(ConnectError\)"):
        api.is_paused()


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
