"""Make the synthetic world in the volume /world, unless it is there; it appears whole or not."""

import shutil
import subprocess
import sys
from pathlib import Path

from marquee.settings import load_settings

WORLD = Path("/world")
"""The image's /state/synthetic/world leads to `made` below it."""


def main() -> int:
    made, beside = WORLD / "made", WORLD / ".making"
    if made.is_dir():
        return 0
    shutil.rmtree(beside, ignore_errors=True)
    settings = load_settings()
    command = [sys.executable, "-m", "replica", "make-world", "--out", str(beside)]
    command += ["--seed", str(settings.seed), "--people", str(settings.synthetic.people)]
    command += ["--titles", str(settings.synthetic.titles)]
    done = subprocess.run(command)
    if not done.returncode:
        beside.rename(made)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
