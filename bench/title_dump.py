"""IMDb's datasets at full size, made up, through our reader: its memory's peak and its speed.

python bench/title_dump.py --rows 10000000 [--wanted 86537] [--json FILE]

Writes title.basics, title.ratings, title.crew and name.basics (gzipped, ids made up) into a
temporary folder, then reads them in a process of its own with `--wanted` title ids, as many as a
large ratings release links to. Bound: 1 GB at 10,000,000 rows a file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BOUND = 1_000_000_000
BLOCK = 20_000
FILES: dict[str, tuple[str, Callable[[int], str]]] = {
    "title.basics": (
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\t"
        "runtimeMinutes\tgenres",
        lambda n: (
            f"tt{n:08d}\tmovie\tThe Made-up Title {n}\tLe Titre {n}\t0\t{1930 + n % 95}\t\\N\t"
            f"{60 + n % 90}\tDrama,Comedy"
        ),
    ),
    "title.ratings": (
        "tconst\taverageRating\tnumVotes",
        lambda n: f"tt{n:08d}\t{1 + n % 90 / 10:.1f}\t{n % 5000}",
    ),
    "title.crew": (
        "tconst\tdirectors\twriters",
        lambda n: f"tt{n:08d}\tnm{n % 9_000_000:08d}\tnm{n * 7 % 9_000_000:08d},nm{n:08d}",
    ),
    "name.basics": (
        "nconst\tprimaryName\tbirthYear\tdeathYear\tprimaryProfession\tknownForTitles",
        lambda n: f"nm{n:08d}\tPerson Number {n}\t1950\t\\N\tdirector\ttt{n:08d}",
    ),
}


def main() -> int:
    """Make, read, print; 1 where the peak is over the bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--wanted", type=int, default=86_537)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read, options.rows, options.wanted)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            make(Path(folder), name, options.rows)
        found = in_own_process(Path(folder), options.rows, options.wanted)
    print(
        f"{found['rows']:,} rows in 4 files, {found['titles']:,} titles wanted: "
        f"peak {found['peak_bytes'] / 1e6:,.0f} MB, {found['rows_per_cpu_second']:,.0f} rows a CPU "
        "second"
    )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(found["peak_bytes"] > BOUND)


def make(folder: Path, name: str, rows: int) -> None:
    """One dataset of `rows` lines."""
    header, line = FILES[name]
    with gzip.open(folder / f"{name}.tsv.gz", "wb", compresslevel=1) as stream:
        stream.write(f"{header}\n".encode())
        for first in range(0, rows, BLOCK):
            numbers = range(first, min(first + BLOCK, rows))
            stream.write("".join(f"{line(n)}\n" for n in numbers).encode())


def in_own_process(folder: Path, rows: int, wanted: int) -> dict[str, float]:
    """What `read` finds in a fresh process, so that nothing else is in its memory."""
    flags = ["--read", str(folder), "--rows", str(rows), "--wanted", str(wanted)]
    done = subprocess.run(
        [sys.executable, __file__, *flags], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def read(folder: Path, rows: int, wanted: int) -> dict[str, float]:
    """Stream every record; how many, the process' peak of resident memory, rows a CPU second."""
    sys.path.insert(0, str(REPOSITORY))
    from sources.titles_imdb_tsv import read_imdb_tsv

    ids = {f"tt{n:08d}" for n in evenly(rows, wanted)}
    started = time.process_time()
    titles = sum(1 for _ in read_imdb_tsv(folder, ids))
    seconds = time.process_time() - started
    assert titles == len(ids), f"{titles} of {len(ids)} titles came back"
    return {
        "rows": 4 * rows,
        "titles": titles,
        "cpu_seconds": round(seconds, 1),
        "rows_per_cpu_second": round(4 * rows / seconds),
        "peak_bytes": peak(),
    }


def evenly(rows: int, wanted: int) -> Iterator[int]:
    step = max(1, rows // max(1, wanted))
    return iter(range(0, rows, step))


def peak() -> int:
    """VmHWM of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    sys.exit(main())
