"""The settings of the job server: Spark Connect, and our process that answers from it."""

from __future__ import annotations

from pydantic import Field, model_validator

from marquee.place_settings import Section

PROCESSES = ("connect-server", "connect-worker")
"""Of `Procfile`; the stack starts them where `[connect] embedded` says so."""


class ConnectSettings(Section):
    """Whether the stack runs a Spark Connect server and our worker, or where they run."""

    embedded: bool
    worker: str
    remote: str
    memory: str = Field(pattern=r"^\d+[mg]$")
    batch_rows: int = Field(ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _one_worker(self) -> ConnectSettings:
        if self.embedded and (self.worker or self.remote):
            raise ValueError("worker and remote name processes elsewhere: leave embedded = false")
        if self.worker and not self.worker.startswith(("http://", "https://")):
            raise ValueError("worker is http://host:port")
        return self

    @property
    def processes(self) -> tuple[str, ...]:
        """What the stack starts for it."""
        return PROCESSES if self.embedded else ()

    def worker_at(self, port: int) -> str:
        """The worker's address, by default on this machine at `port`; "" where there is none."""
        return f"http://127.0.0.1:{port}" if self.embedded else self.worker

    def remote_at(self, port: int) -> str:
        """The server's address, by default on this machine at `port`.

        With a token pyspark speaks to `localhost` alone, never to 127.0.0.1.
        """
        return self.remote or f"sc://localhost:{port}"
