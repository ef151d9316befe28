"""A drill goes on where it was interrupted, and fails where one of its rounds did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.rounds import Drill, Figures, run_drill, table


def drill_of(seen: list[tuple[int, int]], fails_at: int = -1, breaks_at: int = -1) -> Drill:
    def run(seed: int, count: int, folder: Path) -> Figures:
        if len(seen) == breaks_at:
            raise KeyboardInterrupt
        seen.append((seed, count))
        return {"pages": count, "failures": int(len(seen) == fails_at)}

    return Drill("nothing breaks", count=25, a_round=10, run=run)


def test_an_interrupted_drill_goes_on_and_adds_up(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        run_drill("d", drill_of(seen, breaks_at=1), 7, 25, tmp_path)
    with (tmp_path / "d-7-25" / "rounds.jsonl").open("a") as stream:
        stream.write('{"pages": 9')  # killed while it wrote
    total = run_drill("d", drill_of(seen), 7, 25, tmp_path)
    assert total == {"resumed": 1, "pages": 25, "failures": 0}
    assert [count for _, count in seen] == [10, 10, 5]
    assert len({seed for seed, _ in seen}) == 3
    assert run_drill("d", drill_of(seen), 7, 25, tmp_path)["resumed"] == 3
    assert len(seen) == 3
    run_drill("d", drill_of(seen), 8, 25, tmp_path)  # another seed is another drill
    assert len(seen) == 6


def test_one_failure_in_any_round_is_the_drills(tmp_path: Path) -> None:
    drill = drill_of([], fails_at=2)
    rows = {"d": run_drill("d", drill, 1, 25, tmp_path)}
    assert rows["d"]["failures"] == 1
    assert "FAILED" in table(rows, {"d": drill})
