"""Our code for executors on other machines: one zip, sent with the session.

What runs in an executor's Python (the chains of a Bayesian fit) imports `spark_apps` and the
kernel, which only the driver's machine has. NumPy has to be installed there, as Spark asks.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from pyspark import SparkContext

from marquee.settings import REPOSITORY

ROOMS = ("marquee", "sources", "scoring", "spark_apps")


def ship_code(context: SparkContext, scratch: Path) -> None:
    """Send the zip to every executor; on one machine they see the repository themselves."""
    if not context.master.startswith("local["):
        context.addPyFile(str(write_zip(scratch / "marquee-code.zip")))


def write_zip(target: Path) -> Path:
    """The Python modules of the rooms that executors import."""
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for room in ROOMS:
            for module in sorted((REPOSITORY / room).rglob("*.py")):
                archive.write(module, module.relative_to(REPOSITORY))
    return target
