"""A run's report over HTTP: the page as the gate wrote it, under its security policy."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from markupsafe import escape

from marquee.artefacts.verdict import GROUPS, Condition, Subject, Verdict, read_verdict
from marquee.errors import LakeError, LakeUnavailableError
from marquee.lake import Lake
from release.outcomes import Outcome, add_outcome
from serving.backend import Backend
from serving.routes import model_ledger

PAGE = "<!doctype html><title>r</title><style>p{color:red}</style><p>refused</p>"
WHERE = "/v1/models/recommender/runs/weekly-1a2b3c4d/report"


@pytest.fixture
def client(lake: Lake, backend: Backend, serve: Callable[[Backend], httpx.Client]) -> httpx.Client:
    lake.create("runs/weekly-1a2b3c4d/models/recommender/report.html", PAGE.encode())
    lake.create("secret/report.html", b"no")
    return serve(backend)


def test_the_page_comes_as_it_lies_in_the_lake(client: httpx.Client) -> None:
    answer = client.get(WHERE)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"].startswith("text/html")


def test_the_page_says_what_came_of_it_by_now(client: httpx.Client, lake: Lake) -> None:
    folder = "runs/weekly-2/models/recommender"
    subject = Subject(
        run="weekly-2", model="recommender", as_of=datetime(2026, 2, 1, tzinfo=UTC),
        run_type="manual", promote="ask", recipe={}, code="c", fingerprint="f", bundle_digest="b",
    )  # fmt: skip
    conditions = tuple(Condition(number, "c", True, "it holds") for number in GROUPS)
    decided = Verdict(subject=subject, conditions=conditions, head=None)
    lake.create_json(f"{folder}/verdict.json", decided.to_json())
    asks = f"<p>{escape(decided.consequence)}</p>"
    lake.create(f"{folder}/report.html", f"<h1>approved</h1>{asks}".encode())
    outcome = Outcome(kind="rejected", at=decided.subject.as_of, by="<ada>")
    add_outcome(lake, folder, outcome)
    page = client.get(WHERE.replace("weekly-1a2b3c4d", "weekly-2")).text
    assert page.startswith("<h1>approved</h1><p>It is not promoted: &lt;ada&gt; rejected it at ")


@pytest.mark.parametrize("failure", ["hangs", "away", "refuses", "torn", "no text"])
def test_a_page_that_is_there_comes_whatever_became_of_the_rest(
    lake: Lake,
    backend: Backend,
    serve: Callable[[Backend], httpx.Client],
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page is as the gate wrote it; no other request waits: the event loop reads no lake."""
    lake.create("runs/weekly-3/models/recommender/report.html", PAGE.encode())
    let_go, requested, loop = threading.Event(), threading.Event(), threading.main_thread()

    def outcome_of_run(*_: object) -> str:
        nonlocal loop
        loop = threading.current_thread()
        requested.set()
        if failure == "hangs":
            let_go.wait(60)
        if failure == "torn":
            return read_verdict(b"{").consequence
        if failure == "no text":
            raise UnicodeDecodeError("utf-8", b"", 0, 1, "no text")
        raise {"refuses": LakeError}.get(failure, LakeUnavailableError)("so it is")

    monkeypatch.setattr(model_ledger, "outcome_of_run", outcome_of_run)
    monkeypatch.setattr(model_ledger, "SECONDS_FOR_OUTCOME", 0.0 if failure == "hangs" else 60.0)
    client = serve(backend)
    try:
        answer = client.get(WHERE.replace("weekly-1a2b3c4d", "weekly-3"))
        assert (answer.status_code, answer.text) == (200, PAGE)
        assert requested.wait(60) and loop.name == "wait-for-the lake"
        assert client.get("/livez").status_code == 200
    finally:
        let_go.set()


def test_no_route_reads_the_lake_but_in_the_lakes_own_threads() -> None:
    """A read in the event loop stops every request while HDFS is away."""
    for path in Path(model_ledger.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
        inside = {
            node
            for call in calls
            if ast.unparse(call.func).endswith("lake_calls.run")
            for node in ast.walk(call)
        }
        reads = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "lake"]
        assert [ast.unparse(n) for n in reads if n not in inside] == [], path.name


def test_its_own_style_may_show_and_nothing_may_run(client: httpx.Client) -> None:
    policies = client.get(WHERE).headers.get_list("content-security-policy")
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"]
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'self'")


def test_a_run_without_a_report_is_a_problem_with_a_remedy(client: httpx.Client) -> None:
    answer = client.get("/v1/models/budget/runs/weekly-1a2b3c4d/report")
    assert answer.status_code == 404
    assert "marquee history" in answer.json()["detail"]


@pytest.mark.parametrize("run", ["..%2F..%2Fsecret", "..", "a%2Fb", "_x", "x" * 200])
def test_a_run_is_a_name_and_not_a_path(client: httpx.Client, run: str) -> None:
    answer = client.get(f"/v1/models/recommender/runs/{run}/report")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
