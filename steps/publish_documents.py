"""publish_documents: the champions' answers as documents, in a process of its own.

The process is `python -m documents`, because it loads what serving loads. Its flags and its
exit status are the interface. A CouchDB that is away costs the run nothing: the note says what is
owed, and the next run or `marquee documents publish` delivers it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import count

from marquee.artefacts.document import dig
from marquee.errors import AWAY, BAD_INPUT, AwayError, ConflictError, MarqueeError, SourceError
from marquee.lake import Lake
from marquee.run_folder import json_at
from steps.child_process import run_child
from steps.run import Run


def publish_documents(run: Run, credentials: Mapping[str, str], may_retry: bool) -> str:
    """Publish, and note the outcome in the run's folder; returns the note.

    `credentials` are variables that a connection gives, added to this process's own. Raises
    AwayError where CouchDB is away and `may_retry`; without, the note says that documents are owed.
    Raises SourceError, also noted, where a retry does not help: a wrong password, a changed
    document.
    """
    try:
        note = _published(run, credentials)
    except AwayError as error:
        if may_retry:
            raise
        note = f"owed: {error}"
    except MarqueeError as error:
        write_note(run, f"not published: {error}")
        raise
    write_note(run, note)
    print(f"documents: {note}", flush=True)
    return note


def _published(run: Run, credentials: Mapping[str, str]) -> str:
    """The last line of a publication that went well; AwayError or SourceError for another."""
    status, lines = run_child("documents", publish_command(run), credentials)
    last = lines[-1] if lines else ""
    said = next((line for line in reversed(lines) if line.startswith("error: ")), last)
    if status == 0:
        return last
    if status == BAD_INPUT:
        raise SourceError(said.removeprefix("error: "))
    if status == AWAY:
        raise AwayError(said.removeprefix("error: "))
    raise AwayError(f"the publication ended with status {status}: {said[:300]}")


def publish_command(run: Run) -> list[str]:
    """The command line; a golden file of the tests holds it."""
    lake = run.settings.lake
    flags = ["--lake", run.lake.root, "--webhdfs", lake.webhdfs, "--user", lake.user]
    return [sys.executable, "-m", "documents", *flags]


def write_note(run: Run, sentence: str) -> None:
    """Add a note to the run; `read_note` reads the last one. A cleared task writes another."""
    if read_note(run.lake, run.id) == sentence:
        return
    for number in count(1):
        try:
            run.lake.create_json(_path(run.id, number), {"documents": sentence})
        except ConflictError:
            continue
        return


def read_note(lake: Lake, run: str) -> str:
    """The last note on documents; empty for a run without any."""
    names = set(lake.names(f"runs/{run}"))
    last = ""
    for number in count(1):
        path = _path(run, number)
        if path.rpartition("/")[2] not in names:
            return last
        last = str(dig(json_at(lake, path), "documents") or "")
    return last


def _path(run: str, number: int) -> str:
    return f"runs/{run}/documents{f'-{number}' if number > 1 else ''}.json"
