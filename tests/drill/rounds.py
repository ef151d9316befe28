"""A drill is a number of rounds, each with a seed of its own; rounds done are kept on disk.

The same drill with the same seed and count, started again, goes on after its last whole round. A
`NamedDrill` is made of parts with names, and keeps a log of them itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = dict[str, int]
"""What one round counted; `failures` is among them, and every count may be added up."""


@dataclass(frozen=True)
class Drill:
    """One drill: what it shows, how much of it is enough, and one round of it."""

    shows: str
    count: int
    """How many kills, pages … where nobody says otherwise."""
    a_round: int
    """How many of them are one round."""
    run: Callable[[int, int, Path], Figures]
    """A round: its seed, how many, and a folder for what should be looked at after."""


@dataclass(frozen=True)
class NamedDrill:
    """A drill of parts with names: what it shows, the parts in their order, and how to run some."""

    shows: str
    parts: tuple[str, ...]
    run: Callable[[int, Sequence[str], Path], Figures]
    """The seed, the parts that are wanted, and a folder that they keep for the next time."""


def run_drill(name: str, drill: Drill, seed: int, count: int, folder: Path) -> Figures:
    """Run the rounds that are not done yet; the sum of all, with `rounds` and `resumed`."""
    folder = folder / f"{name}-{seed}-{count}"
    folder.mkdir(parents=True, exist_ok=True)
    done = _read(folder / "rounds.jsonl")
    total: Counter[str] = Counter(resumed=len(done))
    for figures in done:
        total.update(figures)
    for number in range(len(done), -(-count // drill.a_round)):
        size = min(drill.a_round, count - number * drill.a_round)
        figures = drill.run(seed * 1_000_003 + number, size, folder)
        with (folder / "rounds.jsonl").open("a") as stream:
            stream.write(json.dumps(figures) + "\n")
        total.update(figures)
        print(f"{name}: round {number + 1}: {figures}", flush=True)
    return dict(total)


def table(rows: Mapping[str, Figures], drills: Mapping[str, Drill | NamedDrill]) -> str:
    """One line a drill: its verdict first, then what it counted."""
    lines = [f"{'drill':<12} {'verdict':<8} figures"]
    for name, figures in rows.items():
        verdict = "FAILED" if figures["failures"] else "holds"
        counts = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in figures.items())
        lines += [f"{name:<12} {verdict:<8} {counts}", f"{'':<21} shows: {drills[name].shows}"]
    return "\n".join(lines)


def _read(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: a drill that was killed may have left half of one."""
    if not path.is_file():
        return []
    whole = path.read_text().rpartition("\n")[0]
    path.write_text(whole + "\n" if whole else "")
    return [json.loads(line) for line in whole.splitlines()]
