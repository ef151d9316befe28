"""The documents `current` and `about:<generation>`: three compare-and-swaps by their revisions.

- `move`: the pointer `current` names the generation that people read. It moves last, and only
  forward along the ledgers; a roll-back is an entry with a higher number.
- `claim` and `finish`: `about` names the entries for which a generation is published, and its
  counts once it is whole.
- `clear`: who removes a generation marks its `about` first, so that nobody publishes what somebody
  is removing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from documents.couch import Couch, Document
from marquee.addresses import shown
from marquee.clock import iso
from marquee.errors import AwayError, DocumentConflictError, MarqueeError, SourceError
from marquee.host_checks import Finding
from marquee.settings import Settings

if TYPE_CHECKING:
    from documents.generation import Pair  # it loads what serving loads

POINTER, ABOUT = "current", "about"
FORMAT = 1
SECONDS_TO_CHECK = 10.0
"""How long the doctor waits for an answer."""


def check_couchdb(settings: Settings) -> Iterator[Finding]:
    """Whether the CouchDB of `[documents]` answers, and the database is ours or free.

    Nothing where none is named; nothing is written.
    """
    if not settings.documents.is_on:
        return
    name, where = "CouchDB", shown(settings.documents.url)
    with Couch(settings.documents, SECONDS_TO_CHECK) as couch:
        try:
            yield Finding(name, True, f"{where} is version {couch.require_version()}")
            name, pointer = "documents", read_pointer(couch)
            require_world(couch, pointer, settings.world)
        except MarqueeError as error:
            yield Finding(name, False, error.message, error.remedy)
            return
    holds = f"holds documents of the world '{settings.world}'" if pointer else "is free"
    yield Finding(name, True, f"{couch.where} {holds}")


def read_pointer(couch: Couch) -> Document | None:
    """The pointer, None where there is none yet; SourceError where it is none of ours."""
    return _read_own(couch, POINTER)


def read_about(couch: Couch, generation: str) -> Document | None:
    """What the database says about a generation; None and SourceError as for the pointer."""
    return _read_own(couch, f"{ABOUT}:{generation}")


def _read_own(couch: Couch, name: str) -> Document | None:
    document = couch.get(name)
    if document is None or _is_ours(document):
        return document
    raise SourceError(
        f"{couch.where}/{name} is no document of Marquee, or of a later release",
        "delete it, or name another database: MARQUEE_DOCUMENTS__DATABASE",
    )


def _is_ours(document: Mapping[str, Any]) -> bool:
    """Whether all is there that a publication reads."""
    entries, generation = document.get("entries"), document.get("generation")
    counts = document.get("counts") or {}
    if document["_id"] == POINTER:
        has_own = isinstance(document.get("generations"), list) and "world" in document
    else:
        has_own = document["_id"] == f"{ABOUT}:{generation}" and (
            isinstance(counts, Mapping) and all(type(one) is int for one in counts.values())
        )
    return (
        has_own
        and isinstance(generation, str)
        and document.get("format") == FORMAT
        and isinstance(document.get("as_of"), Mapping)
        and isinstance(entries, Mapping)
        and all(
            isinstance(one, Mapping) and type(one.get("number")) is int and "digest" in one
            for one in entries.values()
        )
    )


def require_world(couch: Couch, pointer: Document | None, world: str) -> None:
    """Raise SourceError where the database holds the documents of another world."""
    if pointer and pointer.get("world") != world:
        raise SourceError(
            f"{couch.where} holds documents of the world '{str(pointer.get('world'))[:60]}', and "
            f"the lake holds '{world}'",
            "name another database: MARQUEE_DOCUMENTS__DATABASE",
        )


def is_ahead(document: Mapping[str, Any], pair: Pair) -> bool:
    """Whether a pointer or an `about` is of later entries than `pair`.

    Raises AwayError where one model's is later and the other's is earlier: the ledgers were read
    at two moments. Raises SourceError where it follows another ledger.
    """
    theirs, ours = document["entries"], pair.numbers
    for model in theirs.keys() & ours.keys():
        same = theirs[model]["number"] == ours[model]["number"]
        if same and theirs[model]["digest"] != ours[model]["digest"]:
            raise SourceError(
                f"the documents are of another {model}'s ledger: its entry "
                f"{ours[model]['number']} differs",
                "name another database, or remove its document 'current'",
            )
    numbers = _numbers(theirs, ours)
    later = any(their > our for their, our in numbers)
    if later and any(their < our for their, our in numbers):
        raise AwayError("both ledgers moved while they were read", "publish again")
    return later


def move(couch: Couch, pair: Pair, generation: str, world: str) -> bool:
    """Move the pointer to the generation; False where a newer one is current by now."""
    while True:
        pointer = read_pointer(couch)
        require_world(couch, pointer, world)
        if pointer and is_ahead(pointer, pair):
            return False
        before = [g for g in (pointer or {}).get("generations", []) if g != generation]
        wanted: Document = {
            "_id": POINTER,
            "kind": "pointer",
            "format": FORMAT,
            "world": world,
            "generation": generation,
            "generations": [generation, *before][: couch.settings.keep],
            "entries": pair.numbers,
            "as_of": {model: iso(entry.as_of) for model, entry in pair.by_model.items()},
        }
        if pointer:
            wanted["_rev"] = pointer["_rev"]
        if pointer == wanted:
            return True
        try:
            couch.put(wanted)
        except DocumentConflictError:
            continue  # another publisher moved it: look again who is ahead
        return True


def claim(couch: Couch, pair: Pair, generation: str) -> Document:
    """The generation's `about` for this pair, with its revision.

    A generation that somebody has begun to remove is removed to its end first: its old revisions
    then differ from those that are written anew.
    """
    name = f"{ABOUT}:{generation}"
    found = read_about(couch, generation)
    if found and found.get("going"):
        found = {"_rev": _or_away(name, clear, couch, found)}
    elif found and (found["entries"] == pair.numbers or is_ahead(found, pair)):
        return found
    about: Document = {
        "_id": name,
        "kind": ABOUT,
        "generation": generation,
        "format": FORMAT,
        "entries": pair.numbers,
        "bundles": {model: entry.bundle for model, entry in pair.by_model.items()},
        "as_of": {model: iso(entry.as_of) for model, entry in pair.by_model.items()},
        "top_n": couch.settings.top_n,
        "counts": (found or {}).get("counts"),
    }
    if found:
        about["_rev"] = found["_rev"]
    return about | {"_rev": _or_away(name, couch.put, about)}


def finish(couch: Couch, about: Document, counts: Mapping[str, int]) -> None:
    """Say in `about` that the generation is whole; AwayError where somebody else has changed it.

    Another publisher of the same generation may have said so first.
    """
    if about.get("counts") == counts:
        current = couch.get(about["_id"])
        if current and current["_rev"] == about["_rev"]:
            return
    try:
        couch.put(about | {"counts": counts})
    except DocumentConflictError:
        found = couch.get(about["_id"])
        if not found or found.get("going") or found.get("counts") != counts:
            raise _meanwhile(about["_id"]) from None


def remove_old(couch: Couch) -> int:
    """Remove the generations that the pointer does not keep; returns how many documents went.

    A generation for later entries than the pointer's, or for the same, is being published.
    """
    pointer = read_pointer(couch)
    removed = 0
    for about in abouts(couch) if pointer else ():
        assert pointer is not None
        if about["generation"] in pointer["generations"] or not _is_past(about, pointer):
            continue
        try:
            revision = clear(couch, about)
            removed += couch.delete([(about["_id"], revision)])
        except DocumentConflictError:
            continue  # somebody publishes it anew, or removes it
    return removed


def clear(couch: Couch, about: Document) -> str:
    """Mark a generation as going and delete its documents; returns the revision of the mark.

    Each page is listed, then the mark is looked at, then the listed revisions are deleted. Who
    publishes the generation anew takes the mark first, and then writes other revisions. Raises
    DocumentConflictError where somebody has the mark.
    """
    mark = about | {"going": uuid.uuid4().hex}
    revision = couch.put(mark)
    left = True
    while left:  # what was changed between its listing and its deletion is listed again
        left = False
        for page in couch.rows(about["generation"]):
            left = True
            latest = couch.get(about["_id"])
            if not latest or latest["_rev"] != revision:
                raise DocumentConflictError(f"{couch.where}/{about['_id']} was changed meanwhile")
            couch.delete(page)
    return revision


def abouts(couch: Couch) -> Iterator[Document]:
    """What the database says about each generation in it; documents of others are left alone."""
    for page in couch.rows(ABOUT):
        found = couch.several([name for name, _ in page]).values()
        yield from (one for one in found if _is_ours(one))


def is_whole(couch: Couch, about: Document | None) -> bool:
    """Whether the database holds as many documents of a generation as its `about` counts."""
    counts = (about or {}).get("counts")
    if not about or not counts or about.get("going"):
        return False
    return couch.count(about["generation"]) == int(sum(counts.values()))


def _numbers(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The numbers of each model's two entries; 0 where there is none."""
    none = {"number": 0}
    return [(one.get(m, none)["number"], other.get(m, none)["number"]) for m in {**one, **other}]


def _is_past(about: Mapping[str, Any], pointer: Mapping[str, Any]) -> bool:
    """Whether the entries of `about` are earlier than the pointer's, and none is later."""
    theirs, current = about["entries"], pointer["entries"]
    number = {m: (theirs.get(m, {}).get("number", 0), current.get(m, {}).get("number", 0))
              for m in theirs.keys() | current.keys()}  # fmt: skip
    return theirs != current and all(one <= other for one, other in number.values())


def _or_away(name: str, call: Callable[..., str], *arguments: Any) -> str:
    """The result of a call that takes the mark of a generation; AwayError where somebody has it."""
    try:
        return call(*arguments)
    except DocumentConflictError:
        raise _meanwhile(name) from None


def _meanwhile(name: str) -> AwayError:
    return AwayError(f"another publisher has changed {name} meanwhile", "publish again")
