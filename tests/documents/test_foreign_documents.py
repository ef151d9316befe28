"""What somebody else writes, changes or removes in the database is told, and stays."""

from __future__ import annotations

import pytest

from documents.couch import Couch
from documents.generation import read_pair
from documents.pointer import POINTER
from documents.publication import publish, status_lines
from marquee.errors import AwayError, DocumentConflictError, SourceError
from marquee.lake import Lake
from tests.documents.test_publication import quiet


def test_a_document_of_somebody_else_stays_until_told(lake: Lake, couch: Couch) -> None:
    couch.open()
    generation = read_pair(lake).name(3)
    theirs = {"_id": f"{generation}:title:7", "note": "mine"}
    couch.put(theirs)
    with pytest.raises(DocumentConflictError) as raised:
        publish(lake, couch, quiet)
    said = str(raised.value)
    assert f"/{generation}:title:7 (revision 1-" in said and "\n" not in said
    assert "nothing was overwritten" in said and "--replace" in said
    assert couch.get("current") is None
    assert couch.get(theirs["_id"])["note"] == "mine"  # type: ignore[index]
    done = publish(lake, couch, quiet, replace=True)
    assert couch.get(theirs["_id"])["kind"] == "title"  # type: ignore[index]
    assert couch.get("current")["generation"] == done.generation  # type: ignore[index]
    changed = couch.get(theirs["_id"])
    couch.put({**changed, "note": "again"})  # type: ignore[dict-item]
    publish(lake, couch, quiet, replace=True)  # also where the generation is current
    assert "note" not in couch.get(theirs["_id"])  # type: ignore[operator]


@pytest.mark.parametrize("lost", ["title:2", "about"])
def test_documents_that_somebody_removed_are_owed_and_written_again(
    lake: Lake, couch: Couch, lost: str
) -> None:
    generation = publish(lake, couch, quiet).generation
    name = f"about:{generation}" if lost == "about" else f"{generation}:{lost}"
    there = couch.get(name)
    assert there is not None
    couch.delete([(name, there["_rev"])])
    assert f"owed: generation {generation}" in status_lines(couch, lake)[-1]
    again = publish(lake, couch, quiet)
    assert "is current:" in again.sentence
    assert (
        again.written == (lost != "about") and again.found == again.counts.total() - again.written
    )
    assert couch.get(name) is not None
    assert status_lines(couch, lake)[-1] == "the champions are published"


@pytest.mark.parametrize(
    "change",
    [
        {"entries": None},
        {"entries": {"budget": {"number": "1", "digest": "x"}}},
        {"entries": {"budget": 1}},
        {"as_of": 5},
        {"format": 2},
        {"generations": "g1"},
    ],
)
def test_a_pointer_of_somebody_else_is_told_and_stays(
    lake: Lake, couch: Couch, change: dict[str, object]
) -> None:
    publish(lake, couch, quiet)
    pointer = couch.get(POINTER)
    assert pointer is not None
    couch.put(pointer | change)
    for ask in (lambda: publish(lake, couch, quiet), lambda: status_lines(couch, lake)):
        with pytest.raises(SourceError, match="current is no document of Marquee"):
            ask()
    found = couch.get(POINTER)
    assert found is not None and found.items() >= change.items()


def test_an_about_of_somebody_else_is_left_alone(lake: Lake, couch: Couch) -> None:
    couch.open()
    couch.put({"_id": "about:zz", "z": 1})
    publish(lake, couch, quiet)
    assert status_lines(couch, lake)[-1] == "the champions are published"
    assert couch.get("about:zz") is not None


def test_a_document_among_ours_is_told(lake: Lake, couch: Couch) -> None:
    couch.open()
    generation = read_pair(lake).name(3)
    couch.put({"_id": f"{generation}:note:1"})
    with pytest.raises(DocumentConflictError, match=r"holds 74 documents of .*, which has 73"):
        publish(lake, couch, quiet)
    assert couch.get("current") is None and couch.get(f"{generation}:note:1")


def test_a_document_that_is_changed_after_its_batch_is_told_and_the_pointer_stays(
    lake: Lake, couch: Couch
) -> None:
    def change(_line: str) -> None:
        (page,) = couch.rows(read_pair(lake).name(couch.settings.top_n))
        theirs = couch.get(page[0][0])
        assert theirs is not None
        couch.put(theirs | {"note": "theirs"})

    with pytest.raises(AwayError, match="was changed meanwhile — publish again"):
        publish(lake, couch, change)
    assert couch.get(POINTER) is None
    with pytest.raises(DocumentConflictError, match="was changed by somebody else; nothing was"):
        publish(lake, couch, quiet)
    publish(lake, couch, quiet, replace=True)
    assert status_lines(couch, lake)[-1] == "the champions are published"


@pytest.mark.parametrize("counts", ["x", [1], 5, {"title": "many"}])
def test_an_about_that_counts_nothing_is_told(lake: Lake, couch: Couch, counts: object) -> None:
    name = f"about:{publish(lake, couch, quiet).generation}"
    couch.put(couch.get(name) | {"counts": counts})  # type: ignore[operator]
    status_lines(couch, lake)
    with pytest.raises(SourceError, match="is no document of Marquee"):
        publish(lake, couch, quiet)
