"""A run's report over HTTP: the page as the gate left it, under a policy that lets it look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from markupsafe import escape

from marquee.lake import Lake
from marquee.release.condition import GROUPS, Condition
from marquee.release.outcome import Outcome, add_outcome
from marquee.release.subject import Subject
from marquee.release.verdict import Verdict
from serving.source import Source

PAGE = "<!doctype html><title>r</title><style>p{color:red}</style><p>refused</p>"
WHERE = "/v1/models/recommender/runs/weekly-1a2b3c4d/report"


@pytest.fixture
def client(lake: Lake, source: Source, serve: Callable[[Source], httpx.Client]) -> httpx.Client:
    lake.create("runs/weekly-1a2b3c4d/models/recommender/report.html", PAGE.encode())
    lake.create("secret/report.html", b"no")
    return serve(source)


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
    said = Outcome(kind="rejected", at=decided.subject.as_of, by="<ada>")
    add_outcome(lake, folder, said)
    page = client.get(WHERE.replace("weekly-1a2b3c4d", "weekly-2")).text
    assert page.startswith("<h1>approved</h1><p>It is not promoted: &lt;ada&gt; rejected it at ")


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
