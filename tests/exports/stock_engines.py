"""Stock engines for tests, each call in a process of its own.

pypmml and MLeap's runtime start a Java virtual machine inside the process that asks them. It takes
SIGSEGV for its own ends, and pytest's faulthandler does, too: a worker of pytest that held one died
minutes later, in any test, without a word.

    python -m tests.exports.stock_engines FORMAT MODEL ROWS ANSWERS
    python -m tests.exports.stock_engines EXPORT
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from exports.formats import FORMATS
from exports.golden_replay import replay
from local_stack.java_setup import listed_folder
from marquee.settings import REPOSITORY, load_settings
from scoring.arrays import Floats

JARS = listed_folder("mleap", load_settings())


def engine_answers(name: str, model: bytes, rows: Floats) -> Floats:
    """The stock engine's answers [R], log10 dollars, for rows [R, F] of a model file."""
    with tempfile.TemporaryDirectory() as scratch:
        file, asked, answered = (Path(scratch) / part for part in ("model", "rows.npy", "out.npy"))
        file.write_bytes(model)
        np.save(asked, rows)
        _run(name, file, asked, answered)
        found: Floats = np.load(answered)
    return found


def replayed(path: Path) -> dict[str, Any]:
    """`exports.golden_replay.replay` of an export, as JSON, and whether it `passed`."""
    found: dict[str, Any] = json.loads(_run(path))
    return found


def _run(*arguments: object) -> str:
    command = [sys.executable, "-m", "tests.exports.stock_engines", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1] if done.stdout else ""


def main(arguments: list[str]) -> None:
    """Answer rows, or replay an export."""
    if len(arguments) == 1:
        found = replay(Path(arguments[0]), JARS)
        print(json.dumps(asdict(found) | {"passed": found.passed}))
        return
    name, model, asked, answered = arguments
    score = FORMATS[name].code.load_question(Path(model).read_bytes(), JARS)
    np.save(answered, score(np.load(asked)))


if __name__ == "__main__":
    main(sys.argv[1:])
