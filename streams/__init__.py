"""Questions on a Kafka topic and answers on another: a plain loop, or micro-batches of Spark.

`python -m streams` runs the loop, `python -m streams spark` the micro-batches; both answer what
`serving.questions` lists, each request exactly once for a reader of committed messages (ADR 55).

- `sessions`: one after another; what was done, and whether the topics are still the same
- `health`: `/livez`, `/readyz` and `/metrics` of a stream
- `messages`: what a request, an answer and a refused message are
- `loop`: consume, answer, produce, in transactions of Kafka
- `batch_markers`: one transaction a batch, with a marker that says what was answered
- `spark_batches`: Structured Streaming reads the requests, executors answer; the one module with
  Spark
"""

__all__ = ["messages"]
