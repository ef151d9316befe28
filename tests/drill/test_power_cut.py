"""The drill of the power cut can tell an early answer from one in time."""

from __future__ import annotations

from pathlib import Path

from local_stack.hdfs import write_hdfs_conf
from tests.drill.power_cut import judge
from tests.plugins.local_stack import stack_settings

IN_TIME = """\
7 1.01 write(5</d/rbw/blk_12>, "x", 1) = 1
7 1.02 write(6</d/rbw/blk_12_9.meta>, "x", 1 <unfinished ...>
8 1.03 write(3</n/edits_inprogress_1>, "x", 1) = 1
7 1.04 <... write resumed>) = 1
7 1.05 fsync(6</d/rbw/blk_12_9.meta>) = 0
7 1.06 fsync(5</d/rbw/blk_12>) = 0
7 1.07 rename("/d/rbw/blk_12", "/d/finalized/blk_12") = 0
7 1.08 fsync(9</d/finalized>) = 0
8 1.09 fdatasync(3</n/edits_inprogress_1>) = 0
7 1.10 write(4<socket:[1]>, "HTTP/1.1 201 Created\\r\\n"..., 99) = 99
"""


def without(words: str, text: str = IN_TIME) -> list[str]:
    return [line for line in text.splitlines() if words not in line]


def test_an_answer_in_time_is_no_finding() -> None:
    seen = judge(reversed(IN_TIME.splitlines()[:1] + IN_TIME.splitlines()[4:]))
    assert (seen.answers, seen.syncs, seen.open_at_answer) == (1, 4, [])
    assert judge(IN_TIME.splitlines()).open_at_answer == []


def test_every_sync_that_is_missing_is_a_finding() -> None:
    for left_out, what in (
        ("1.05", "blk_12_9.meta"),
        ("1.06", "/d/finalized/blk_12"),
        ("1.08", "'/d/finalized'"),
        ("1.09", "edits_inprogress_1"),
    ):
        (sentence,) = judge(without(f" {left_out} ")).open_at_answer
        assert what in sentence


def test_a_sync_that_failed_or_ended_after_the_answer_is_none() -> None:
    failed = IN_TIME.replace("9</d/finalized>) = 0", "9</d/finalized>) = -1 EIO (broken)")
    assert judge(failed.splitlines()).open_at_answer
    late = IN_TIME.replace(
        "3</n/edits_inprogress_1>) = 0", "3</n/edits_inprogress_1> <unfinished ...>"
    )
    assert judge([*late.splitlines(), "8 1.11 <... fdatasync resumed>) = 0"]).open_at_answer


def test_a_folder_lakes_names_count_too() -> None:
    linked = '7 1.01 linkat(AT_FDCWD</x>, "/l/lake/.staging/e", AT_FDCWD</x>, "/l/lake/e", 0) = 0'
    answer = '7 1.03 write(1<pipe:[3]>, "\\"answered 1\\"", 12) = 12'
    assert judge([linked, answer]).open_at_answer
    assert judge([linked, "7 1.02 fsync(3</l/lake>) = 0", answer]).open_at_answer == []


def test_the_datanode_is_told_to_sync(tmp_path: Path) -> None:
    write_hdfs_conf(stack_settings(tmp_path), tmp_path / "conf", tmp_path / "data")
    found = (tmp_path / "conf" / "hdfs-site.xml").read_text()
    assert "<name>dfs.datanode.synconclose</name><value>true</value>" in found
