"""How a run ends: marked as failed, without its titles, with tasks that did not go through.

The real DAG in Airflow's own database, looked at as its scheduler does; the script goes on from
`test_timetable.py`'s, in one process.
"""

from __future__ import annotations

from typing import Any

import pytest

SCRIPT = '''
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import TaskInstanceState as State
from airflow.utils.types import DagRunTriggeredByType, DagRunType

bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], bundle_name="walk")
assert not bag.import_errors, bag.import_errors
sync_bag_to_db(bag, "walk", None)


class OneRun:
    """A run of weekly_retrain whose tasks are where a scenario wants them."""

    def __init__(self, name, **states):
        self.name = name
        with create_session() as session:
            self.dag = SerializedDagModel.get("weekly_retrain", session=session).dag
            moment = pendulum.now("UTC")
            self.dag.create_dagrun(
                run_id=name, logical_date=None, data_interval=None, run_after=moment,
                run_type=DagRunType.MANUAL, triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING, start_date=moment, session=session)
            self.set(session, {k.replace("__", "."): v for k, v in states.items()})

    def tasks(self, session):
        return session.scalars(select(TaskInstance).where(TaskInstance.run_id == self.name))

    def set(self, session, states):
        # `rest` is what has no state of its own; a name of a group is all of it.
        for ti in self.tasks(session):
            word = states.get(ti.task_id, states.get(ti.task_id.split(".")[0], states.get("rest")))
            ti.state, ti.end_date = word and State(word), pendulum.now("UTC")

    def look(self):
        """The scheduler looks; the run's state, what is to start now, and what cannot."""
        with create_session() as session:
            run = session.scalars(select(DagRun).where(DagRun.run_id == self.name)).one()
            run.dag = self.dag
            start = []
            for _ in range(20):  # Airflow fails one task after the other that cannot run
                if run.state == DagRunState.RUNNING:  # the scheduler looks at no other
                    start, _ = run.update_state(session=session, execute_callbacks=False)
                    session.flush()
            states = {ti.task_id: str(ti.state or "") for ti in self.tasks(session)}
            return [str(run.state), sorted(ti.task_id for ti in start), states]

    def mark_failed(self):
        """As a person does in the UI."""
        with create_session() as session:
            set_dag_run_state_to_failed(
                dag=self.dag, run_id=self.name, commit=True, session=session)
        return self.look()[0]


ready = dict(crawl_titles="success", load_titles="success", find_ratings="success",
             load_ratings="success", load_feedback="success")
frozen = ready | dict(freeze_inputs="success")
done = dict(rest="success")
found["marked"] = [
    OneRun("m1").mark_failed(),
    OneRun("m2", **ready).mark_failed(),
    OneRun("m3", crawl_titles="running").mark_failed(),
    OneRun("m4", **frozen, prepare_titles="up_for_retry", prepare_ratings="queued").mark_failed(),
    OneRun("m5", **done, budget__approve="awaiting_input", budget__promote=None,
           budget__verify_serving=None, report=None).mark_failed(),
    OneRun("m6", **done, report="running").mark_failed(),
]
found["no_titles"] = OneRun("t1", **ready | dict(load_titles="failed")).look()[:2]
found["no_ratings"] = OneRun("t2", **ready | dict(load_ratings="failed")).look()[:2]
found["titles_on_retry"] = OneRun("t3", **ready | dict(load_titles="up_for_retry")).look()[:2]
unprepared = frozen | dict(prepare_titles="failed", prepare_ratings="success")
state, start, states = OneRun("t4", **unprepared).look()
found["unprepared"] = [state, start, states["budget.train"], states["budget.promote"]]
state, start, states = OneRun("t5", **frozen, prepare_titles="skipped",
                              prepare_ratings="skipped").look()
found["unchanged"] = [state, start, states["budget.train"]]
found["ends"] = [
    OneRun("e1", **done).look()[0],
    OneRun("e2", **done, load_titles="failed", report="failed").look()[0],
    OneRun("e3", **done, budget="upstream_failed", prepare_titles="failed", report=None).look()[:2],
]

from airflow.sdk import task
from marquee_airflow.tasks import failed_tasks, failure_sentence

with DAG("small", schedule=None) as small:
    @task
    def breaks():
        raise ValueError("so it is")

    @task
    def follows():
        return 1

    @task
    def alone():
        return 2

    @task(trigger_rule="all_done")
    def last():
        return failed_tasks()

    breaks() >> follows() >> last()
    alone() >> small.get_task("last")
bag = DagBag(EMPTY, bundle_name="walk")
bag.dags = {"small": small}
sync_bag_to_db(bag, "walk", None)
run = small.test()
with create_session() as session:
    (ti,) = [ti for ti in session.scalars(
        select(TaskInstance).where(TaskInstance.dag_id == "small", TaskInstance.task_id == "last"))]
    found["failed_tasks"] = ti.xcom_pull(task_ids="last", session=session)
found["failure_sentence"] = [failure_sentence(["load_titles"], ["load_titles failed: March's"]),
                        failure_sentence(["budget.train"], [])]
'''


def test_a_run_marked_as_failed_ends_so(observed: dict[str, Any]) -> None:
    """At its start, between tasks, amid one, while jobs wait, while a person is asked, last."""
    assert observed["marked"] == ["failed"] * 6


def test_titles_that_fail_for_good_hold_nobody_back(observed: dict[str, Any]) -> None:
    assert observed["no_titles"] == ["running", ["freeze_inputs"]]
    assert observed["titles_on_retry"] == ["running", []]


def test_ratings_that_fail_are_for_the_freeze_to_tell(observed: dict[str, Any]) -> None:
    assert observed["no_ratings"] == ["running", ["freeze_inputs"]]


def test_unprepared_titles_hold_back_the_budget_model_alone(observed: dict[str, Any]) -> None:
    failed = "upstream_failed"
    assert observed["unprepared"] == ["running", ["recommender.train"], failed, failed]
    # It says itself that nothing changed, whoever was skipped before it.
    assert observed["unchanged"] == ["running", ["recommender.train"], "skipped"]


def test_the_report_decides_and_comes_last(observed: dict[str, Any]) -> None:
    assert observed["ends"] == ["success", "failed", ["running", ["report"]]]


def test_the_report_asks_airflow_what_failed(observed: dict[str, Any]) -> None:
    assert observed["failed_tasks"] == ["breaks", "follows"]


@pytest.mark.parametrize("part", [0, 1])
def test_it_says_so_in_a_sentence(observed: dict[str, Any], part: int) -> None:
    wanted = [
        "the run is degraded: load_titles failed: March's. these did not go through: load_titles",
        "these did not go through: budget.train",
    ]
    assert observed["failure_sentence"][part] == wanted[part]
