"""Set-up from nothing: `python3 -m local_stack.bootstrap run|dev|bench|lock|clean`.

The Makefile runs it with any Python, so it imports the standard library only. It makes `.venv` from
a hash-pinned lock, then runs `local_stack.java_setup` inside it, for Java, jars and the class
archive. A second call compares one stamp and does nothing. The peers of the benchmarks live in an
environment of their own, `.venv-bench`. `clean` removes the state of every world, after a yes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LOCKS = REPOSITORY / "requirements"
VENV = REPOSITORY / ".venv"
BENCH = REPOSITORY / ".venv-bench"
STAMP = "marquee-stamp"
TOOL = VENV / "tool"  # beside the packages: a sync removes what no lock names
SUPPORTED = ((3, 11), (3, 12), (3, 13))

COMMAND = """#!/bin/sh
# Written by `make setup`.
repository={repository}
PYTHONPATH="$repository${{PYTHONPATH:+:$PYTHONPATH}}"
export PYTHONPATH
exec "$repository/.venv/bin/python" -m cli "$@"
"""
STATE_MARKS = ("logs", "airflow", "hdfs", "world")
"""A folder that holds one of these is a world's state."""


class SetupError(Exception):
    """One line: what is missing and what to do."""


def main(argv: list[str]) -> int:
    """Set up for `run`, `dev` or `bench`, compile the locks, or remove all state."""
    goal = argv[0] if argv else "run"
    try:
        if goal == "lock":
            compile_locks()
        elif goal == "clean":
            clean(assume_yes=os.environ.get("CLEAN") == "yes")
        elif goal == "bench":
            set_up_bench()
        else:
            set_up(goal)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(goal: str) -> None:
    """Bring `.venv`, Java, jars and class archive to what the locks say; install the command."""
    wanted = _fingerprint(goal)
    if _stamp(VENV) not in {wanted, _fingerprint("dev")} or not _is_complete():
        _make_tool()
        _install(goal, VENV)
        _call([_python(VENV), "-m", "local_stack.java_setup"], "Java, jars or class archives")
        (VENV / STAMP).write_text(wanted)
    _install_command()


def _install_command() -> None:
    """Write `.venv/bin/marquee`: it runs this repository's code from any folder."""
    path, text = VENV / "bin" / "marquee", COMMAND.format(repository=shlex.quote(str(REPOSITORY)))
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o755)


def set_up_bench() -> Path:
    """Bring `.venv-bench` to its lock, and `.venv` with it; returns its interpreter."""
    set_up("run")
    wanted = _fingerprint("bench")
    if _stamp(BENCH) != wanted:
        _call([_python(VENV), "-m", "venv", "--clear", "--without-pip", str(BENCH)], ".venv-bench")
        _install("bench", BENCH)
        (BENCH / STAMP).write_text(wanted)
    return Path(_python(BENCH))


def clean(assume_yes: bool) -> None:
    """Remove every world's state and the shared cache, after printing what will be lost.

    Asks on a terminal; elsewhere CLEAN=yes is the answer. Raises SetupError while a stack runs on
    one of them, where the answer is not yes, and where nobody can be asked.
    """
    root = (REPOSITORY / os.environ.get("MARQUEE_STATE", ".marquee")).resolve()
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
    return path.name in ("cache", "releases") or any((path / mark).is_dir() for mark in STATE_MARKS)


def _what(path: Path) -> str:
    if path.name == "cache":
        return "jars, class archives, perhaps a Java: fetched again when needed"
    if path.name == "releases":
        return "fetched ratings releases"
    if not _is_ours(path):
        return ""
    given = sum(1 for p in (path / "feedback").rglob("*") if p.is_file())
    waiting = f", {given} files of ratings people gave" if given else ""
    return f"a world: its lake with every model and ledger, Airflow's history{waiting}"


def _megabytes(path: Path) -> float:
    if path.is_symlink() or not path.is_dir():
        return 0.0
    return sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir()) / 2**20


def _is_in_use(state: Path) -> bool:
    """Whether a stack runs on this state, or a command is just starting or stopping it (Linux)."""
    try:
        with (state / "command.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # no command ever started it
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


def compile_locks() -> None:
    """Turn every `.in` of `requirements/` into a lock with hashes and without addresses."""
    _make_tool()
    for name in ("uv", "build", "java", "run", "dev", "bench"):
        command = [str(TOOL / "bin" / "uv"), "pip", "compile", "-q", "--universal"]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
        command += ["--no-header", "--no-annotate", "--override", "overrides.in"]
        command += ["-o", f"{name}.txt", f"{name}.in"]
        print(f"compiling requirements/{name}.txt", flush=True)
        _call(command, f"requirements/{name}.txt", cwd=LOCKS)


def _install(goal: str, venv: Path) -> None:
    print(f"installing requirements/{goal}.txt into {venv.name} (about half a minute)", flush=True)
    command = [str(TOOL / "bin" / "uv"), "pip", "sync", "-q", "--python", _python(venv)]
    command += ["--require-hashes", "--build-constraints", str(LOCKS / "build.txt")]
    _call([*command, str(LOCKS / f"{goal}.txt")], "the Python packages")


def _make_tool() -> None:
    """A virtual environment of a Python we support, with the installer inside."""
    if not (VENV / "bin" / "python").exists():
        python = find_python()
        print(f"making .venv with {python}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        _call([python, "-m", "venv", str(VENV)], "a virtual environment (Debian: python3-venv)")
    if not (TOOL / "bin" / "uv").exists():
        have = subprocess.run([_python(VENV), "-m", "pip", "--version"], capture_output=True)
        if have.returncode:
            _call([_python(VENV), "-m", "ensurepip", "--default-pip"], "pip")
        pip = [_python(VENV), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        pip += ["--target", str(TOOL), "--require-hashes", "-r", str(LOCKS / "uv.txt")]
        _call(pip, "the installer")


def find_python() -> str:
    """This interpreter if we support it, else the first on PATH that really starts."""
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for major, minor in SUPPORTED[::-1]:
        found = shutil.which(f"python{major}.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    have = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"Python {have} is not supported — install Python 3.11, 3.12 or 3.13, or name one: "
        "make run PYTHON=/path/to/python3.12"
    )


def _fingerprint(goal: str) -> str:
    content = [goal, str(sorted(SUPPORTED))]
    content += [(LOCKS / f"{n}.txt").read_text() for n in (goal, "uv", "build", "java")]
    content += [Path(__file__).read_text()]
    content += [p.read_text() for p in sorted((REPOSITORY / "local_stack").glob("setup*.py"))]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _stamp(venv: Path) -> str:
    stamp = venv / STAMP
    return stamp.read_text() if stamp.is_file() else ""


def _is_complete() -> bool:
    """Whether the cache is whole; it may be cleaned away beside a good environment."""
    cache = Path(os.environ.get("MARQUEE_CACHE", ".marquee/cache"))
    return (REPOSITORY / cache / "ready").is_file()


def _python(venv: Path) -> str:
    return str(venv / "bin" / "python")


def _call(command: list[str], what: str, cwd: Path = REPOSITORY) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=None, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        if lines and lines[-1].startswith("error: "):
            raise SetupError(lines[-1].removeprefix("error: "))
        detail = lines[-1].strip() if lines else f"exit status {done.returncode}"
        raise SetupError(f"could not install {what}: {detail} — is the package index reachable?")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
