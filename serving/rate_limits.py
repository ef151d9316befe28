"""Rate limits by key, such as a token or an address: so many a minute, so many at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MOST_KEYS = 10_000
"""Keys in memory. Above it the key that was asked for longest ago is forgotten."""


class RateLimit:
    """`per_minute` on average and `burst` at once, for each key on its own.

    The generic cell rate algorithm (ITU-T I.371): a key keeps one number, the moment at which all
    that it has taken is paid back. It takes another where that moment is near enough. Not safe for
    several threads: the event loop is the only one that asks.
    """

    def __init__(
        self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 60.0 / per_minute
        self._ahead = self._interval * (burst - 1)
        self._clock = clock
        self._paid_back: OrderedDict[str, float] = OrderedDict()

    def seconds_to_wait(self, key: str) -> float:
        """0 if the key may take one now, and takes it; else the seconds until it may."""
        now = self._clock()
        paid_back = max(self._paid_back.get(key, now), now)
        if (wait := paid_back - now - self._ahead) > 1e-9:
            return wait
        self._paid_back[key] = paid_back + self._interval
        self._paid_back.move_to_end(key)
        if len(self._paid_back) > MOST_KEYS:
            self._paid_back.popitem(last=False)
        return 0.0
