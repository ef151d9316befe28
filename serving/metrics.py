"""Counters and one histogram, in Prometheus' text format 0.0.4.

Too little to carry a client library for: three families, one process.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


class RequestMetrics:
    """Requests by route, method and status, and the seconds they took by route."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Labels, int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        labels = (("method", method), ("route", route), ("status", str(status)))
        with self._lock:
            self._counts[labels] = self._counts.get(labels, 0) + 1
            buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
            buckets[bisect.bisect_left(BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def lines(self) -> list[str]:
        """The families as Prometheus reads them; buckets are cumulative."""
        with self._lock:
            counts = [(labels, float(n)) for labels, n in sorted(self._counts.items())]
            found = family("marquee_requests_total", "counter", "Requests answered.", counts)
            found += ["# HELP marquee_request_seconds Seconds to answer."]
            found += ["# TYPE marquee_request_seconds histogram"]
            for route in sorted(self._buckets):
                found += self._histogram(route)
        return found

    def _histogram(self, route: str) -> Iterable[str]:
        total = 0
        name = "marquee_request_seconds"
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._buckets[route], strict=True):
            total += count
            yield f"{name}_bucket{_written((('route', route), ('le', bound)))} {total}"
        yield f"{name}_sum{_written((('route', route),))} {self._seconds[route]:.6f}"
        yield f"{name}_count{_written((('route', route),))} {total}"


def family(name: str, kind: str, about: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    """One metric family: its help, its type, its samples."""
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{_written(labels)} {value:.10g}" for labels, value in samples]


def _written(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
