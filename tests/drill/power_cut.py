"""What a lake answered for is on the disk: seen in the system calls of those who answer.

A kill cannot show it, for the system keeps what a dead process wrote. So strace watches NameNode
and DataNode while entries and folders are published, and a process with a lake in a folder: at
each answer nothing may be open that was written or named and not synced.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.stack import Stack
from marquee.lake import open_lake
from tests.drill.rounds import Drill, Figures
from tests.plugins.local_stack import HDFS, stack_settings

STRACE = ("strace", "-f", "-y", "-ttt", "-s", "64", "-e")
CALLS = (
    "trace=write,pwrite64,writev,sendto,fsync,fdatasync,link,linkat,rename,renameat,renameat2,mkdir"
)
KEPT = re.compile(r"blk_\d|edits_inprogress|/lake(/|$)")
"""Files a promise is made of: blocks and their checksums, the edit log, a folder's own."""
ANSWER = re.compile(r"HTTP/1\.1 20[01]|answered ")


@dataclass
class Seen:
    """What a trace showed."""

    answers: int = 0
    syncs: int = 0
    open_at_answer: list[str] = field(default_factory=list)
    """One sentence for each answer that came too early."""


def judge(lines: Iterable[str]) -> Seen:
    """Read traces, merged and in order of time: what was open when each answer left?"""
    seen, waiting = Seen(), set[str]()
    for _, name, arguments in sorted(_calls(lines)):
        paths = re.findall(r'<(/[^>]*)>|"(/[^"]*)"', arguments)
        here = [one or other for one, other in paths if KEPT.search(one or other)]
        if name in ("fsync", "fdatasync"):
            seen.syncs += bool(here) or bool(waiting & {one for one, _ in paths})
            waiting -= {one for one, _ in paths}
        elif name.startswith(("link", "rename")) and len(here) == 2:
            source, target = here
            if source in waiting:
                waiting.add(target)
            waiting.discard(source)
            waiting.add(str(Path(target).parent))
        elif name == "mkdir" and here:
            waiting.add(str(Path(here[0]).parent))
        elif ANSWER.search(arguments):
            seen.answers += 1
            if waiting:
                seen.open_at_answer.append(f"an answer left before {sorted(waiting)} were synced")
        elif here and "write" in name:
            waiting.add(here[0])
    return seen


def _calls(lines: Iterable[str]) -> Iterator[tuple[float, str, str]]:
    """`(moment, call, arguments)`; one that was interrupted in the trace counts from its start,
    and a sync from its end: it promises nothing before."""
    begun: dict[str, tuple[float, str, str]] = {}
    for line in lines:
        if found := re.match(r"(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>", line):
            thread, moment, name = found.groups()
            start = begun.pop(thread, None)
            if start and " = -1 " not in line:
                yield (float(moment) if "sync" in name else start[0], *start[1:])
        elif found := re.match(r"(\d+) +(\d+\.\d+) (\w+)\((.*)", line):
            thread, moment, name, arguments = found.groups()
            if "<unfinished ...>" in arguments:
                begun[thread] = (float(moment), name, arguments)
            elif " = -1 " not in arguments:
                yield float(moment), name, arguments


def run(seed: int, count: int, folder: Path) -> Figures:
    """Publish `count` entries and folders on either root under strace; too early answers fail."""
    if shutil.which("strace") is None:
        print("power_cut: strace is not installed, and nothing was shown: apt install strace")
        return {"without_strace": 1, "failures": 1}
    with tempfile.TemporaryDirectory() as scratch:
        on_hdfs = _hdfs(Path(scratch), count, folder)
        in_folder = _folder(Path(scratch), count, folder)
    too_early = on_hdfs.open_at_answer + in_folder.open_at_answer
    for sentence in too_early[:10]:
        print(sentence)
    blind = [seen for seen in (on_hdfs, in_folder) if seen.answers < count or seen.syncs < count]
    return {
        "answers_of_hdfs": on_hdfs.answers,
        "syncs_of_hdfs": on_hdfs.syncs,
        "answers_of_folder": in_folder.answers,
        "syncs_of_folder": in_folder.syncs,
        "failures": len(too_early) + len(blind),
    }


def _hdfs(scratch: Path, count: int, folder: Path) -> Seen:
    stack = Stack(stack_settings(scratch / "hdfs"))
    stack.processes = {name: stack.processes[name] for name in HDFS}
    try:
        list(stack.up())
        with _watched(stack.pids(), folder):
            _publish(stack.settings.lake.root, stack.settings.lake.webhdfs, count)
    finally:
        stack.down()
    return judge(_lines(folder.glob("daemon-*.trace")))


def _folder(scratch: Path, count: int, folder: Path) -> Seen:
    trace = folder / "folder.trace"
    code = "from tests.drill.power_cut import _publish; import sys; "
    code += "_publish(sys.argv[1], '', int(sys.argv[2]))"
    command = [sys.executable, "-c", code, f"file://{scratch}/lake", str(count)]
    subprocess.run([*STRACE, CALLS, "-o", str(trace), *command], check=True)
    return judge(_lines([trace]))


def _publish(root: str, webhdfs: str, count: int) -> None:
    """Entries and folders, each acknowledged in one line on standard output."""
    lake = open_lake(root, webhdfs)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "below").mkdir()
        for number in range(count):
            (Path(scratch) / "below" / "part").write_bytes(str(number).encode() * 1000)
            lake.publish(Path(scratch), f"serving/m/bundles/{number}")
            lake.create_json(f"serving/m/ledger/{number:06d}.json", {"number": number})
            print(json.dumps(f"answered {number}"), flush=True)


@contextmanager
def _watched(pids: list[int], folder: Path) -> Iterator[None]:
    watchers = [
        subprocess.Popen(
            [*STRACE, CALLS, "-p", str(pid), "-o", str(folder / f"daemon-{n}.trace")],
            stderr=subprocess.DEVNULL,
        )
        for n, pid in enumerate(pids)
    ]
    try:
        for pid, watcher in zip(pids, watchers, strict=True):
            while not _is_watched(pid) and watcher.poll() is None:
                time.sleep(0.1)
        yield
    finally:
        for watcher in watchers:
            watcher.send_signal(signal.SIGINT)
            watcher.wait()


def _is_watched(pid: int) -> bool:
    """Whether every thread of the process is traced."""
    found = [p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/status")]
    return all(re.search(r"TracerPid:\t[1-9]", text) for text in found)


def _lines(traces: Iterable[Path]) -> list[str]:
    return [line for path in traces for line in path.read_text(errors="replace").splitlines()]


POWER_CUT = Drill(
    "what a lake answered for was on the disk before it answered",
    count=20,
    a_round=20,
    run=run,
)
