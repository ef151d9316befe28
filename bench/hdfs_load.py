"""Loading one crawl into a real HDFS: through the lake, and by one `hdfs dfs -put` a file."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "scrapy_imdb")]

from made_up_titles import made_up  # noqa: E402

from local_stack.stack import Stack  # noqa: E402
from marquee.lake import Lake, open_lake  # noqa: E402
from sources.title_loading import load_titles  # noqa: E402
from sources.title_record import title_record, write_lines  # noqa: E402
from tests.plugins.local_stack import HDFS, stack_settings  # noqa: E402

SHELL = "org.apache.hadoop.fs.FsShell"
PATH = "raw/titles/as_of=20260104T030000Z/run=bench"
REFUSED, PAGE = 20, 60_000


def measure_hdfs_load(count: int, repeats: int) -> dict[str, dict[str, float]]:
    """Files, seconds and files a second of both ways, for a crawl of `count` titles."""
    with tempfile.TemporaryDirectory() as scratch:
        stack = Stack(stack_settings(Path(scratch, "state")))
        stack.processes = {name: stack.processes[name] for name in HDFS}
        try:
            for _ in stack.up():
                pass
            home = _crawl_home(Path(scratch, "out"), count)
            lakes = [_lake(stack, number) for number in range(repeats + 1)]
            _load(lakes[0], home)  # the first call of a new HDFS pays for its warming up
            ours = [_load(lake, home) for lake in lakes[1:]]
            loaded = lakes[0].fetch(PATH, Path(scratch, "files"))
            theirs = _put_each(stack, sorted(p for p in loaded.iterdir() if p.is_file()))
        finally:
            stack.down()
    rate = min(ours, key=lambda row: row["seconds"])
    rate["ratio"] = round(rate["files_a_second"] / theirs["files_a_second"], 1)
    return {"lake": rate, "put a file": theirs}


def _load(lake: Lake, home: Path) -> dict[str, float]:
    started = time.perf_counter()
    loaded = load_titles(lake, home, PATH)
    seconds = time.perf_counter() - started
    assert loaded is not None and loaded.is_new
    return _row(len(lake.names(PATH)) - 1, seconds)  # the manifest is ours alone


def _put_each(stack: Stack, files: list[Path]) -> dict[str, float]:
    """The same files, each by a shell of its own, as a plain script does it."""
    environment = os.environ | stack.environment
    shell = [environment["JAVA"], "-cp", environment["HDFS_CLASS_PATH"], SHELL]
    subprocess.run([*shell, "-mkdir", "-p", "/put"], env=environment, check=True)
    started = time.perf_counter()
    for file in files:
        subprocess.run([*shell, "-put", str(file), "/put/"], env=environment, check=True)
    return _row(len(files), time.perf_counter() - started)


def _row(files: int, seconds: float) -> dict[str, float]:
    return {
        "files": files,
        "seconds": round(seconds, 3),
        "files_a_second": round(files / seconds, 2),
    }


def _lake(stack: Stack, number: int) -> Lake:
    settings = stack.settings.lake
    return open_lake(f"{settings.root}-{number}", settings.webhdfs, settings.user)


def _crawl_home(folder: Path, count: int) -> Path:
    """A folder as a crawl of `count` titles leaves it, with a few refused pages."""
    folder.mkdir()
    rng = random.Random(1)
    records = [title_record("next_data_v2", **made_up(number)) for number in range(count)]
    for record in records:
        record["gross_area"] = "world"
    write_lines(folder / "titles-00001.jsonl.gz", records)
    page = base64.b64encode(rng.randbytes(PAGE)).decode()
    write_lines(folder / "refused-00001.jsonl.gz", [{"reason": "odd", "page": page}] * REFUSED)
    counts = {"titles": count, "refused": REFUSED, "fetched": count + REFUSED, "site": "http://s"}
    (folder / "report.json").write_text(json.dumps(counts))
    return folder
