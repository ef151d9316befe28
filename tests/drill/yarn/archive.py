"""A worker's Python as an archive, made by the very recipe of docs/guides/yarn.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from hdfs import HdfsError, InsecureClient

from marquee.errors import StackError
from marquee.settings import REPOSITORY

GUIDE = REPOSITORY / "docs" / "guides" / "yarn.md"
RECIPE = re.compile(r"^```\n(P=.*?tar czf worker\.tar\.gz .*?)^```$", re.MULTILINE | re.DOTALL)
PLACED = "/marquee-worker.tar.gz"
"""In HDFS, as the guide has it."""


def make_archive(folder: Path) -> Path:
    """`worker.tar.gz` in `folder`; made once. StackError where the recipe fails."""
    made = folder / "worker.tar.gz"
    if made.is_file():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    found = RECIPE.search(GUIDE.read_text("utf-8"))
    if found is None:
        raise StackError(f"{GUIDE.name} has no recipe of an archive")
    if not (folder / "requirements").exists():
        (folder / "requirements").symlink_to(REPOSITORY / "requirements")
    path = f"{sys.base_prefix}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", found[1]],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        made.unlink(missing_ok=True)
        raise StackError(f"the guide's recipe failed: {done.stderr.strip()[-500:]}")
    return made


def is_placed(archive: Path, webhdfs: str) -> bool:
    """Copy it into HDFS, readable by all; False as long as no DataNode is there."""
    try:
        InsecureClient(webhdfs, user="marquee").upload(PLACED, str(archive), overwrite=True)
    except HdfsError:
        return False
    return True
