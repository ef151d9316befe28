"""The routes over real HTTP: what they answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from serving_bundles import promote_recommender

from marquee.artefacts.ledger_entry import Draft
from marquee.clock import iso
from marquee.identifiers import person_id
from marquee.lake import Lake
from release.ledger import Ledger
from scoring.recommender.model import Recommender
from serving.backend import Backend
from serving.title_index import article_first
from sources.feedback_segments import read_feedback


@pytest.fixture
def client(
    lake: Lake, backend: Backend, tmp_path: Path, serve: Callable[[Backend], httpx.Client]
) -> httpx.Client:
    promote_recommender(lake, tmp_path / "made")
    backend.recommender.poll()
    backend.budget.poll()
    return serve(backend)


@pytest.fixture
def model(tmp_path: Path, client: httpx.Client) -> Recommender:
    return Recommender.load(tmp_path / "made")


def answer(response: httpx.Response, status: int = 200) -> dict:
    """The body of a good answer: it names its bundle, its moment and its strategy."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["bundle"].startswith("20260104T030000Z-")
    assert body["as_of"] == "2026-01-04T03:00:00Z"
    assert body["strategy"]
    return body


def refused(response: httpx.Response, status: int) -> str:
    """The detail of a problem document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status and body["title"] and body["type"] and body["instance"]
    return str(body["detail"])


def ids(body: dict) -> list[int]:
    return [r["movie_id"] for r in body["recommendations"]]


def test_a_known_person_gets_the_models_own_answer(
    client: httpx.Client, model: Recommender
) -> None:
    body = answer(client.get("/v1/users/10/recommendations", params={"n": 7}))
    assert body["strategy"] == "personal"
    assert ids(body) == [r.movie_id for r in model.recommend(10, 7)]
    assert not set(ids(body)) & set(model.ratings_of(10))
    first = body["recommendations"][0]
    assert first["title"] and first["predicted_rating"] == pytest.approx(
        model.predict([10], [first["movie_id"]]).values[0], abs=1e-3
    )
    reasons = {b["movie_id"] for r in body["recommendations"] for b in r["because"]}
    assert reasons and reasons <= set(model.ratings_of(10))


def test_filters_and_exclusions_hold(client: httpx.Client) -> None:
    whole = answer(client.get("/v1/users/10/recommendations", params={"n": 100}))
    query = {"n": 100, "genre": "Drama", "year_from": 1995, "year_to": 2010}
    found = answer(client.get("/v1/users/10/recommendations", params=query))["recommendations"]
    wanted = [
        r["movie_id"]
        for r in whole["recommendations"]
        if "Drama" in r["genres"] and 1995 <= r["year"] <= 2010
    ]
    assert [r["movie_id"] for r in found] == wanted != []
    left_out = wanted[:2]
    query["exclude"] = left_out
    assert ids(answer(client.get("/v1/users/10/recommendations", params=query))) == wanted[2:]
    nothing = {"year_from": 2200}
    assert answer(client.get("/v1/users/10/recommendations", params=nothing))["strategy"] == "none"


def test_a_stranger_gets_what_is_popular(client: httpx.Client, model: Recommender) -> None:
    body = answer(client.get("/v1/users/999/recommendations"))
    assert body["strategy"] == "popular"
    assert ids(body) == [r.movie_id for r in model.recommend(999, 10)]


def test_anonymous_ratings_are_folded_in_and_not_kept(
    client: httpx.Client, model: Recommender, backend: Backend
) -> None:
    given = {3: 5.0, 7: 1.0}
    ratings = [{"movie_id": m, "rating": s} for m, s in given.items()]
    body = answer(client.post("/v1/recommendations", json={"ratings": ratings, "n": 5}))
    assert body["strategy"] == "fold-in"
    assert ids(body) == [r.movie_id for r in model.recommend_for(given, 5)]
    assert backend.feedback.lines == 0
    empty = answer(client.post("/v1/recommendations", json={"ratings": []}))
    assert empty["strategy"] == "popular" and len(ids(empty)) == 10


def test_predictions_one_and_many(client: httpx.Client, model: Recommender) -> None:
    one = answer(client.get("/v1/users/20/predictions/5"))
    assert one["predicted_rating"] == pytest.approx(model.predict([20], [5]).values[0])
    assert one["strategy"] == "personal"
    assert answer(client.get("/v1/users/999/predictions/5"))["strategy"] == "bias"
    pairs = [(20, 5), ("p-nobody", 5), (30, 999_999), (20, 6)]
    request = {"pairs": [{"user_id": u, "movie_id": m} for u, m in pairs]}
    many = answer(client.post("/v1/predictions", json=request))
    assert many["strategy"] == "mixed"
    assert [(p["user_id"], p["movie_id"]) for p in many["predictions"]] == pairs
    assert many["predictions"][0]["predicted_rating"] == one["predicted_rating"]
    assert all(0.5 <= p["predicted_rating"] <= 5 for p in many["predictions"])


def test_ratings_are_durable_and_felt_at_once(
    client: httpx.Client, model: Recommender, tmp_path: Path
) -> None:
    before = answer(client.get("/v1/users/p-ada/recommendations"))
    assert before["strategy"] == "popular"
    given = {4: 5.0, 9: 0.5}
    ratings = [{"movie_id": m, "rating": s} for m, s in given.items()]
    kept = answer(client.post("/v1/users/p-ada/ratings", json={"ratings": ratings}), 202)
    assert kept["accepted"] == 2 and kept["ratings"] == {"4": 5.0, "9": 0.5}
    on_disk = [(f.person, f.movie_id, f.rating) for f in read_feedback(tmp_path / "feedback")]
    assert on_disk == [("p-ada", 4, 5.0), ("p-ada", 9, 0.5)]
    after = answer(client.get("/v1/users/p-ada/recommendations"))
    assert after["strategy"] == "fold-in"
    assert ids(after) == [r.movie_id for r in model.recommend_for(given, 10)]
    assert answer(client.get("/v1/users/p-ada/ratings"))["ratings"] == kept["ratings"]


def test_ratings_can_be_taken_back(client: httpx.Client, tmp_path: Path) -> None:
    ratings = {"ratings": [{"movie_id": m, "rating": 4} for m in (1, 2, 3)]}
    answer(client.post("/v1/users/p-bo/ratings", json=ratings), 202)
    assert answer(client.delete("/v1/users/p-bo/ratings/2"), 202)["ratings"] == {"1": 4, "3": 4}
    assert answer(client.delete("/v1/users/p-bo"), 202)["accepted"] == 2
    assert answer(client.get("/v1/users/p-bo/recommendations"))["strategy"] == "popular"
    taken = [f.movie_id for f in read_feedback(tmp_path / "feedback") if f.rating is None]
    assert taken == [2, 1, 3, None], "the last line holds for other servers' ratings, too"


def test_strangers_cannot_write_to_people_of_the_release(client: httpx.Client) -> None:
    ratings = {"ratings": [{"movie_id": 1, "rating": 4}]}
    assert "begins with p-" in refused(client.post("/v1/users/42/ratings", json=ratings), 403)
    refused(client.delete("/v1/users/42"), 403)
    assert person_id("p-42") < 0


def test_titles_are_found_as_people_type_them(client: httpx.Client) -> None:
    def names(query: str) -> list[str]:
        body = answer(client.get("/v1/titles", params={"q": query}))
        return [t["title"] for t in body["titles"]]

    assert set(names("amelie")) == {"The Amélie Affair", "Amelie Returns"}
    assert names("amelie")[0] == "Amelie Returns", "titles that begin so come first"
    assert names("AFFAIR snow") == ["Snow on the Affair"]
    assert names("no such film") == []
    assert len(names("")) == 20
    title = answer(client.get("/v1/titles/1"))
    assert title["title"]["title_id"] == "tt0000001" and 0.5 <= title["mean_rating"] <= 5


@pytest.mark.parametrize(
    ("sorted_by", "displayed"),
    [
        ("Glass Tide, The", "The Glass Tide"),
        ("Année, L'", "L'Année"),
        ("Crouching, Hidden", "Crouching, Hidden"),
        ("The", "The"),
    ],
)
def test_titles_are_spelled_as_people_say_them(sorted_by: str, displayed: str) -> None:
    assert article_first(sorted_by) == displayed


def test_similar_titles(client: httpx.Client, model: Recommender) -> None:
    body = answer(client.get("/v1/titles/5/similar", params={"n": 4}))
    assert [s["movie_id"] for s in body["similar"]] == [s.movie_id for s in model.similar(5, 4)]
    assert len(body["similar"]) == 4 and body["similar"][0]["title"]


def test_models_ledger_and_champion(client: httpx.Client, lake: Lake) -> None:
    states = {m["model"]: m for m in client.get("/v1/models").json()["models"]}
    assert states["recommender"]["serving"] and states["recommender"]["number"] == 1
    assert not states["budget"]["serving"]
    assert states["budget"]["trouble"] == "no budget has been promoted yet"
    ledger = client.get("/v1/models/recommender/ledger").json()
    assert [e["number"] for e in ledger["entries"]] == [1]
    raw = lake.read_json("serving/recommender/ledger/000001.json")
    assert ledger["entries"][0] == raw | {"digest": ledger["entries"][0]["digest"]}
    at = client.get("/v1/models/recommender/champion", params={"at": "2026-02-01T00:00:00Z"})
    assert at.json()["entry"]["bundle"] == states["recommender"]["bundle"]
    assert "no budget serves" in refused(
        client.post("/v1/budget-estimates", json={"year": 2020}), 503
    )


def test_the_champion_now_is_the_head_whatever_the_clocks_said(
    backend: Backend, client: httpx.Client, lake: Lake
) -> None:
    ledger = Ledger(lake, "recommender")
    head = ledger.head()
    assert head is not None
    shared = {key: value for key, value in vars(head).items() if key in Draft.__annotations__}
    ahead = head.at.replace(year=head.at.year + 400)
    ledger.append(Draft(**shared | {"at": ahead}), head)
    backend.recommender.poll()
    moments = ({}, {"at": iso(head.at)})
    found = [client.get("/v1/models/recommender/champion", params=at).json() for at in moments]
    assert [answer["entry"]["number"] for answer in found] == [2, 1]


def test_metrics_count_by_route_template(client: httpx.Client) -> None:
    for movie_id in (1, 2, 999_999):
        client.get(f"/v1/titles/{movie_id}")
    text = client.get("/metrics").text
    line = 'marquee_requests_total{method="GET",route="/v1/titles/{movie_id}",status="200"} 2.0'
    assert line in text.splitlines()
    served = [one for one in text.splitlines() if one.startswith("marquee_serving{")]
    assert any('model="recommender"' in one and one.endswith("} 1.0") for one in served)
    assert "_created" not in text
    assert 'route="/v1/titles/1"' not in text
    for sample in (s for s in text.splitlines() if not s.startswith("#")):
        float(sample.rsplit(" ", 1)[1])


def test_pages_need_nothing_from_elsewhere_and_escape_titles(client: httpx.Client) -> None:
    script = {"person": '"><script>alert(1)</script>'}
    assert "<script>alert" not in client.get("/", params=script).text
    for path in ("/", "/docs"):
        page = client.get(path)
        assert page.status_code == 200 and "<h1>" in page.text
        assert "http://" not in page.text and "https://" not in page.text
        assert "<b>Bold</b>" not in page.text
        assert "default-src 'self'" in page.headers["content-security-policy"]
    for path in ("/v1/budget-estimates", "/v1/users/{person}/ratings", "/readyz"):
        assert path in client.get("/docs").text
    for file in ("marquee.css", "marquee.js", "marquee.svg"):
        assert client.get(f"/static/{file}").status_code == 200
