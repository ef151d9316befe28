"""From when a line of feedback counts, and what a segment holds for that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.clock import OFFSET, seconds
from marquee.dataset_contracts import FEEDBACK
from marquee.lake import Lake, open_lake
from sources.feedback_in_lake import publish_feedback
from sources.feedback_lines import FIRST_TRUSTED_TIME, Feedback, ascending_times, effective_times
from sources.feedback_segments import append_feedback

T = 1_750_000_000
AHEAD = T + 300_000_000
times = st.one_of(st.integers(0, 10**6), st.integers(T, T + 1000), st.integers(AHEAD, AHEAD + 9))


@pytest.mark.parametrize(
    ("stamps", "after", "wanted"),
    [
        ([T, T + 5], None, [T, T + 5]),
        ([T + 5, T], None, [T + 5, T + 5]),  # stepped back
        ([AHEAD, T + 7], None, [T + 7, T + 7]),  # ahead, then set right
        ([T, AHEAD], None, [T, T + 99]),  # ahead until the sealing
        ([T, 60, 70], None, [T, T, T]),  # started in 1970
        ([60, T + 3], None, [T + 3, T + 3]),
        ([60, T + 3], T + 1, [T + 1, T + 3]),
        ([60, 70], None, [60, 70]),  # no other line bounds it
        ([AHEAD, 60, T + 8], T, [T + 8, T + 8, T + 8]),
        ([T], AHEAD, [T]),  # the line before was sealed by a clock that was ahead
        ([], T, []),
    ],
)
def test_a_line_counts_between_the_one_before_and_the_sealing(
    stamps: list[int], after: int | None, wanted: list[int]
) -> None:
    assert effective_times(stamps, T + 99, after) == wanted


def test_a_sealing_of_a_clock_that_was_not_set_bounds_nothing() -> None:
    assert effective_times([T, T + 5], 100) == [T, T + 5]


@given(st.lists(times, min_size=1), st.integers(T, T + 2000), st.none() | times)
def test_times_ascend_and_no_good_clock_is_overruled(
    stamps: list[int], sealed: int, after: int | None
) -> None:
    found = effective_times(stamps, sealed, after)
    assert len(found) == len(stamps) and found == sorted(found)
    assert max(found) <= sealed
    right = sorted(t for t in stamps if FIRST_TRUSTED_TIME <= t <= sealed)
    before = after is None or after < T
    if right == stamps and before:
        assert found == stamps


@given(st.lists(times))
def test_a_later_line_proves_an_earlier_ones_time(stamps: list[int]) -> None:
    found = ascending_times(stamps)
    assert found == sorted(found)
    for place, stamp in enumerate(stamps):
        if stamp >= FIRST_TRUSTED_TIME:
            assert max(found[: place + 1]) <= stamp


def test_segments_number_their_lines_and_keep_when_they_were_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake((tmp_path / "lake").as_uri())
    lake.create_json("world.json", {"drill": True})
    folder, machine = tmp_path / "feedback", seconds()

    def publish(at: int) -> list[str]:
        monkeypatch.setenv(OFFSET, str(at + 0.5 - machine))
        return publish_feedback(lake, folder, "pi")

    append_feedback(folder, "pi", [line(T + 9), line(AHEAD)])
    first = publish(T + 50)
    append_feedback(folder, "pi", [line(30)])
    with (folder / "pi-000002.open.jsonl").open("ab") as torn:
        torn.write(b'{"person": "p-x", "mov')
    append_feedback(folder, "pi", [line(T + 60)])
    both = publish(T + 90)
    assert both[:1] == first and len(both) == 2
    assert publish(T + 10_000) == both, "the sealing is kept, so publishing again changes nothing"
    assert lake.names("raw/feedback") == [path.rsplit("/", 1)[1] for path in both]
    rows = [row for path in both for row in published(lake, path)]
    assert [FEEDBACK.differences(row) for row in rows] == [[]] * 4
    assert [row["time"] for row in rows] == [T + 9, AHEAD, 30, T + 60]
    assert [row["effective_time"] for row in rows] == [T + 9, T + 50, T + 50, T + 60]
    numbers = [row["seq"] for row in rows]
    assert [n - numbers[0] for n in numbers] == [0, 1, 2, 3]
    facts = [lake.manifest(path).facts for path in both]
    assert [f["last_time"] for f in facts] == [T + 50, T + 60]
    assert [f["sealed_at"] for f in facts] == [T + 50, T + 90]
    assert [f["torn_lines"] for f in facts] == [0, 1]


def test_a_folder_that_was_lost_goes_on_after_the_old_one(tmp_path: Path) -> None:
    lake, numbers = open_lake((tmp_path / "lake").as_uri()), []
    for folder in ("old", "new"):
        append_feedback(tmp_path / folder, "pi", [line(T)] * 3)
        (path,) = publish_feedback(lake, tmp_path / folder, "pi")
        numbers += [row["seq"] for row in published(lake, path)]
    assert numbers == sorted(set(numbers)) and len(numbers) == 6


def line(time: int) -> Feedback:
    return Feedback("p-ada", 1, 4.0, time)


def published(lake: Lake, path: str) -> list[dict[str, int]]:
    return [json.loads(row) for row in lake.read_bytes(f"{path}/feedback.jsonl").splitlines()]
