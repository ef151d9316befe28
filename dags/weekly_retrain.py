"""# weekly_retrain

Crawls titles, loads titles and ratings into the lake, prepares both with Spark, trains the
recommender and the budget model, and evaluates each on its holdout. Then a gate judges each model:
an approved model becomes champion; a refused one leaves the champion serving.

A refusal is a *skip*, with the gate's reasons in the log. A backfill trains and judges, and
promotes nothing. The form's bounds must be at least as tight as the policy's.

Where `exports.formats` names formats, a new champion is also exported in them. Where `[documents]`
names a CouchDB, the champions' answers are published there before the report; a CouchDB that is
away is a skip, and the next run delivers.

After the gate's approval the recommender is also measured as a forecast; no decision waits for it.

Where titles cannot be loaded or prepared, the recommender goes on with the titles that the lake
holds. Such a run is *degraded*: its report names what is missing, and the run ends as failed. A
task with wrong input fails at once. After an outage, a task is retried for ten minutes.
"""

from datetime import datetime

from airflow.sdk import DAG, TaskGroup

from marquee.schedule import shortest_interval
from marquee.settings import load_settings
from marquee_airflow import tasks
from marquee_airflow.approval import PromotionApprovalOperator, with_report_button
from marquee_airflow.form import form
from marquee_airflow.spark import MACROS, ForecastOperator, SparkJobOperator
from marquee_airflow.timetable import WeeklyTimetable

settings = load_settings()

with DAG(
    "weekly_retrain",
    description="Ratings and pages into two models that serve, every week",
    doc_md=__doc__,
    schedule=WeeklyTimetable(settings.schedule.cron, "UTC", dag_id="weekly_retrain"),
    start_date=datetime(1995, 1, 1),
    catchup=False,
    max_active_runs=1,
    params=form(settings),
    user_defined_macros=MACROS,
    default_args=tasks.default_args(settings.schedule),
    dagrun_timeout=shortest_interval(settings.schedule.cron),
    tags=["marquee"],
) as dag:

    def spark(job: str, *models: str, operator=SparkJobOperator, **kwargs: str) -> SparkJobOperator:
        kwargs = {"task_id": job, "pool": "spark"} | kwargs
        return operator(job=job, models=models, settings=settings, **kwargs)

    def model_group(model: str, **training: str) -> TaskGroup:
        with TaskGroup(model) as group:
            train = spark(f"train_{model}", model, task_id="train", **training)
            approve = PromotionApprovalOperator(
                task_id="approve", model=model, schedule=settings.schedule
            )
            promoted = tasks.promote(model)
            gate = with_report_button(tasks.gate(model))
            train >> tasks.evaluate(model) >> gate >> approve >> promoted
            tasks.verify_serving(model, promoted)
            if settings.exports.formats:
                tasks.export(model, promoted)
            if model == "recommender":
                job = "forecast_recommender"
                gate >> spark(job, model, task_id="forecast", operator=ForecastOperator)
        return group

    crawled = tasks.crawl_titles.override(pool="crawl")()
    loaded = tasks.load_ratings(tasks.find_ratings())
    frozen = tasks.freeze_inputs(loaded)
    crawled >> tasks.load_titles() >> frozen
    tasks.load_feedback() >> frozen

    prepare_titles = spark("prepare_titles", "budget", "recommender")
    prepare_ratings = spark("prepare_ratings", "recommender")
    budget = model_group("budget")
    # The recommender can be trained without prepared titles, but needs prepared ratings.
    recommender = model_group("recommender", trigger_rule="all_done", required_path="split/ratings")
    frozen >> [prepare_titles, prepare_ratings]
    prepare_titles >> budget
    [prepare_titles, prepare_ratings] >> recommender
    reported = tasks.report()
    [budget, recommender] >> reported
    if settings.documents.is_on:
        from marquee_airflow.document_task import publish_documents

        [budget, recommender] >> publish_documents() >> reported
    tasks.set_time_limits(dag, settings.schedule)
