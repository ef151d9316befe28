"""The terminal a command runs in: where it prints, how it is interrupted, what it leaves running.

Every command module imports its console or its sentences from here. TERM and a closed terminal end
a command the way Ctrl-C does: the command unwinds, and stops the stack where it has started it.
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

import typer
from rich.console import Console

from local_stack.stack import Stack
from marquee.errors import MarqueeError
from marquee.settings import REPOSITORY

COMMANDS = (
    "run|up|down|status|doctor|history|ledger|champion|rollback|accept-world|evaluate|compare|"
    "recommend-all|parse-pages|step"
)
STAYS_UP = "the stack stays up, so that you can look; `marquee down` stops it"
notes = Console(stderr=True, soft_wrap=True, highlight=False)


def console() -> Console:
    """Where commands print: as wide as the terminal, and wide enough where there is none."""
    return Console(soft_wrap=True, width=None if sys.stdout.isatty() else 120)


out = console()


def say(text: str) -> None:
    """Print, unless the terminal is gone: the steps that follow must be done all the same."""
    with suppress(OSError, SystemExit):
        out.print(as_typed_here(text), highlight=False)


def as_typed_here(text: str) -> str:
    """`text` with every `marquee …` it names as this shell can run it."""
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

    stops: bool = False
    """Whether Ctrl-C, TERM or a closed terminal stop the stack, whoever started it."""
    status: int = 130
    """The command's own status where it is interrupted."""


@contextmanager
def stopping_what_was_started(stack: Stack) -> Iterator[Session]:
    """Around a command that starts the stack: an interrupt stops what the command has started.

    A stack that ran before stays up. So does a stack whose command fails: somebody wants to look.
    Both print how to stop it. A terminal that is gone counts as Ctrl-C.
    """
    session = Session()
    try:
        yield session
    except MarqueeError:
        if stack.supervisor.is_running():
            say(STAYS_UP)
        raise
    except (KeyboardInterrupt, BrokenPipeError, SystemExit, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EIO):
            raise
        with ignoring_signals():
            if session.stops or stack.started:
                say("stopping")
                stack.down()
            elif stack.supervisor.is_running():
                say(f"it ran before: {STAYS_UP}")
        raise typer.Exit(session.status) from None


def stay_up(stack: Stack, session: Session) -> None:
    """Wait until Ctrl-C; StackError where another command stops the stack."""
    session.status = 0
    while True:
        stack.check_running()
        time.sleep(1)


def unwind_on_signals() -> None:
    """Make TERM, and HUP unless it is ignored (nohup), end a command the way Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Around work that must be finished once begun: Ctrl-C, TERM and HUP do nothing in it."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
