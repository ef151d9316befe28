"""Peak memory of a job's processes: a number for what is ours, silence for what is not."""

from __future__ import annotations

import json
import subprocess
import sys

from marquee.settings import REPOSITORY

SCRIPT = """
import json
from spark_apps.spark_session import peak_mb
before = peak_mb()
block = bytearray(80 * 2**20)
after = peak_mb()
del block
print(json.dumps([before, after, peak_mb()]))
"""


def test_the_peak_is_the_drivers_and_stays_when_memory_is_freed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    before, after, later = json.loads(done.stdout)
    # The parent is this test and no JVM: it is left out.
    assert set(before) == {"Python driver"}
    assert after["Python driver"] >= before["Python driver"] + 70
    assert later["Python driver"] >= before["Python driver"] + 70
