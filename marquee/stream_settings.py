"""The settings of the streams: their topics, the batch, and what they may ask for.

`marquee.settings` puts the section into its tree; `streams` is the room that reads it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from marquee.access_tokens import READ, SCOPE
from marquee.daemon_settings import TopicName
from marquee.place_settings import Section

STREAM = "stream"
"""The name of the process in `Procfile`."""


def _scope(text: str) -> str:
    if not SCOPE.fullmatch(text):
        raise ValueError(f"'{text}' is no scope: read, reports, rate:p-<name> or rate:*")
    return text


class StreamSettings(Section):
    """Questions on a Kafka topic and answers on another."""

    embedded: bool
    how: Literal["loop", "spark"]
    requests: TopicName
    answers: TopicName
    refused: TopicName
    markers: TopicName
    partitions: int = Field(ge=1, le=1000)
    copies: int = Field(ge=0, le=7)
    retention_days: int = Field(ge=1)
    group: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    may: tuple[Annotated[str, AfterValidator(_scope)], ...]
    batch: int = Field(ge=1, le=10_000)
    spark_seconds: float = Field(ge=0, le=3600)
    spark_batch: int = Field(ge=1)
    status_seconds: float = Field(gt=0, le=3600)

    @property
    def processes(self) -> tuple[str, ...]:
        """What the stack starts for them."""
        return (STREAM,) if self.embedded else ()

    @model_validator(mode="after")
    def _four_topics(self) -> StreamSettings:
        if len({self.requests, self.answers, self.refused, self.markers}) < 4:
            raise ValueError("requests, answers, refused and markers are four topics; name four")
        if READ not in self.may:
            raise ValueError("every question asks for `read`; add it to `may`")
        return self
