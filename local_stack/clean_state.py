"""`make clean`: list the state of all worlds and the shared cache, ask, then remove them.

Any Python runs it, so this module imports the standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

STATE_SUBFOLDERS = ("logs", "airflow", "hdfs", "world")
"""A folder with one of these subfolders holds the state of a world."""


class SetupError(Exception):
    """An error of the set-up; its one line says what is missing and what to do."""


def clean(repository: Path, assume_yes: bool) -> None:
    """List the state of all worlds and the shared cache, then remove them.

    On a terminal a person must confirm, elsewhere `assume_yes` (CLEAN=yes) is needed. Raises
    SetupError without a confirmation, and while a stack runs.
    """
    root = (repository / os.environ.get("MARQUEE_STATE", ".marquee")).resolve()
    ours = [p for p in sorted(root.glob("*")) if root.name == ".marquee" or _is_ours(p)]
    if not ours:
        print(f"there is nothing to remove in {root}")
        return
    if running := [str(p) for p in ours if _is_in_use(p)]:
        raise SetupError(f"a stack runs on {', '.join(running)} — stop it first: make down")
    print(f"this removes for good, from {root}:")
    for path in ours:
        print(f"  {_megabytes(path):8,.0f} MB  {path.name}  {_what(path)}")
    if not assume_yes and not _confirmed():
        raise SetupError("nothing was removed — answer yes, or in a script: make clean CLEAN=yes")
    for path in ours:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(root.iterdir()):
        root.rmdir()


def _is_ours(path: Path) -> bool:
    return path.name in ("cache", "releases") or any(
        (path / mark).is_dir() for mark in STATE_SUBFOLDERS
    )


def _what(path: Path) -> str:
    if path.name == "cache":
        return "jars, class archives, perhaps a Java: fetched again when needed"
    if path.name == "releases":
        return "fetched ratings releases"
    if not _is_ours(path):
        return ""
    feedback_files = sum(1 for p in (path / "feedback").rglob("*") if p.is_file())
    feedback = f", {feedback_files} files of ratings people gave" if feedback_files else ""
    return f"a world: its lake with every model and ledger, Airflow's history{feedback}"


def _megabytes(path: Path) -> float:
    if path.is_symlink() or not path.is_dir():
        return 0.0
    return sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir()) / 2**20


def _is_in_use(state: Path) -> bool:
    """Whether a stack runs on this state, or a command starts or stops it now (Linux only)."""
    try:
        with (state / "command.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # no lock file: no command has ever started a stack here
    try:
        pid = int((state / "supervisord.pid").read_text())
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    return b"supervisor.supervisord" in line and os.fsencode(state) in line


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        return input("Remove all of it? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False
