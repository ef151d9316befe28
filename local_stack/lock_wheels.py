"""Do the locks install on a Raspberry Pi? `python -m local_stack.lock_wheels`, in `make check`.

uv resolves the pins of all locks that a host of a cluster installs and lists every file of each. It
takes some seconds and downloads no package. Each pin must have a wheel for aarch64 with glibc 2.28
(Raspberry Pi OS from Bookworm on) and each supported Python, and the lock its hash; or it is one of
SOURCES, which are pure Python and are built anywhere, on x86 too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from local_stack.bootstrap import INSTALLER, LOCK_FOLDER, SUPPORTED_PYTHON
from marquee.errors import MarqueeError, StackError

LOCKS = ("run", "worker", "java", "build", "uv", "daemons", "kafka", "exports")
SOURCES = frozenset({"docopt", "hdfs", "pyspark", "pyspark-client"})
"""Pins without a wheel for any platform."""
GLIBC = range(17, 29)
"""Minor versions of glibc 2 whose wheels run on 2.28."""
PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in reversed(GLIBC)),
    "manylinux2014_aarch64",
    "linux_aarch64",
)
SECONDS = 120


def main() -> int:
    """Print one line; or a line for each pin that a board could not install, and status 1."""
    try:
        pins = resolve(LOCKS)
        known = set(re.findall(r"sha256:([0-9a-f]{64})", "".join(map(_text, LOCKS))))
        missing = [
            line for python in SUPPORTED_PYTHON for line in without_wheel(pins, python, known)
        ]
    except MarqueeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    for line in missing:
        print(f"error: {line}", file=sys.stderr)
    if missing:
        return 1
    versions = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHON)
    print(f"arm64: {len(pins)} pins have their wheels for Python {versions}")
    return 0


def resolve(locks: Iterable[str]) -> list[dict[str, Any]]:
    """The pins of these locks with all their files, as pylock.toml (PEP 751) writes packages.

    Raises StackError where the registry does not answer, or a pin is no longer there.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "pylock.toml"
        command = [str(INSTALLER / "bin" / "uv"), "pip", "compile", "-q", "--universal"]
        command += ["--no-deps", "--python-version", "3.11", "--format", "pylock.toml"]
        command += ["-o", str(written), *(str(LOCK_FOLDER / f"{name}.txt") for name in locks)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unresolved(str(error)) from None
        if done.returncode:
            raise _unresolved(" ".join(done.stderr.split()))
        packages: list[dict[str, Any]] = tomllib.loads(written.read_text())["packages"]
        return packages


def _unresolved(reason: str) -> StackError:
    return StackError(
        f"the locks were not resolved for arm64: {reason[:300]}",
        "connect to the package registry; offline, leave this part out: make check ARM64=no",
    )


def without_wheel(
    pins: Iterable[dict[str, Any]], python: tuple[int, int], known: set[str]
) -> Iterator[str]:
    """A line for each pin that a board with this Python wants and finds no wheel of."""
    tags, here = board_tags(python), _markers(python)
    for pin in pins:
        wanted = "marker" not in pin or Marker(pin["marker"]).evaluate(here)
        if not wanted or pin["name"] in SOURCES:
            continue
        fitting = [wheel for wheel in pin.get("wheels", ()) if not tags.isdisjoint(_tags(wheel))]
        name = f"{pin['name']} {pin['version']}"
        if not fitting:
            yield f"{name} has no wheel for Python {python[0]}.{python[1]} on aarch64"
        elif not any(wheel["hashes"]["sha256"] in known for wheel in fitting):
            yield f"{name}: the lock has no hash of its wheel for aarch64 — make lock"


def board_tags(python: tuple[int, int]) -> set[Tag]:
    """The tags of wheels that install on a board: aarch64, glibc 2.28, CPython of this version."""
    interpreter = f"cp{python[0]}{python[1]}"
    return {
        *cpython_tags(python, platforms=PLATFORMS),
        *compatible_tags(python, interpreter, PLATFORMS),
    }


def _tags(wheel: dict[str, Any]) -> frozenset[Tag]:
    return parse_wheel_filename(wheel.get("name") or wheel["url"].rsplit("/", 1)[-1])[3]


def _markers(python: tuple[int, int]) -> dict[str, str]:
    version = f"{python[0]}.{python[1]}"
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def _text(lock: str) -> str:
    return (LOCK_FOLDER / f"{lock}.txt").read_text()


if __name__ == "__main__":
    sys.exit(main())
