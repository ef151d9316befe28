"""Spark jobs: they prepare data and train models. Executors get them as one zip (`spark_session`).

`job` and `spark_session` are what every job shares. `preparation` is what the two prepare jobs
call, `recommender` and `budget` are what the two training jobs call. `drill` injects a fault into a
training job of a drill, and `warm_classes` is a run for set-up alone.
"""
