"""Publish, read, publish again: the answers of the API as documents, in whole generations."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from documents.couch import Couch
from documents.generation import read_pair
from documents.pointer import abouts, claim, clear, move
from documents.publication import publish
from documents.sample_check import answer_of, check, differences
from marquee.document_settings import DocumentsSettings
from marquee.errors import DocumentConflictError, SourceError
from marquee.lake import Lake, World, claim_world, open_lake
from release.manual_entries import roll_back
from serving.backend import open_backend
from tests.plugins.live_server import running
from tests.serving.serving_bundles import (
    PEOPLE,
    TITLES,
    promote_budget,
    promote_folder,
    promote_recommender,
    write_named,
    write_recommender,
)

ESTIMATES = TITLES + 1  # each title of the recommender, and one film that only the budgets have
SAFE = re.compile(r"[A-Za-z0-9:._-]+")


def quiet(text: str) -> None:
    """Progress of a publication that nobody reads."""


def back_to_first(lake: Lake) -> None:
    """Roll the recommender back to its first bundle."""
    roll_back(lake, "recommender", 1, "the lists were odd", hold=False)


def all_of(couch: Couch, generation: str) -> dict[str, Any]:
    return couch.several([name for page in couch.rows(generation) for name, _ in page])


def test_a_generation_holds_every_title_list_and_estimate(lake: Lake, couch: Couch) -> None:
    said: list[str] = []
    done = publish(lake, couch, said.append)
    counts = {"title": TITLES, "list": PEOPLE, "estimate": ESTIMATES}
    assert dict(done.counts) == counts and (done.written, done.found) == (sum(counts.values()), 0)
    assert len(said) == 4  # batches of 20
    pointer = couch.get("current")
    assert pointer and pointer["generation"] == done.generation and pointer["world"] == "made-up"
    assert pointer["entries"]["budget"]["number"] == 1
    there = all_of(couch, done.generation)
    assert len(there) == sum(counts.values()) and all(map(SAFE.fullmatch, there))
    assert {one["generation"] for one in there.values()} == {done.generation}
    (about,) = abouts(couch)
    assert about["counts"] == counts


def test_bodies_are_what_the_api_answers(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    done = publish(lake, couch, quiet)
    backend = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    backend.recommender.poll()
    backend.budget.poll()
    with running(backend) as api:
        documents = all_of(couch, done.generation).values()
        for one in documents:
            assert list(differences(one["answer"], answer_of(api, one))) == []
        assert {one["kind"] for one in documents} == {"title", "list", "estimate"}
        found = check(couch, api, each=5, seed=7)
        assert (found.documents, found.differences) == (15, ())
        changed = couch.get(f"{done.generation}:title:3")
        assert changed is not None
        changed["answer"]["mean_rating"] += 0.5
        couch.put(changed)
        (line,) = check(couch, api, each=100, seed=7).differences
        assert line.startswith(f"{done.generation}:title:3: mean_rating: ")
        couch.delete([(changed["_id"], str(couch.get(changed["_id"])["_rev"]))])  # type: ignore[index]
        (line,) = check(couch, api, each=5, seed=7).differences
        assert f"holds {len(documents) - 1} documents of {done.generation}, which has" in line
        publish(lake, couch, quiet)
        promote_recommender(lake, tmp_path / "other", seed=2)
        backend.recommender.poll()
        (line,) = check(couch, api, each=5, seed=7).differences
        assert "the API serves 20260111T030000Z-" in line


def test_names_of_a_release_that_writes_text(couch: Couch, tmp_path: Path) -> None:
    lake = open_lake(f"file://{tmp_path / 'named'}")
    named = write_named(tmp_path / "named-one", write_recommender(tmp_path / "one"))
    promote_folder(lake, "recommender", named)
    done = publish(lake, couch, quiet)
    assert dict(done.counts) == {"title": TITLES, "list": PEOPLE}  # no budgets have a champion
    there = all_of(couch, done.generation)
    assert all(map(SAFE.fullmatch, there))
    titles = {one["answer"]["title"]["name"] for one in there.values() if one["kind"] == "title"}
    assert "film/1" in titles and len(titles) == TITLES
    backend = open_backend(lake, tmp_path / "cache", tmp_path / "feedback")
    backend.recommender.poll()
    with running(backend) as api:
        assert check(couch, api, each=100, seed=1).differences == ()


def test_a_second_publication_finds_nothing_to_do(lake: Lake, couch: Couch) -> None:
    first = publish(lake, couch, quiet)
    again = publish(lake, couch, quiet)
    assert again.sentence == (
        f"generation {first.generation} is current already: there is nothing to publish"
    )
    assert again.written == 0


def test_what_is_there_already_is_compared(lake: Lake, couch: Couch) -> None:
    """A killed publication leaves documents without a pointer; the next one goes on."""
    first = publish(lake, couch, quiet)
    pointer = couch.get("current")
    assert pointer is not None
    couch.delete([("current", pointer["_rev"])])
    couch.delete(next(couch.rows(first.generation))[:25])
    again = publish(lake, couch, quiet)
    assert (again.written, again.found) == (25, first.written - 25)
    assert again.generation == first.generation == couch.get("current")["generation"]  # type: ignore[index]


def test_two_generations_stay_and_older_ones_go(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    names = [publish(lake, couch, quiet).generation]
    for week in (2, 3, 4):
        promote_recommender(lake, tmp_path / f"week{week}", seed=week)
        names.append(publish(lake, couch, quiet).generation)
    assert len(set(names)) == 4
    assert couch.get("current")["generations"] == [names[3], names[2]]  # type: ignore[index]
    assert {one["generation"] for one in abouts(couch)} == set(names[2:])
    assert [len(all_of(couch, name)) for name in names] == [0, 0, 73, 73]


def test_a_roll_back_moves_the_pointer_back(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    first = publish(lake, couch, quiet)
    promote_recommender(lake, tmp_path / "second", seed=2)
    stale = read_pair(lake)
    second = publish(lake, couch, quiet)
    back_to_first(lake)
    third = publish(lake, couch, quiet)
    assert third.generation == first.generation != second.generation
    assert (third.written, third.found) == (0, first.written)
    pointer = couch.get("current")
    assert pointer and pointer["generation"] == first.generation
    assert pointer["entries"]["recommender"]["number"] == 3
    # Who read the ledger before does not move it forward again.
    assert not move(couch, stale, second.generation, "made-up")
    assert couch.get("current") == pointer


def test_a_removed_generation_can_be_published_anew(
    lake: Lake, couch: Couch, tmp_path: Path
) -> None:
    """After a roll-back to a generation that is half removed: its mark is taken first."""
    first = publish(lake, couch, quiet)
    promote_recommender(lake, tmp_path / "second", seed=2)
    publish(lake, couch, quiet)
    (about,) = [one for one in abouts(couch) if one["generation"] == first.generation]
    listed = next(couch.rows(first.generation))  # what a slow remover has read
    couch.put(about | {"going": "slow"})
    couch.delete(listed[:10])
    back_to_first(lake)
    third = publish(lake, couch, quiet)
    assert third.generation == first.generation and third.written == first.written
    assert couch.delete(listed) == 0, "the slow remover's revisions are not the new ones"
    assert len(all_of(couch, first.generation)) == first.written


def test_a_remover_stops_where_somebody_publishes(lake: Lake, couch: Couch) -> None:
    done = publish(lake, couch, quiet)
    (about,) = abouts(couch)
    stale = dict(about)
    claim(couch, read_pair(lake), done.generation)
    couch.put(about | {"entries": {}})  # claimed for other entries
    with pytest.raises(DocumentConflictError):
        clear(couch, stale)
    assert len(all_of(couch, done.generation)) == done.written


def test_publishers_of_one_generation_race(
    lake: Lake, couch_settings: Callable[..., DocumentsSettings]
) -> None:
    settings = couch_settings(batch=5)
    done, failed = [], []

    def run() -> None:
        try:
            with Couch(settings) as own:
                done.append(publish(lake, own, quiet))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with Couch(settings) as couch:
        # Two may meet at `about`: the one that came second is told to publish again.
        assert all("publish again" in str(error) for error in failed) and done
        (generation,) = {one.generation for one in done}
        assert couch.get("current")["generation"] == generation  # type: ignore[index]
        assert len(all_of(couch, generation)) == 73


def test_pointers_race_to_the_newest(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    """Twenty movers of ten pairs at once: the newest pair's generation is current in the end."""
    couch.open()
    pairs = [read_pair(lake)]
    for week in range(2, 11):
        promote_budget(lake, tmp_path / f"budget{week}", intercept=6.0 + week / 10)
        pairs.append(read_pair(lake))
    threads = [
        threading.Thread(target=move, args=(couch, pair, pair.name(3), "made-up"))
        for pair in pairs * 2
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert couch.get("current")["generation"] == pairs[-1].name(3)  # type: ignore[index]


def test_another_world_has_another_database(lake: Lake, couch: Couch, tmp_path: Path) -> None:
    publish(lake, couch, quiet)
    other = open_lake(f"file://{tmp_path / 'other'}")
    claim_world(other, World("elsewhere", False, None))
    promote_recommender(other, tmp_path / "elsewhere", seed=5)
    with pytest.raises(SourceError, match="holds documents of the world 'made-up'"):
        publish(other, couch, quiet)


def test_a_rule_of_the_database_is_told(lake: Lake, couch: Couch) -> None:
    """A row that is refused for ever is one line, and the pointer stays."""
    couch.open()
    rule = "function (doc) { if (doc.kind == 'list') throw({forbidden: 'no lists here'}); }"
    couch.put({"_id": "_design/rule", "validate_doc_update": rule})
    with pytest.raises(SourceError, match="no lists here"):
        publish(lake, couch, quiet)
    assert couch.get("current") is None


def test_the_listing_is_by_pages(couch: Couch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("documents.couch.PAGE", 4)
    couch.open()
    couch.write([{"_id": f"g1:title:{n}"} for n in range(10)])
    couch.write([{"_id": "g10:title:1"}, {"_id": "g1"}, {"_id": "about:g1"}])
    pages = list(couch.rows("g1"))
    assert [len(page) for page in pages] == [4, 3, 3]
    assert [name for page in pages for name, _ in page] == [f"g1:title:{n}" for n in range(10)]
    assert [couch.delete(page) for page in couch.rows("g1")] == [4, 4, 2]
    assert list(couch.rows("g1")) == [] and couch.get("g1") and couch.get("g10:title:1")
