"""Kafka: the client, the topics, and the feedback that comes and goes through one (ADR 54).

- `client`: the brokers of a place, their producers and consumers, topics
- `client_errors`: the library's errors as ours, in one line
- `bounded_calls`: calls to the library that may wait for ever, with an end; transactions
- `feedback_messages`: one message of the feedback topic, read or refused
- `feedback_topic`: from the topic to the lake, exactly once in effect
- `refused_messages`: refused messages from the lake to a topic of their own
- `feedback_outbox`: from a server's feedback log to the topic
"""

__all__ = [
    "bounded_calls",
    "client",
    "client_errors",
    "feedback_messages",
    "feedback_outbox",
    "feedback_topic",
    "refused_messages",
]
