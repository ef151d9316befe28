"""Errors of the client library as ours: wrong settings, a name that is taken, or an outage.

Wrong credentials, rights and settings are SettingsErrors: a retry meets them again. Another process
under our name is a NameTakenError. All else is an AwayError, with what to do where that is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from marquee.errors import AwayError, MarqueeError, NameTakenError, SettingsError
from marquee.process_secrets import KAFKA_LOGIN

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

REFUSALS = {
    **dict.fromkeys(
        ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM"),
        f"correct [kafka] security and mechanism, or {KAFKA_LOGIN}",
    ),
    **{
        f"{what}_AUTHORIZATION_FAILED": "give this user the rights that docs/guides/kafka.md names"
        for what in ("TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID")
    },
    "_SSL": "correct [kafka] security and ca_file",
}
"""By the name of an error that a retry meets again: what to do."""
REMEDIES = {
    "INVALID_REPLICATION_FACTOR": "start more brokers, or set copies in [feedback] and [streams]",
    "MSG_SIZE_TOO_LARGE": "give the topic a larger max.message.bytes",
}
"""By the name of an error that ends once somebody has helped: what to do."""
OUTAGE = "start Kafka, or correct [kafka] bootstrap or security"
TAKEN = ("_FENCED", "FENCED_INSTANCE_ID", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH")
CONSUMER_FENCED = "Static consumer fenced"
"""How the library words a taken name of a consumer; the error's name is then `_FATAL`."""


def our_error(error: KafkaError, what: str, bootstrap: str, user: str | None) -> MarqueeError:
    """Our error for one of the library's; `what` says what could not be done."""
    name, line = error.name(), line_of(error)
    if name in REFUSALS:
        whom = f"the user '{user}'" if user else "us"
        return SettingsError(f"{what}: Kafka at {bootstrap} refuses {whom}: {line}", REFUSALS[name])
    if name in TAKEN or CONSUMER_FENCED in line:
        text = f"{what}: Kafka at {bootstrap} knows somebody else by this name, or us from before"
        return NameTakenError(text, "it is tried again")
    text = f"{what}: {line} (Kafka at {bootstrap})"
    if name == "_INVALID_ARG":
        return SettingsError(text, "correct [kafka]")
    return AwayError(text, f"{REMEDIES.get(name, OUTAGE)}; it is asked again")


def line_of(error: KafkaError) -> str:
    """The error in one line, without the time that it took: the same error is said once."""
    return re.sub(r" \(after \d+ms.*?\)", "", " ".join((error.str() or error.name()).split()))
