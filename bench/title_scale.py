"""`prepare_titles` on a snapshot as large as IMDb's whole dataset: seconds and memory over titles.

    python -m bench.title_scale [--rows 1000000,3200000,10000000] [--log FILE.jsonl]

The titles are those of `bench.title_dump` (made up, IMDb's TSV form), joined to records as the
loader writes them: a million lines in four files. One film in fifty states a budget, one line in a
thousand is torn, one title in a hundred names its director without an id. The release lists 87,585
of them. The job runs as the DAG runs it; memory is that of its whole process tree (driver's JVM,
Python), and its share of Python and JVM is what the job itself states.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.made_up_ratings import write_release
from bench.scale import append, read, sentence
from bench.scale_table import exponent, table
from bench.scale_tasks import RUN, Figures, Limits, run_task, surroundings
from bench.title_dump import FILES
from cli.terminal import unwind_on_signals
from marquee.lake import open_lake

LISTED = 87_585
RATINGS = 20_000
LINES_A_FILE = 250_000
LOADED = "2025-12-01T00:00:00Z"
SNAPSHOT = "raw/titles/as_of=20251201T000000Z/run=bench"
TASK = "prepare_titles"


def main() -> int:
    """Measure every number of titles; 1 where the job failed or was stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000000,3200000,10000000")
    parser.add_argument("--driver-memory", default="900m", help="of the JVM")
    parser.add_argument("--limit-mb", type=float, default=5120)
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--log", type=Path, help="results, one line a size; read and appended to")
    options = parser.parse_args()
    unwind_on_signals()
    sizes = sorted(map(int, options.rows.split(",")))
    found = {one.rows: one for one in read(options.log) if one.rows in sizes}
    for rows in (rows for rows in sizes if rows not in found):
        with tempfile.TemporaryDirectory(prefix="marquee-titles-", dir=options.folder) as work:
            limits = Limits(options.limit_mb)
            found[rows] = measure(Path(work), rows, options.driver_memory, limits)
        append(options.log, found[rows])
        print(sentence(found[rows]), flush=True)
    print(table(list(found.values())))
    good = {rows: one.cpu_seconds for rows, one in found.items() if not one.status}
    if len(good) > 1:
        print(f"exponent of CPU seconds over titles: {exponent(good):.2f}")
    return int(len(good) < len(found))


def measure(work: Path, rows: int, driver_memory: str, limits: Limits) -> Figures:
    """A lake with a snapshot of `rows` titles, and the job on it."""
    write_release(work / "release", RATINGS, seed=1)
    list_titles(work / "release", min(rows, LISTED))
    environment = os.environ | surroundings(work, driver_memory)
    publish_snapshot(work, rows)
    for step in ("load_ratings", "freeze_inputs"):
        figures = run_task(step, rows, work, environment, limits)
        if figures.status:
            return figures
    figures = run_task(TASK, rows, work, environment, limits)
    timings = work / f"lake/runs/{RUN}/timings/{TASK}.json"
    if not figures.status:
        figures.facts = {"peak_mb": json.loads(timings.read_text())["peak_mb"]}
        figures.facts |= facts_of_titles(work)
    return figures


def facts_of_titles(work: Path) -> dict[str, int]:
    """What the job counted."""
    manifest = work / f"lake/runs/{RUN}/prepared/titles/_manifest.json"
    facts = json.loads(manifest.read_text())["facts"]
    return {name: facts[name] for name in ("items", "items_refused", "titles", "usable")}


def list_titles(folder: Path, listed: int) -> None:
    """The release lists the first `listed` titles, whoever rated which."""
    with (folder / "movies.csv").open("w") as movies, (folder / "links.csv").open("w") as links:
        movies.write("movieId,title,genres\n")
        links.write("movieId,imdbId,tmdbId\n")
        for n in range(1, listed + 1):
            movies.write(f"{n},The Made-up Title {n} ({1930 + n % 95}),Drama|Comedy\n")
            links.write(f"{n},{n:07d},\n")


def publish_snapshot(work: Path, rows: int) -> None:
    """The snapshot of one load, in files of LINES_A_FILE."""
    folder = work / "snapshot"
    folder.mkdir()
    for number, first in enumerate(range(0, rows, LINES_A_FILE), 1):
        path = folder / f"titles-{number:05d}.jsonl.gz"
        with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as out:
            out.writelines(lines(first, min(first + LINES_A_FILE, rows)))
    lake = open_lake(f"file://{work / 'lake'}")
    facts = {"loaded_at": LOADED, "first_fetched": LOADED, "last_fetched": LOADED}
    lake.publish(folder, SNAPSHOT, rows=rows, last_release="2024", source="imdb_tsv", **facts)
    shutil.rmtree(folder)


def lines(first: int, end: int) -> Iterator[str]:
    """Records of the titles `first` to `end`, from the lines of the four made-up files."""
    basics, rated, crew, _ = (line for _, line in FILES.values())
    for n in range(first, end):
        key, kind, title, _, _, year, _, runtime, genres = basics(n).split("\t")
        key = f"tt{int(key[2:]):07d}"  # as links spell it
        _, rating, votes = rated(n).split("\t")
        _, directors, writers = crew(n).split("\t")
        if n % 1000 == 999:
            yield f'{{"title_id": "{key}", "title": "torn\n'
            continue
        people = [
            json.dumps({"name": f"Person {one}", "name_id": one}) for one in writers.split(",")
        ]
        director = f'"Person {directors}", "name_id": ' + (
            "null" if n % 100 == 7 else f'"{directors}"'
        )
        budget = f'{{"amount": {10**6 + n}, "confidence": 1.0, "currency": "USD"}}'
        words = ", ".join(f'"{word}"' for word in genres.split(","))
        yield (
            f'{{"title_id": "{key}", "title": "{title}", "type": "{kind}", "year": {year}, '
            f'"runtime": {runtime}, "genres": [{words}], "rating": {rating}, '
            f'"vote_count": {votes}, "directors": [{{"name": {director}}}], '
            f'"writers": [{", ".join(people)}], '
            f'"cast": [], "countries": ["US"], "languages": [], "companies": [], "keywords": [], '
            f'"budget": {budget if n % 50 == 0 else "null"}, "notes": [], "fetched_at": null}}\n'
        )


if __name__ == "__main__":
    sys.exit(main())
