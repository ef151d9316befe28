"""A Raspberry Pi's processor, emulated: both models answer there as they do here.

    python -m tests.drill.arm64 RECOMMENDER BUDGET [--tests test_serving_api.py …] [--folder DIR]

Takes the folders of two bundles. Makes a Debian Bookworm of arm64 (debootstrap fetches it, its
packages are only unpacked), installs the pins of the run lock that serving needs, by their hashes,
and runs `tests.drill.arm64_answers` here and there. Lists must name the same titles in the same
order; numbers may differ by 1e-6, since NumPy and OpenBLAS sum in another order. Then the given
tests of `tests/serving` run there. A second call takes what a first one made. It needs root,
debootstrap and qemu-user-static, and minutes: an emulated processor is slow.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from local_stack.bootstrap import INSTALLER, LOCK_FOLDER
from marquee.settings import REPOSITORY

QEMU = "/usr/bin/qemu-aarch64-static"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
MAGIC = (
    r":qemu-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00"
    r"\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:"
    f"{QEMU}:F"
)
"""ELF programs of aarch64; F: the interpreter is opened now, so that a chroot needs none."""
LEFT_OUT = re.compile(r"apache-airflow|pyspark|scrapy|twisted|grpcio|opentelemetry|sqlalchemy")
"""Pins that serving never imports; the large ones."""
DEVICES = {"null": 3, "zero": 5, "random": 8, "urandom": 9}
TESTED = ("pytest", "pluggy", "iniconfig", "packaging", "pytest-timeout")
WITHIN = 1e-6


def main() -> int:
    """Make, install, ask, compare, test; 1 where an answer differs or a test fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill.arm64")
    parser.add_argument("recommender", type=Path)
    parser.add_argument("budget", type=Path)
    parser.add_argument("--tests", nargs="*", default=[], metavar="FILE")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / ".marquee" / "arm64")
    options = parser.parse_args()
    if missing := [tool for tool in ("debootstrap", QEMU, "unshare") if not shutil.which(tool)]:
        parser.error(f"no {', '.join(missing)}: apt install debootstrap qemu-user-static")
    if os.geteuid():
        parser.error("a chroot and its mounts need root")
    root = options.folder.resolve() / "root"
    make_system(root)
    copy_code(root, {"recommender": options.recommender, "budget": options.budget})
    here = subprocess.run(asked(options.recommender, options.budget), **kept()).stdout
    line = " ".join(["python3", *asked("/opt/recommender", "/opt/budget")[1:]])
    there = subprocess.run(inside(root, line), **kept()).stdout
    wrong = differences(json.loads(here), json.loads(there))
    print("\n".join(wrong) or "the answers of both models are the same")
    tests = " ".join(f"tests/serving/{name}" for name in options.tests)
    flags = "-q -c /dev/null --rootdir=/opt/marquee --confcutdir=tests/serving -p no:cacheprovider"
    if tests:
        wrong += ["a test failed"] * subprocess.call(
            inside(root, f"python3 -m pytest {flags} {tests}")
        )
    return int(bool(wrong))


def kept() -> dict[str, Any]:
    """How a command that prints answers runs."""
    return {"cwd": REPOSITORY, "check": True, "stdout": subprocess.PIPE, "text": True}


def asked(*bundles: Path | str) -> list[str]:
    """The command that prints the answers of two bundles."""
    return [sys.executable, "-m", "tests.drill.arm64_answers", *map(str, bundles)]


def make_system(root: Path) -> None:
    """Fetch, unpack, register the emulator, install; each only where it is not done."""
    if not (root / "usr/bin/python3").exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase"]
        subprocess.run(
            [*command, "--include=ca-certificates,python3", "bookworm", root], check=True
        )
        for package in sorted((root / "var/cache/apt/archives").glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    for name, minor in DEVICES.items():
        if not (root / "dev" / name).exists():
            os.mknod(root / "dev" / name, 0o20666, os.makedev(1, minor))
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", str(BINFMT)], check=True)
    if not (BINFMT / "qemu-aarch64").exists():
        (BINFMT / "register").write_text(MAGIC)
    pins = root.parent / "serving.txt"
    pins.write_text("".join(serving_pins()))
    command = [str(INSTALLER / "bin" / "uv"), "pip", "install", "-q", "--no-deps"]
    command += ["--require-hashes", "--python-platform", "aarch64-manylinux_2_28"]
    command += ["--python-version", "3.11", "--target", str(root / "opt/site"), "-r", str(pins)]
    subprocess.run(command, check=True)


def serving_pins() -> Iterable[str]:
    """Pins with their hashes: of run.txt those that serving may import, of dev.txt pytest's."""
    for lock, wanted in (("run", None), ("dev", TESTED)):
        text = (LOCK_FOLDER / f"{lock}.txt").read_text()
        for pin in re.finditer(r"^([\w.-]+)==(?:[^\n]*\\\n)*[^\n]*\n", text, re.MULTILINE):
            if pin[1] in wanted if wanted else not LEFT_OUT.match(pin[1]):
                yield pin[0]


def copy_code(root: Path, bundles: dict[str, Path]) -> None:
    """This checkout without its state, and the bundles, below /opt."""
    hidden = shutil.ignore_patterns(".*", "pictures", "__pycache__")
    for name, folder in {"marquee": REPOSITORY, **bundles}.items():
        shutil.rmtree(root / "opt" / name, ignore_errors=True)
        shutil.copytree(folder, root / "opt" / name, ignore=hidden)


def inside(root: Path, line: str) -> list[str]:
    """The command that runs a line in the emulated system, with processes of its own."""
    environment = "PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 PYTHONPATH=/opt/marquee:/opt/site"
    environment += " OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1"
    there = f"exec chroot {root} /usr/bin/env -i {environment} sh -c 'cd /opt/marquee && {line}'"
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c"]
    return [*command, f"mount -t proc proc {root}/proc && {there}"]


def differences(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """A line for each kind of answer that is not the same."""
    wrong = [] if there["machine"] == "aarch64" else [f"it ran on {there['machine']}"]
    if not here["golden"] or not there["golden"]:
        wrong.append("the bundle's golden answers are not met")
    for kind in ("stars", "folded", "budgets"):
        far = np.abs(np.ravel(here[kind]) - np.ravel(there[kind])).max()
        wrong += [f"{kind} differ by {far:.1e}"] if not far <= WITHIN else []
    for one, other in zip(here["lists"], there["lists"], strict=True):
        if one[0] != other[0] or np.abs(np.subtract(one[1], other[1])).max() > WITHIN:
            wrong.append(f"a list differs: {one} here, {other} there")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
