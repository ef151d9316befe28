"""The DAG's shape: which task follows which, what waits where, what the form asks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from marquee.identifiers import run_slug
from marquee.schedule import NEXT_TASKS, time_needed
from marquee.settings import load_settings

MINUTES = load_settings("local").schedule.minutes


def test_it_is_read_without_errors(dag: dict[str, Any]) -> None:
    assert dag["errors"] == {}


def test_it_reads_as_a_sentence(dag: dict[str, Any]) -> None:
    follows = {name: set(task["downstream"]) for name, task in dag["tasks"].items()}
    assert "load_titles" in follows["crawl_titles"]
    assert "load_ratings" in follows["find_ratings"]
    for load in ("load_titles", "load_ratings", "load_feedback"):
        assert "freeze_inputs" in follows[load]
    assert {"prepare_titles", "prepare_ratings"} <= follows["freeze_inputs"]
    assert {"budget.train", "recommender.train"} <= follows["prepare_titles"]
    assert "recommender.train" in follows["prepare_ratings"]
    assert "budget.train" not in follows["prepare_ratings"]
    order = ["train", "evaluate", "gate", "approve", "promote", "verify_serving"]
    for model in ("budget", "recommender"):
        for task, following in pairwise(order):
            assert f"{model}.{following}" in follows[f"{model}.{task}"]
        assert "report" in follows[f"{model}.verify_serving"]
    assert {"recommender.approve", "recommender.forecast"} <= follows["recommender.gate"]
    assert follows["recommender.forecast"] == {"report"}, "nothing else waits for it"


def test_report_always_runs_and_is_the_one_that_ends_the_run(dag: dict[str, Any]) -> None:
    """A teardown would run on after a person has marked the run as failed, and end it green."""
    assert not [name for name, task in dag["tasks"].items() if task["teardown"]]
    assert [name for name, task in dag["tasks"].items() if not task["downstream"]] == ["report"]
    assert dag["tasks"]["report"]["rule"] == "all_done"


def test_a_stopped_crawl_still_loads_what_it_gathered(dag: dict[str, Any]) -> None:
    assert dag["tasks"]["load_titles"]["rule"] == "all_done"


def test_only_who_can_do_without_goes_on_after_a_failure(dag: dict[str, Any]) -> None:
    rules = {name for name, task in dag["tasks"].items() if task["rule"] != "all_success"}
    assert rules == {"load_titles", "freeze_inputs", "recommender.train", "report"}


def test_spark_jobs_and_the_crawl_wait_in_their_pools(dag: dict[str, Any]) -> None:
    pools = {name: task["pool"] for name, task in dag["tasks"].items()}
    in_spark = {name for name, pool in pools.items() if pool == "spark"}
    prepares = {"prepare_titles", "prepare_ratings"}
    trains = {"budget.train", "recommender.train", "recommender.forecast"}
    assert in_spark == prepares | trains
    assert pools["crawl_titles"] == "crawl"


def test_the_gate_has_a_button_that_opens_its_report(dag: dict[str, Any]) -> None:
    for model in ("budget", "recommender"):
        link = dag["tasks"][f"{model}.gate"]["links"]["Report"]
        run = run_slug("manual__2026-01-04T03:00:00+00:00")
        assert link == f"http://127.0.0.1:8000/v1/models/{model}/runs/{run}/report"
    # Read back from the database, as the API server shows it.
    buttons = {name for name, links in dag["buttons"].items() if "Report" in links}
    assert buttons == {"budget.gate", "recommender.gate"}


def test_the_form_is_typed(dag: dict[str, Any]) -> None:
    params = dag["params"]
    assert params["promote"]["enum"] == ["yes", "ask", "no"]
    assert params["search"]["enum"] == ["none", "quick", "full"]
    assert params["max_pages"]["type"] == "integer"
    assert params["sources"]["type"] == "array"
    assert "wikidata" in params["sources"]["items"]["enum"]
    assert params["sources"]["examples"] == params["sources"]["items"]["enum"]
    assert params["as_of"]["format"] == "date-time"
    assert params["force"]["type"] == "boolean"
    assert all(schema["title"] for schema in params.values())
    assert params["recommender_rmse_ceiling"]["type"] == ["null", "number"]


@pytest.mark.parametrize(
    ("end", "kind", "says"),
    [
        ("wrong input", "AirflowFailException", "no rating is left"),
        ("away", "AirflowException", "HDFS is away"),
        ("killed", "AirflowException", "the job was ended by SIGKILL, as when memory runs out"),
        ("driver killed", "AirflowException", "the job was ended by SIGKILL"),
        ("stopped", "AirflowException", "the job was ended by SIGTERM"),
        ("fault", "AirflowException", "the job ended with status 1"),
        ("no file", "AirflowException", "the job ended with status 2"),
        ("SourceError", "AirflowFailException", "no column — name it"),
        ("StackError", "StackError", "serving is dead"),
        ("OSError", "OSError", "x"),
    ],
)
def test_only_wrong_input_is_final(dag: dict[str, Any], end: str, kind: str, says: str) -> None:
    """A job's exit status and a step's error alike: all else is for Airflow to try again."""
    found = dag["ends"][end]
    assert found[0] == kind
    assert found[1].startswith(says)


def test_a_namenode_that_does_not_answer_is_away(dag: dict[str, Any]) -> None:
    kind, said = dag["ends"]["no NameNode"]
    assert kind == "LakeUnavailableError"
    assert said.startswith("HDFS did not answer for hdfs://127.0.0.1:9/m")


def test_every_question_to_a_namenode_has_a_time_out(dag: dict[str, Any]) -> None:
    """The first one too: a NameNode that takes the connection and is silent ends no run. And each
    NameNode of the connection is asked."""
    assert all(timeout == [5, 60] for _, timeout in dag["asked"])
    assert {host for host, _ in dag["asked"]} == {"127.0.0.1:9", "127.0.0.2:9"}


def test_every_task_has_a_time_out_and_a_last_moment(dag: dict[str, Any]) -> None:
    for name, task in dag["tasks"].items():
        assert task["minutes"] == MINUTES[name.rsplit(".", 1)[-1]], name
        assert task["policy"] == "RetryUntilNextRun"


def test_the_longest_way_is_counted_over_the_graph_as_it_is(dag: dict[str, Any]) -> None:
    drawn = {
        (name.rsplit(".", 1)[-1], following.rsplit(".", 1)[-1])
        for name, task in dag["tasks"].items()
        for following in task["downstream"]
    }
    counted = {(name, after) for name, all_of in NEXT_TASKS.items() for after in all_of}
    # By default no format of exports and no CouchDB is named, and the DAG has no task for them.
    optional = {"export", "publish_documents"}
    counted = {way for way in counted if optional.isdisjoint(way)}
    # What a later task of the same way follows as well makes no way longer.
    assert counted <= drawn
    for name, following in drawn - counted:
        assert time_needed(following, MINUTES) < time_needed(name, MINUTES)


def test_retries_outlast_a_reboot_and_end_before_the_next_run(dag: dict[str, Any]) -> None:
    waits = dag["tries"]["in time"]
    assert len(waits) == 6 and sum(waits) > 600
    assert all(later > earlier for earlier, later in pairwise(waits))
    assert dag["tries"]["cleared"] == [waits[0], waits[5]]
    assert dag["tries"]["last task"] == [waits[5]]
    (reason,) = dag["tries"]["too late"]
    assert reason.startswith("another attempt at train would start after ")
