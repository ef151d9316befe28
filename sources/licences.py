"""What may be done with each source of titles, told before its first use."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from marquee.digest import digest_bytes
from marquee.errors import SourceError
from marquee.lake import Lake

NOTES = Path(__file__).with_name("title_sources.toml")


def licence_note(source: str) -> str:
    """What may be done with a source, to be shown before its first use."""
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
    if source not in notes:
        raise SourceError(
            f"no source is called '{source}'", f"choose of {', '.join(sorted(notes))}"
        )
    return f"{notes[source]['name']}: {notes[source]['terms']}"


def unseen_notes(lake: Lake, sources: Iterable[str]) -> list[str]:
    """Notes that nobody was shown in this lake yet; from now on they were.

    Terms that change are another note, shown again.
    """
    unseen = []
    for source in sources:
        note = licence_note(source)
        path = f"notices/{source}-{digest_bytes(note.encode())[:12]}.txt"
        if not lake.exists(path):
            unseen.append(note)
            lake.create(path, f"{note}\n".encode())
    return unseen
