"""Questions on a Kafka topic and answers on another: a plain loop, or micro-batches of Spark."""

__all__: list[str] = []
