"""Spark jobs: they prepare data and train models. Executors get them as one zip (`spark_session`).

Every job uses `job` and `spark_session`. The two prepare jobs call `preparation`. The two training
jobs call `recommender` and `budget`. `drill` injects a fault into a training job, in a drill's lake
only. Set-up alone runs `warm_classes`.
"""
