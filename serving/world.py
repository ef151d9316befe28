"""Which world the lake holds: asked before serving, and of a lake that is away, beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from marquee.errors import LakeUnavailableError, MarqueeError
from marquee.lake import Lake, check_world, read_world

log = logging.getLogger(__name__)
SECONDS_TO_ANSWER = 2.0
"""How long serving waits for the lake's word; bundles fetched before serve while it is away."""
SECONDS_BETWEEN = 1.0


class WorldCheck(threading.Thread):
    """Asks until the lake answers; `refusal` says why it must not be served, then `stop` is called.

    `name` is the world the lake must hold; None: any, and a log line says which.
    """

    def __init__(self, lake: Lake, name: str | None, stop: Callable[[], None]) -> None:
        super().__init__(name="ask-world", daemon=True)
        self.refusal = ""
        self._lake = lake
        self._world = name
        self._stop_serving = stop
        self._told = threading.Event()

    def passes(self) -> bool:
        """Start asking; whether nothing speaks against serving so far."""
        self.start()
        self._told.wait(SECONDS_TO_ANSWER)
        return not self.refusal

    def run(self) -> None:
        while not self._told.is_set():
            try:
                self._ask()
            except LakeUnavailableError as error:
                log.warning("which world the lake holds is not known yet: %s", error)
                self._told.wait(SECONDS_BETWEEN)
                continue
            except MarqueeError as error:
                self.refusal = str(error)
                self._stop_serving()
            except Exception:  # a thread that died would leave the question open, unseen
                log.exception("which world the lake holds cannot be read; it is asked again")
                self._told.wait(SECONDS_BETWEEN)
                continue
            self._told.set()

    def _ask(self) -> None:
        lake, name = self._lake, self._world
        found = check_world(lake, name) if name else read_world(lake)
        log.info("%s holds %s", lake.root, f"the world '{found.name}'" if found else "no world yet")
