"""# weekly_retrain

Crawls titles, loads them and the ratings into the lake, prepares both with Spark, trains the
recommender and the budget model, evaluates each on its holdout, and lets a gate decide: what is
better, or no worse, serves; everything else leaves the champion where it is.

A gate that says no is a *skip* with its reasons in the log, not a failure. A backfill trains and
judges, and promotes nothing. The form's bounds may only be tighter than the policy's.

Where titles cannot be loaded or prepared, the recommender goes on with those the lake holds. Such
a run is *degraded*: its report says so, and it ends as failed. Wrong input fails at once; what a
restart may mend is retried for ten minutes.
"""

from datetime import datetime

from airflow.sdk import DAG, TaskGroup

from marquee.schedule import shortest_interval
from marquee.settings import load_settings
from marquee_airflow import tasks
from marquee_airflow.approval import PromotionApprovalOperator, with_report
from marquee_airflow.form import form
from marquee_airflow.spark import MACROS, SparkJobOperator
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

    def spark(job: str, *models: str, **kwargs: str) -> SparkJobOperator:
        kwargs = {"task_id": job, "pool": "spark"} | kwargs
        return SparkJobOperator(job=job, models=models, settings=settings, **kwargs)

    def model_group(model: str, **training: str) -> TaskGroup:
        with TaskGroup(model) as group:
            train = spark(f"train_{model}", model, task_id="train", **training)
            approve = PromotionApprovalOperator(
                task_id="approve", model=model, schedule=settings.schedule
            )
            promoted = tasks.promote(model)
            gate = with_report(tasks.gate(model))
            train >> tasks.evaluate(model) >> gate >> approve >> promoted
            tasks.verify_serving(model, promoted)
        return group

    crawled = tasks.crawl_titles.override(pool="crawl")()
    loaded = tasks.load_ratings(tasks.find_ratings())
    frozen = tasks.freeze_inputs(loaded)
    crawled >> tasks.load_titles() >> frozen
    tasks.load_feedback() >> frozen

    prepare_titles = spark("prepare_titles", "budget", "recommender")
    prepare_ratings = spark("prepare_ratings", "recommender")
    budget = model_group("budget")
    # It goes on without prepared titles, never without prepared ratings.
    recommender = model_group("recommender", trigger_rule="all_done", needs="split/ratings")
    frozen >> [prepare_titles, prepare_ratings]
    prepare_titles >> budget
    [prepare_titles, prepare_ratings] >> recommender
    [budget, recommender] >> tasks.report()
    tasks.set_time_limits(dag, settings.schedule)
