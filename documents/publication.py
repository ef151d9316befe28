"""Publish a generation: write its documents, move the pointer, remove the generations before.

`documents.pointer` makes that safe beside other publishers. A document that is there already is
compared: equal content is success, so a killed publication is repeated, and two publishers of one
generation help each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from documents.couch import Couch, Document
from documents.generation import Pair, answering, documents_of, read_pair
from documents.pointer import (
    abouts,
    claim,
    finish,
    is_ahead,
    is_whole,
    move,
    read_about,
    read_pointer,
    remove_old,
    require_world,
)
from documents.sample_check import differences
from marquee.errors import AwayError, DocumentConflictError, NotFoundError
from marquee.lake import Lake, read_world

Say = Callable[[str], None]
OWED = "owed: "
"""How the last line of a status begins where the champions are not published."""


@dataclass
class Published:
    """What a publication has done."""

    generation: str
    sentence: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    """Documents by kind."""
    written: int = 0
    found: int = 0
    """Documents that were there already, with the same content."""
    removed: int = 0
    revisions: dict[str, str] = field(default_factory=dict)
    """By id, what was written, or there and equal; "" for what was gone by then."""


def publish(lake: Lake, couch: Couch, say: Say = print, replace: bool = False) -> Published:
    """Publish the answers of the champions of both ledgers, and move the pointer to them.

    `replace` overwrites documents that somebody else has changed; without it they raise
    DocumentConflictError, and the pointer stays. Raises AwayError where CouchDB or the lake is
    away: the next call goes on. Raises SourceError where the database belongs to another world.
    """
    settings, pair = couch.settings, read_pair(lake)
    generation = pair.name(settings.top_n)
    found = read_world(lake)
    world = found.name if found else ""
    couch.open()
    done = Published(generation)
    pointer = read_pointer(couch)
    require_world(couch, pointer, world)
    if pointer and is_ahead(pointer, pair):
        done.sentence = f"generation {pointer['generation']} is newer, and stays the current one"
        return done
    is_current = pointer is not None and pointer["generation"] == generation
    if is_current and not replace and is_whole(couch, read_about(couch, generation)):
        move(couch, pair, generation, world)  # the ledger may name the same bundles anew
        done.sentence = f"generation {generation} is current already: there is nothing to publish"
    else:
        write_generation(lake, couch, pair, done, say, replace)
        moved = move(couch, pair, generation, world)
        total = f"{done.counts.total():,} documents, {done.written:,} of them written now"
        done.sentence = f"generation {generation} is current: {total}"
        if not moved:
            done.sentence = f"a newer generation than {generation} is current, and stays so"
    done.removed = remove_old(couch)
    return done


def write_generation(
    lake: Lake, couch: Couch, pair: Pair, done: Published, say: Say, replace: bool
) -> None:
    """Write all documents, then count them, then say so in `about`."""
    about = claim(couch, pair, done.generation)
    with answering(lake, pair) as backend:
        every = documents_of(backend, done.generation, couch.settings.top_n)
        while batch := list(islice(every, couch.settings.batch)):
            write_batch(couch, batch, done, replace)
            say(f"{done.written + done.found:,} documents of {done.generation}")
    require_ours(couch, done)
    finish(couch, about, dict(done.counts))


def require_ours(couch: Couch, done: Published) -> None:
    """Raise AwayError where a document was changed or removed since it was written or compared, and
    DocumentConflictError where somebody has added one."""
    there = {name: rev for page in couch.rows(done.generation) for name, rev in page}
    ours = done.revisions
    what = f"{couch.where} holds {len(there):,} documents of {done.generation}, which has "
    if ours.keys() - there.keys():
        raise AwayError(f"{what}{len(ours):,}: somebody removes some", "publish again")
    if there.keys() - ours.keys():
        raise DocumentConflictError(
            f"{what}{len(ours):,}: somebody has added some",
            f"delete them; their ids begin {done.generation}:",
        )
    if changed := [name for name, revision in ours.items() if there[name] != revision]:
        what = f"{couch.where}/{min(changed)} was changed meanwhile"
        raise AwayError(what, "publish again: what differs is named")


def write_batch(couch: Couch, batch: Sequence[Document], done: Published, replace: bool) -> None:
    """Write documents; those that are there must be equal, or are overwritten with `replace`."""
    revisions = couch.write(batch)
    refused = [one["_id"] for one in batch if one["_id"] not in revisions]
    # One that is gone since was removed by somebody: the look at the end tells.
    found = couch.several(refused) if refused else {}
    revisions |= {name: str(found.get(name, {}).get("_rev", "")) for name in refused}
    if found:
        ours = {document["_id"]: document for document in batch}
        changed = {name for name in found if _differ(ours[name], found[name])}
        if changed and not replace:
            raise _changed(couch, found, sorted(changed))
        for name in sorted(changed):
            revisions[name] = couch.put(ours[name] | {"_rev": found[name]["_rev"]})
    done.revisions |= revisions
    done.found += len(found)
    done.written += len(batch) - len(refused)
    done.counts.update(document["kind"] for document in batch)


def _differ(ours: Document, theirs: Document) -> bool:
    plain = {key: value for key, value in theirs.items() if key != "_rev"}
    return next(differences(ours, plain), None) is not None


def _changed(couch: Couch, found: Mapping[str, Document], names: Sequence[str]) -> Exception:
    first = names[0]
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return DocumentConflictError(
        f"{couch.where}/{first} (revision {found[first]['_rev'][:12]}){others} was changed by "
        "somebody else; nothing was overwritten, and the pointer stays",
        "delete it, or overwrite with `marquee documents publish --replace`",
    )


def status_lines(couch: Couch, lake: Lake) -> list[str]:
    """What is published, what is being published, and what is owed."""
    couch.require_version()
    if not couch.exists():
        return [f"{OWED}{couch.where} does not exist yet; `marquee documents publish` creates it"]
    pointer = read_pointer(couch)
    lines = [f"{couch.where} has no current generation yet"]
    if pointer:
        as_of = ", ".join(f"{model} as of {at}" for model, at in sorted(pointer["as_of"].items()))
        lines = [f"{couch.where} answers from generation {pointer['generation']}: {as_of}"]
    whole: set[str] = set()
    for about in sorted(abouts(couch), key=lambda one: str(one["generation"])):
        counts, state = about.get("counts") or {}, "is not whole"
        if about.get("going"):
            state = "is being removed"
        elif is_whole(couch, about):
            whole.add(about["generation"])
            state = ", ".join(f"{n:,} {kind}s" for kind, n in sorted(counts.items()))
        elif counts:
            state = "is not whole any more: somebody removed documents, or added some"
        lines.append(f"generation {about['generation']}: {state}")
    try:
        pair = read_pair(lake)
    except NotFoundError as error:
        return [*lines, str(error)]
    return [*lines, owed(pointer, pair, couch.settings.top_n, whole)]


def owed(pointer: Document | None, pair: Pair, top_n: int, whole: Container[str]) -> str:
    """Whether the champions of the lake are published, in a sentence; `whole` generations are."""
    generation = pair.name(top_n)
    if pointer and pointer["generation"] == generation and generation in whole:
        return "the champions are published"
    if pointer and is_ahead(pointer, pair):
        return "the documents are of later champions than this lake's"
    return f"{OWED}generation {generation}; `marquee documents publish` writes it"
