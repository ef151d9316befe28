"""The terminal of a command: printing, interrupts, and what keeps running after the command.

TERM and a closed terminal act like Ctrl-C: the command ends, and stops the stack if the command has
started it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from local_stack.stack import Stack
from marquee.errors import MarqueeError
from marquee.settings import REPOSITORY

COMMANDS = (
    "run|up|down|status|doctor|history|ledger|champion|rollback|accept-world|evaluate|compare|"
    "recommend-all|parse-pages|step|tokens|documents|export|stream|plan|units"
)
STAYS_UP = "the stack stays up, so that you can look; `marquee down` stops it"
error_console = Console(stderr=True, soft_wrap=True, highlight=False)


def console() -> Console:
    """A console for standard output; without a terminal it is 120 characters wide."""
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120)


out = console()


def print_sentence(text: str) -> None:
    """Print a sentence; ignore a closed terminal, because the caller still has work to do."""
    with suppress(OSError, SystemExit):
        out.print(as_typed_here(text), highlight=False)


def as_typed_here(text: str) -> str:
    """`text` with each `marquee …` replaced by a command that this shell can run.

    For example `.venv/bin/marquee ledger budget`, where `marquee` is not on the PATH.
    """
    if shutil.which("marquee"):
        return text
    launcher, here = REPOSITORY / ".venv" / "bin" / "marquee", Path.cwd()
    if not launcher.exists():
        command = f"{os.path.relpath(sys.executable, here)} -m cli"
    elif launcher.is_relative_to(here):
        command = str(launcher.relative_to(here))
    else:
        command = str(launcher)
    return re.sub(rf"(?<![\w./-])marquee(?= (?:--|(?:{COMMANDS})\b))", command, text)


@dataclass
class Session:
    """What a command does with the stack when it ends."""

    stops_stack: bool = False
    """Whether an interrupt stops even a stack that ran before the command."""
    exit_status: int = 130
    """The command's exit status after an interrupt."""


@contextmanager
def stop_on_interrupt(stack: Stack) -> Iterator[Session]:
    """A context in which an interrupt stops the stack, if the command has started the stack.

    A stack that ran before stays up. After a failure the stack stays up too, so that a person can
    look. In both cases the command prints how to stop the stack. A closed terminal counts as an
    interrupt.
    """
    session = Session()
    try:
        yield session
    except MarqueeError:
        if stack.supervisor.is_running():
            print_sentence(STAYS_UP)
        raise
    except (KeyboardInterrupt, BrokenPipeError, SystemExit, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EIO):
            raise
        with ignoring_signals():
            if session.stops_stack or stack.started:
                print_sentence("stopping")
                stack.down()
            elif stack.supervisor.is_running():
                print_sentence(f"it ran before: {STAYS_UP}")
        raise typer.Exit(session.exit_status) from None


def stay_up(stack: Stack, session: Session) -> None:
    """Wait for an interrupt; raise StackError where another command stops the stack."""
    session.exit_status = 0
    while True:
        stack.check_running()
        time.sleep(1)


def unwind_on_signals() -> None:
    """Make TERM and HUP raise KeyboardInterrupt; a HUP that nohup ignores stays ignored."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


class Interruptible(TyperGroup):
    """Commands that end with a word on Ctrl-C; the parser alone would give status 130 and none."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """A context that ignores Ctrl-C, TERM and HUP, for work that must not be interrupted."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
