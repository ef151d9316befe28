"""A stack of one sleeping process below a real supervisord: a cheap target for commands.

`python -m tests.plugins.tiny_stack STATE` is a command that starts one and holds it, as `marquee up
--wait` does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from cli.terminal import stay_up, stop_on_interrupt, unwind_on_signals
from local_stack import health_checks, stack
from local_stack.stack import Stack
from marquee.settings import REPOSITORY, Settings, load_settings

PART = "part"
PROCESSES = {PART: "exec sleep 600"}


class TinyStack(Stack):
    """As the real one in everything but its parts, and what these need made ready."""

    def __init__(self, settings: Settings, **environment: str) -> None:
        super().__init__(settings)
        self.processes = PROCESSES
        self.environment = {
            "STATE": str(self.folders.state),
            "PYTHONPATH": str(REPOSITORY),
            "MARQUEE_WORLD": settings.world,
            "MARQUEE_STATE": settings.state,
            **environment,
        }

    def _prepare(self) -> None:
        self.folders.logs.mkdir(parents=True, exist_ok=True)


def tiny_stack(state: Path, world: str = "synthetic", **environment: str) -> TinyStack:
    """A stack of `world` below the folder `state`, not started."""
    settings = load_settings("local").model_copy(update={"state": str(state), "world": world})
    return TinyStack(settings, **environment)


def without_machine() -> None:
    """The part is ready as soon as it is asked; the machine's ports and memory do not matter."""
    health_checks.PROBES[PART] = lambda settings: ""
    stack.require_fit_machine = lambda settings: None


def main(state: Path) -> None:
    """Start, say so, hold; Ctrl-C, TERM or a lost terminal stop it."""
    without_machine()
    unwind_on_signals()
    made = tiny_stack(state)
    with stop_on_interrupt(made) as session:
        list(made.up())
        session.status = 0
        print("up", flush=True)
        stay_up(made, session)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
