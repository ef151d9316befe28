"""Requests name people and titles by the ids of their release: numbers of 64 bits, or names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from pydantic import ValidationError
from serving_bundles import PEOPLE, TITLES, promote_folder, write_named, write_recommender

from marquee.identifiers import person_id, text_id
from marquee.lake import Lake
from scoring.recommender.bundle import read_bundle
from scoring.recommender.model import Recommender
from serving.app import path_with_escaped_slashes
from serving.backend import Backend
from serving.engines import LoadedRecommender
from serving.feedback_log import FeedbackLog
from serving.routes.person_ratings import RatingsRequest
from serving.routes.request_context import is_api_person
from serving.routes.star_predictions import PairPrediction
from serving.title_index import LARGEST_ID, IdIndex
from sources.ratings_cells import IdSpellings as Keep

COUNTED, NAMED = np.array([3, 14, 1590]), np.sort([text_id(n) for n in ("Zoë", "7", "p-zo", "a/b")])


def ids(known: np.ndarray, text_ids: list[str] | None) -> IdIndex:
    return IdIndex.of("users", known, {} if text_ids is None else {"text_ids": text_ids})


@pytest.mark.parametrize("text_ids", [["users"], None], ids=["stated", "an old bundle"])
@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("Zoë", text_id("Zoë")),
        (" Zoë ", text_id("Zoë")),
        ("a/b", text_id("a/b")),
        ("7", text_id("7")),  # a name, though it looks like a number
        (7, text_id("7")),
        (str(text_id("Zoë")), text_id("Zoë")),
        (text_id("a/b"), text_id("a/b")),
        ("8", 8),  # nobody: a stranger
        ("never heard of", text_id("never heard of")),
        ("-5", text_id("-5")),
        ("9" * 40, text_id("9" * 40)),
        ("  ", None),
        ("", None),
    ],
)
def test_ids_of_a_release_that_names(
    text_ids: list[str] | None, written: int | str, number: int | None
) -> None:
    assert ids(NAMED, text_ids).number(written) == number


@pytest.mark.parametrize(
    "text_ids", [[], ["titles"], None], ids=["stated", "of titles", "an old bundle"]
)
@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("14", 14),
        ("0014", 14),
        ("14.0", 14),
        (14, 14),
        ("15", 15),
        (str(LARGEST_ID), LARGEST_ID),
        (str(LARGEST_ID + 1), None),
        (2**90, None),
        ("14.5", None),
        ("-3", None),
        (-3, None),
        ("１４", None),
        ("²", None),
        ("bob", None),
        ("", None),
    ],
)
def test_ids_of_a_release_that_counts(
    text_ids: list[str] | None, written: int | str, number: int | None
) -> None:
    assert ids(COUNTED, text_ids).number(written) == number


def test_a_persons_name_is_the_releases_unless_one_of_ours_had_it(tmp_path: Path) -> None:
    model = Recommender.load(write_recommender(tmp_path / "made"))
    users, log = ids(NAMED, ["users"]), FeedbackLog(tmp_path / "feedback", "local")
    assert is_api_person(model, users, log, "p-ann")
    assert not is_api_person(model, users, log, "p-zo")
    assert not is_api_person(model, users, log, "p-Zoë")
    log.write("p-zo", {1: 4.0})
    assert is_api_person(model, users, log, "p-zo")
    assert person_id("p-zo") < 0 < text_id("p-zo")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/users/a%2Fb%20c/ratings", "/v1/users/a%2Fb c/ratings"),
        (b"/v1/users/100%25/ratings", "/v1/users/100%25/ratings"),
        (b"/v1/users/%2525/ratings", "/v1/users/%2525/ratings"),
        (b"/v1/users/Zo%C3%AB", "/v1/users/Zoë"),
        (b"/static/a%2Fb", "whatever the server says"),
    ],
)
def test_the_steps_of_a_path_stay_distinct(raw: bytes, path: str) -> None:
    assert path_with_escaped_slashes({"raw_path": raw, "path": "whatever the server says"}) == path


@pytest.fixture(params=[True, False], ids=["says so", "of before"])
def named(
    request: pytest.FixtureRequest,
    lake: Lake,
    backend: Backend,
    tmp_path: Path,
    serve: Callable[[Backend], httpx.Client],
) -> httpx.Client:
    folder = write_named(
        tmp_path / "named", write_recommender(tmp_path / "made"), says_so=request.param
    )
    promote_folder(lake, "recommender", folder)
    backend.recommender.poll()
    assert backend.recommender.failure == ""
    return serve(backend)


def test_everybody_is_asked_by_name_on_every_route(named: httpx.Client, tmp_path: Path) -> None:
    counted = Recommender.load(tmp_path / "made")  # the same model, whose release counts
    for person in range(1, PEOPLE + 1):
        path = f"/v1/users/{quote(f'person {person}')}"
        body = named.get(f"{path}/recommendations", params={"n": 100}).json()
        assert body["user_id"] == f"person {person}" and body["strategy"] != "popular"
        wanted = {r.movie_id for r in counted.recommend(person * 10, 100)}
        assert {int(r["title_id"][2:]) for r in body["recommendations"]} == wanted
        one = named.get(f"{path}/predictions/{quote('film/3', safe='')}").json()
        assert one["predicted_rating"] == pytest.approx(
            counted.predict([person * 10], [3]).values[0]
        )
        assert (one["name"], one["movie_id"]) == ("film/3", text_id("film/3"))
    pairs = [{"user_id": "person 2", "movie_id": f"film/{m}"} for m in range(1, TITLES + 1)]
    body = named.post("/v1/predictions", json={"pairs": pairs}).json()
    assert [(p["user_id"], p["movie_id"]) for p in body["predictions"]] == [
        ("person 2", p["movie_id"]) for p in pairs
    ]
    values = counted.predict(np.full(TITLES, 20), np.arange(1, TITLES + 1)).values
    assert [p["predicted_rating"] for p in body["predictions"]] == pytest.approx(list(values))


def test_titles_are_asked_and_rated_by_name(named: httpx.Client, backend: Backend) -> None:
    film = f"/v1/titles/{quote('film/5', safe='')}"
    assert named.get(film).json()["title"]["name"] == "film/5"
    assert named.get(f"{film}/similar").json()["movie_id"] == text_id("film/5")
    by_number = named.get(f"/v1/titles/{text_id('film/5')}").json()
    assert by_number["title"]["title"] == named.get(film).json()["title"]["title"]
    assert named.get("/v1/titles/film%2F999").status_code == 404
    given = {"ratings": [{"movie_id": "film/5", "rating": 5}, {"movie_id": "film/6", "rating": 1}]}
    assert named.post("/v1/users/p-ada/ratings", json=given).status_code == 202
    # Training reads titles' numbers from the feedback log.
    assert dict(backend.feedback.feedback_of("p-ada")) == {
        text_id("film/5"): 5.0,
        text_id("film/6"): 1.0,
    }
    remaining = named.delete(f"/v1/users/p-ada/ratings/{quote('film/6', safe='')}").json()[
        "ratings"
    ]
    assert remaining in ({"film/5": 5.0}, {str(text_id("film/5")): 5.0})
    anonymous = {**given, "n": 100, "exclude": ["film/7", text_id("film/8")]}
    body = named.post("/v1/recommendations", json=anonymous).json()
    assert body["strategy"] in ("fold-in", "mixed") and len(body["recommendations"]) == TITLES - 4
    # Nobody rates in the name of a person of the release, and a stranger is no mistake.
    assert named.post("/v1/users/person%201/ratings", json=given).status_code == 403
    assert named.get("/v1/users/a%2Fnobody/recommendations").json()["strategy"] == "popular"
    blank = {"pairs": [{"user_id": "person 1", "movie_id": " "}]}
    half = b'{"pairs": [{"user_id": "\\ud800", "movie_id": 1}]}'
    as_json = {"content-type": "application/json"}
    assert named.post("/v1/predictions", json=blank).status_code == 422
    assert named.post("/v1/predictions", content=half, headers=as_json).status_code == 422


def test_a_bundle_keeps_names_and_one_without_them_is_written_as_before(tmp_path: Path) -> None:
    folder = write_recommender(tmp_path / "made")
    assert '"name"' not in (folder / "titles.jsonl").read_text()
    titles = read_bundle(write_named(tmp_path / "named", folder)).titles
    assert titles[text_id("film/2")].name == "film/2"
    loaded = LoadedRecommender.of(Recommender.load(folder))
    assert not loaded.user_ids.ids_are_text and not loaded.title_ids.ids_are_text


def test_a_number_a_browser_would_round_goes_out_as_text(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> None:
    """The last title's number needs 63 bits."""
    folder = write_recommender(tmp_path / "made")
    ids = np.load(folder / "movie_ids.npy")
    ids[-1] = LARGEST_ID
    np.save(folder / "movie_ids.npy", ids)
    titles = (folder / "titles.jsonl").read_text()
    (folder / "titles.jsonl").write_text(
        titles.replace(f'"movie_id": {TITLES},', f'"movie_id": {LARGEST_ID},')
    )
    promote_folder(lake, "recommender", folder)
    backend.recommender.poll()
    client = serve(backend)
    found = client.get(f"/v1/titles/{LARGEST_ID}").json()["title"]
    assert found["movie_id"] == str(LARGEST_ID)
    assert client.get("/v1/titles/2").json()["title"]["movie_id"] == 2
    given = {"ratings": [{"movie_id": found["movie_id"], "rating": 4}]}
    kept = client.post("/v1/users/p-ada/ratings", json=given).json()["ratings"]
    assert kept == {str(LARGEST_ID): 4.0}
    assert client.get(f"/v1/titles/{LARGEST_ID + 1}").status_code == 422


def test_a_pair_is_echoed_without_rounding() -> None:
    """A browser's numbers are exact up to 2^53."""
    pair = PairPrediction(user_id=2**53 + 1, movie_id=2**60, predicted_rating=3, strategy="s")
    assert pair.model_dump(mode="json")["user_id"] == str(2**53 + 1)
    assert json.loads(pair.model_dump_json())["movie_id"] == str(2**60)
    small = PairPrediction(user_id="p-ann", movie_id=7, predicted_rating=3, strategy="s")
    assert (small.model_dump()["user_id"], small.model_dump()["movie_id"]) == ("p-ann", 7)


@pytest.mark.parametrize("given", [{"movie_id": True}, {"rating": True}, {"rating": False}])
def test_true_is_no_number(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="true or false"):
        RatingsRequest.model_validate({"ratings": [{"movie_id": 1, "rating": 4} | given]})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Jo\u00a0Ann", "Jo\u00a0Ann"), ("Jo\u2003Ann", "Jo Ann"), ("Jo\tAnn", "Jo Ann"),
        ("\u200bAnn", "Ann"), ("Ann\ufeff", "Ann"), ("Jo\r\nAnn", "Jo Ann"), ("FILM-A", "Film-A"),
        ("TT0000009", "tt0000009"), ("7.0", "7"), (" 007", "7"), ("straSSe", "straße"),
    ],
)  # fmt: skip
def test_a_name_is_written_as_in_the_file(written: str, kept: str) -> None:
    """What the loader takes for a listed name, the API takes for it too: one rule for both."""
    kept = Keep("no", True, [kept])[written]
    ids = IdIndex.of(
        "titles", np.array([text_id(kept)]), {"text_ids": ["titles"]}, {kept: text_id(kept)}
    )
    assert ids.number(written) == ids.number_of_name(written) == text_id(kept)


def test_of_two_names_alike_neither_is_guessed() -> None:
    names = {name: text_id(name) for name in ("Film", "FILM")}
    ids = IdIndex.of("titles", np.sort([*names.values()]), {"text_ids": ["titles"]}, names)
    assert [ids.number_of_name(n) for n in ("Film", "FILM", "film")] == [*names.values(), None]


@pytest.mark.parametrize("written", ["7", "+7", "7.", "7e0", "007", "7.0", "\u00a07"])
def test_a_number_is_written_as_in_the_file(written: str) -> None:
    numbered = IdIndex.of("users", np.array([7]), {"text_ids": []})
    assert numbered.number(written) == 7
    assert numbered.number("-7") is None is numbered.number("7.5")
