"""Spark jobs: prepare and train. Shipped to executors as one zip; launched by flags alone."""
