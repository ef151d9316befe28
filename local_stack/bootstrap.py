"""Set-up from nothing: `python3 -m local_stack.bootstrap run|dev|exports|kafka|bench|lock|clean`.

The Makefile runs it with any Python, so this module and `clean_state` import the standard library
only.

- `run` and `dev` make `.venv` from a lock with hashes, then run `local_stack.java_setup` inside it.
  A stamp file in `.venv` records what was installed: a second call does nothing.
- `exports` and `kafka` add one optional part to `.venv`, which keeps it from then on.
- `bench` makes `.venv-bench`, for the libraries that benchmarks compare with.
- `lock` compiles the locks in `requirements/`.
- `clean` asks, then removes the state of all worlds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from local_stack.clean_state import SetupError, clean

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK_FOLDER = REPOSITORY / "requirements"
JAR_LISTS = REPOSITORY / "config" / "jars"
VENV = REPOSITORY / ".venv"
BENCH_VENV = REPOSITORY / ".venv-bench"
STAMP_FILE = "marquee-stamp"
EXTRAS = {"exports": ("mleap",), "kafka": ("kafka", "spark-kafka")}
"""The optional parts, each a lock of its own, and their lists of jars in `config/jars`. The
environment of `dev` holds them all."""
INSTALLER = VENV / "tool"  # uv, outside site-packages: `uv pip sync` would remove itself there
LOCKS = ("uv", "build", "java", "run", "worker", "daemons", *EXTRAS, "dev", "bench", "bench-sasrec")
"""In the order of compilation: a lock comes after those whose versions it takes."""
SUPPORTED_PYTHON = ((3, 11), (3, 12), (3, 13))

COMMAND_SCRIPT = """#!/bin/sh
# Written by `make setup`.
repository={repository}
PYTHONPATH="$repository${{PYTHONPATH:+:$PYTHONPATH}}"
export PYTHONPATH
exec "$repository/.venv/bin/python" -m cli "$@"
"""


def main(argv: list[str]) -> int:
    """Run one of the commands; an error gives one line on standard error and status 1."""
    goal = argv[0] if argv else "run"
    try:
        if goal == "lock":
            compile_locks()
        elif goal == "clean":
            clean(REPOSITORY, assume_yes=os.environ.get("CLEAN") == "yes")
        elif goal == "bench":
            set_up_bench()
        elif goal in EXTRAS:
            set_up_extra(goal)
        else:
            set_up(goal)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(goal: str) -> None:
    """Install what is missing or out of date: `.venv`, Java, jars, class archive, `marquee`."""
    wanted = _fingerprint(goal)
    if _stamp(VENV) not in {wanted, _fingerprint("dev")} or not _is_complete():
        _make_tool()
        _install(goal, VENV)
        _call([_python(VENV), "-m", "local_stack.java_setup"], "Java, jars or class archives")
        for extra in EXTRAS:
            if goal == "dev":
                _fetch_jars(extra)
            elif _extra_stamp(extra).exists():
                _add(extra)  # the installation of run.txt has removed it
        (VENV / STAMP_FILE).write_text(wanted)
    _install_command()


def _install_command() -> None:
    """Write `.venv/bin/marquee`, the command that runs this repository's code from any folder."""
    path, text = (
        VENV / "bin" / "marquee",
        COMMAND_SCRIPT.format(repository=shlex.quote(str(REPOSITORY))),
    )
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o755)


def set_up_extra(extra: str) -> None:
    """Install `.venv`, and one optional part in it: its packages and its jars."""
    set_up("run")
    stamp = _extra_stamp(extra)
    is_dev = _stamp(VENV) == _fingerprint("dev")
    if not is_dev and (not stamp.exists() or stamp.read_text() != _lock_digest(extra)):
        _add(extra)
    else:
        _fetch_jars(extra)  # the cache may be gone


def _add(extra: str) -> None:
    """Install an optional part beside what is there, and record it."""
    print(f"adding requirements/{extra}.txt to {VENV.name}", flush=True)
    command = [str(INSTALLER / "bin" / "uv"), "pip", "install", "-q", "--python", _python(VENV)]
    command += ["--require-hashes", "-r", str(LOCK_FOLDER / f"{extra}.txt")]
    _call(command, f"the packages of {extra}")
    _fetch_jars(extra)
    _extra_stamp(extra).write_text(_lock_digest(extra))


def _fetch_jars(extra: str) -> None:
    command = [_python(VENV), "-m", "local_stack.java_setup", *EXTRAS[extra]]
    _call(command, f"the jars of {extra}")


def _extra_stamp(extra: str) -> Path:
    return VENV / f"{STAMP_FILE}-{extra}"


def _lock_digest(name: str) -> str:
    files = [LOCK_FOLDER / f"{name}.txt", *(JAR_LISTS / f"{n}.toml" for n in EXTRAS[name])]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def set_up_bench() -> Path:
    """Install `.venv`, then `.venv-bench`; returns the interpreter of `.venv-bench`."""
    set_up("run")
    wanted = _fingerprint("bench")
    if _stamp(BENCH_VENV) != wanted:
        _call(
            [_python(VENV), "-m", "venv", "--clear", "--without-pip", str(BENCH_VENV)],
            ".venv-bench",
        )
        _install("bench", BENCH_VENV)
        (BENCH_VENV / STAMP_FILE).write_text(wanted)
    return Path(_python(BENCH_VENV))


def compile_locks() -> None:
    """Compile each `requirements/*.in` to a lock with hashes, without an index's address."""
    _make_tool()
    for name in LOCKS:
        command = [str(INSTALLER / "bin" / "uv"), "pip", "compile", "-q", "--universal"]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
        command += ["--no-header", "--no-annotate", "--override", "overrides.in"]
        command += ["-o", f"{name}.txt", f"{name}.in"]
        print(f"compiling requirements/{name}.txt", flush=True)
        _call(command, f"requirements/{name}.txt", cwd=LOCK_FOLDER)


def _install(goal: str, venv: Path) -> None:
    print(f"installing requirements/{goal}.txt into {venv.name} (about half a minute)", flush=True)
    command = [str(INSTALLER / "bin" / "uv"), "pip", "sync", "-q", "--python", _python(venv)]
    command += ["--require-hashes", "--build-constraints", str(LOCK_FOLDER / "build.txt")]
    _call([*command, str(LOCK_FOLDER / f"{goal}.txt")], "the Python packages")


def _make_tool() -> None:
    """Make `.venv` with a supported Python, and install uv in it."""
    if not (VENV / "bin" / "python").exists():
        python = find_python()
        print(f"making .venv with {python}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        _call([python, "-m", "venv", str(VENV)], "a virtual environment (Debian: python3-venv)")
    if not (INSTALLER / "bin" / "uv").exists():
        have = subprocess.run([_python(VENV), "-m", "pip", "--version"], capture_output=True)
        if have.returncode:
            _call([_python(VENV), "-m", "ensurepip", "--default-pip"], "pip")
        pip = [_python(VENV), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        pip += ["--target", str(INSTALLER), "--require-hashes", "-r", str(LOCK_FOLDER / "uv.txt")]
        _call(pip, "the installer")


def find_python() -> str:
    """This interpreter if it is supported, else the newest supported one on PATH that starts."""
    if sys.version_info[:2] in SUPPORTED_PYTHON:
        return sys.executable
    for major, minor in SUPPORTED_PYTHON[::-1]:
        found = shutil.which(f"python{major}.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    have = ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"Python {have} is not supported — install Python 3.11, 3.12 or 3.13, or name one: "
        "make run PYTHON=/path/to/python3.12"
    )


def _fingerprint(goal: str) -> str:
    content = [goal, str(sorted(SUPPORTED_PYTHON))]
    content += [(LOCK_FOLDER / f"{n}.txt").read_text() for n in (goal, "uv", "build", "java")]
    content += [Path(__file__).read_text(), _jars(REPOSITORY / "config" / "base.toml")]
    content += [_lock_digest(extra) for extra in EXTRAS] if goal == "dev" else []
    content += [p.read_text() for p in sorted((REPOSITORY / "local_stack").glob("ja*_setup.py"))]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _jars(config: Path) -> str:
    """The tables of jars in a settings file, as text: Pythons before 3.11 read no TOML."""
    lines, inside = [], False
    for line in config.read_text("utf-8").splitlines():
        inside = line.startswith(("[jars", "[[jars")) if line.startswith("[") else inside
        lines += [line.partition("#")[0].rstrip()] if inside else []
    return "\n".join(filter(None, lines))


def _stamp(venv: Path) -> str:
    stamp = venv / STAMP_FILE
    return stamp.read_text() if stamp.is_file() else ""


def _is_complete() -> bool:
    """Whether `java_setup` has finished, with the Java that is there now.

    The cache may be gone although `.venv` is up to date, and the system may have another Java.
    """
    cache = REPOSITORY / os.environ.get("MARQUEE_CACHE", ".marquee/cache")
    try:
        found = java_identity(Path(json.loads((cache / "java.json").read_text())["home"]))
        # A Java that is gone has none, and older releases left `ready` empty.
        return bool(found) and (cache / "ready").read_text() == found
    except (OSError, ValueError, KeyError):
        return False


def java_identity(home: Path) -> str:
    """What changes with every release of a Java: sizes and times of its files of classes."""
    files = [one for one in (home / "lib" / "modules", home / "bin" / "java") if one.exists()]
    return " ".join(f"{one.stat().st_size}@{one.stat().st_mtime_ns}" for one in files)


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
