"""Kafka: the client, the topics, and the feedback that comes and goes through one."""

__all__: list[str] = []
