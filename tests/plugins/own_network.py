"""A script in a network of its own, where its daemons take their usual ports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marquee.settings import REPOSITORY


def found_in_own_network(module: str, folder: Path) -> Any:
    """What the module, run with the folder as its argument, prints as its last line of JSON.

    A visible skip where this user may make no network.
    """
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "--net", "true"], capture_output=True).returncode:
        pytest.skip("a network of its own is not allowed here: the daemons are not started")
    command = [unshare, "--net", sys.executable, "-m", module, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
