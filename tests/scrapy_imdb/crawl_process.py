"""The crawl's command in a process of its own that need not import Scrapy first.

A fork server imports once; each crawl is a fork of it, as real as any process (it can be killed
at any moment), and starts within milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from scrapy_imdb.__main__ import main

LATE = (
    "crawl_process",
    "scrapy.core.downloader.handlers.http11",
    "scrapy.core.scheduler",
    "scrapy.crawler",
    "scrapy.extensions.throttle",
    "scrapy_imdb.crawl_run",
    "scrapy_imdb.spider",
)
"""What a crawl imports, some of it late; the fork server has it before the first fork."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LATE))


@dataclass(frozen=True)
class Done:
    """How a crawl's process ended."""

    returncode: int
    stdout: str
    stderr: str


def start(arguments: list[str], output: Path, limit: int = 0) -> ForkServerProcess:
    """A running crawl; its output goes to `output`.out and `output`.err.

    No file of it grows beyond `limit` bytes, if that is given.
    """
    process = _context.Process(target=_work, args=(arguments, str(output), limit))
    process.start()
    return process


def run(arguments: list[str], limit: int = 0) -> Done:
    """A crawl from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "crawl")
        process = start(arguments, output, limit)
        process.join(120)
        assert process.exitcode is not None, "the crawl did not end"
        text = [output.with_suffix(end).read_text() for end in (".out", ".err")]
        return Done(process.exitcode, *text)


def _work(arguments: list[str], output: str, limit: int) -> None:
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for descriptor, end in ((1, ".out"), (2, ".err")):
        target = os.open(output + end, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(target, descriptor)
    sys.exit(main(arguments))
