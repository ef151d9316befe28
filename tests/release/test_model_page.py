"""The report: the verdict first, nothing unescaped, and a page whatever it is handed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_examples import (
    BUDGET,
    RECOMMENDER,
    budget_evaluation,
    data_comparison,
    recommender_evaluation,
    subject,
)

from marquee.artefacts.evaluation import read_evaluation
from marquee.artefacts.verdict import Head, Verdict
from release.champion_conditions import GateChampion
from release.gate import GateCase, decide
from report.charts import LEFT_MARGIN, PLOT_SIZE, WIDTH, Interval, bars, calibration_plot, whiskers
from report.model_page import model_report

CHAMPION = Head(3, "d" * 64)
CARD: dict[str, Any] = {
    "rows": 100836,
    "people": 610,
    "titles": 9742,
    "recipes_tried": [
        {"name": "als-32", "inner_rmse": 0.8912, "chosen": True},
        {"name": "als-64", "inner_rmse": 0.8899, "chosen": False, "why": "not by a standard error"},
    ],
    "seconds": {"session": 8.25, "fits": 19.5},
    "notes": ["blend weight 0.5 chosen on the inner split"],
}


def verdict_on(evaluation: Any, model: str = "recommender", **changes: Any) -> Verdict:
    case = GateCase(
        subject=subject(model=model, **changes),
        evaluation=read_evaluation(evaluation),
        policy=RECOMMENDER if model == "recommender" else BUDGET,
        champion=GateChampion(CHAMPION, same_code=True),
        data=data_comparison(),
    )
    return decide(case)


class Tags(HTMLParser):
    """Counts tags, and fails on one that is closed out of order."""

    VOID = ("meta", "line", "circle", "rect", "polyline", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def tags(page: str) -> dict[str, int]:
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.counts


def test_the_verdict_comes_first_and_every_condition_follows() -> None:
    evaluation = recommender_evaluation(rmse=0.80, ndcg=0.14, champion=(0.88, 0.18))
    verdict = verdict_on(evaluation)
    page = model_report(verdict, evaluation, CARD)
    body = page[page.index("<body>") :]
    assert body.index(verdict.headline) < body.index("What the gate asked")
    sentences = [c.sentence for c in verdict.conditions]
    assert len(sentences) == 23
    assert all(sentence.replace("'", "&#39;") in body for sentence in sentences)
    for shown in ("100,836", "als-64", "not by a standard error", "19.5", "blend weight 0.5"):
        assert shown in body


def test_every_comparison_has_its_interval_drawn() -> None:
    evaluation = recommender_evaluation(champion=(0.881, 0.18))
    counts = tags(model_report(verdict_on(evaluation), evaluation, CARD))
    assert counts["circle"] == 5, "bias, popularity of all time and lately, and the champion twice"
    assert counts["rect"] == 2, "one bar a step of the job"


def test_the_budget_model_has_its_own_rivals() -> None:
    evaluation = budget_evaluation(champion=0.55)
    page = model_report(verdict_on(evaluation, "budget"), evaluation, {})
    assert all(name in page for name in ("the median by genre", "ridge regression", "log-RMSE"))
    assert "log-RMSE before release" in page
    assert tags(page)["circle"] == 4


SEGMENT = {"people": 9, "rmse": 0.9, "interval": [0.8, 1.05], "bias": 0.95}
TITLE = {"movie_id": 7, "title": "Brazil", "year": 1985}
FULL = {
    "intervals": {"rmse": [0.87, 0.89]},
    "segments": [
        {"by": "people", "from": 0, "below": 20, "rows": 11} | SEGMENT,
        {"by": "titles", "from": 100, "below": None, "rows": 12} | SEGMENT,
    ],
    "calibration": [
        {"rows": 10, "predicted": 2.0, "actual": 2.5, "middle_half": [2.0, 3.0]},
        {"rows": 90, "predicted": 4.0, "actual": 4.25, "middle_half": [4.0, 4.5]},
    ],
    "forecast": {
        "rows": 1200, "people": 70, "since": 883612800, "metrics": {"coverage": 0.25},
        "versus": {
            "bias": {"rmse": {"challenger": 0.91, "other": 0.96, "difference": -0.05,
                              "interval": [-0.07, -0.03]}},
            "popularity": {"ndcg@10": None},
        },
    },
    "people": [
        {
            "user_id": 4242, "rated": 17, "held_out": 5, "liked": 2,
            "past": [TITLE | {"stars": 4.5}],
            "recommended": [
                TITLE | {"title": "Heat", "stars": 5.0, "strategy": "personal", "because": ["Ran"]},
                TITLE | {"title": "Jaws", "stars": 2.0, "strategy": "personal", "because": []},
                TITLE | {"title": "Alien", "stars": None, "strategy": "popular", "because": []},
            ],
        }
    ],
}  # fmt: skip
ERRS = {"name": "Drama", "films": 9, "bias": 0.2, "interval": [0.1, 0.3], "log_rmse": 0.5}
QUESTION = {"log_rmse": 0.61, "interval_of_rmse": [0.5, 0.7], "bias": 0.0, "coverage": 0.79}
BUDGET_FULL = {
    "price_year": 2016,
    "questions": {"with rating": QUESTION | {"width_log": 1.0, "answered_as": ["with rating"]}},
    "residuals": {by: [ERRS | {"coverage": 0.8}] for by in ("year", "genre", "size")},
    "calibration": [
        {"rows": 10, "predicted": 6.0, "actual": 6.5, "middle_half": [6.0, 7.0]},
        {"rows": 10, "predicted": 8.0, "actual": 8.0, "middle_half": [7.5, 8.2]},
    ],
    "films": [
        {
            "title": "Gravity", "year": 2013, "directors": ["A. C."], "actual": 1e8,
            "estimate": 5e7, "interval": [1e7, 2e8], "before_release": 4e7,
            "reasons": {"director": 2.5},
        }
    ],
}  # fmt: skip
TIMINGS = [
    {"task": "train_recommender", "started": 10.0, "session_ready": 15.0, "finished": 40.0,
     "work": {"fit": 20.0}, "peak_mb": {"Spark's JVM": 812.4}},
]  # fmt: skip
LIVE = {"bundle": "b", "rows": 900, "people": 60, "rmse": 1.0, "bias_rmse": 0.9, "alarm": True}


def full_page() -> str:
    evaluation = recommender_evaluation(champion=(0.881, 0.18)) | FULL
    return model_report(verdict_on(evaluation), evaluation, CARD, timings=TIMINGS, live=LIVE)


def budget_page() -> str:
    evaluation = budget_evaluation() | BUDGET_FULL
    return model_report(verdict_on(evaluation, "budget"), evaluation, CARD)


def plain(page: str) -> str:
    """What a reader sees, without the tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def test_a_recommenders_page_has_segments_calibration_and_people() -> None:
    page = full_page()
    tags(page)
    text = plain(page)
    for shown in ("0 to 19", "100 and more", "0.8000 to 1.0500", "95 %: 0.8700 to 0.8900"):
        assert shown in text
    assert "Person 4242 17 ratings known, 5 held out (2 of them liked)" in text
    assert "2 of 3 recommendations were later rated, 1 of them liked" in text
    assert "Heat (1985) later rated ★ 5 because of Ran" in text
    assert "Alien (1985) popular" in text
    assert page.count('<li class="hit">') == 1, "liked later; two stars are no hit"


def test_the_search_marks_what_was_chosen() -> None:
    page = full_page()
    assert page.count('<tr class="chosen">') == 1
    assert "als-32 ✓ yes 0.8912" in plain(page) and "als-64 no 0.8899" in plain(page)


def test_seconds_memory_and_the_live_record_are_shown() -> None:
    text = plain(full_page())
    assert "train_recommender 30.0 Spark&#39;s JVM 812 MB start of Spark 5.0 s, fit 20.0 s" in text
    assert "ALARM: what serves is worse than the bias model" in text


def test_a_budgets_page_has_questions_residuals_and_films() -> None:
    page = budget_page()
    tags(page)
    text = plain(page)
    for heading in ("By year of release", "By genre", "By what the film cost"):
        assert f"{heading} films of" in text
    assert "with rating 0.6100 0.5000 to 0.7000" in text and "79.0%" in text
    assert "Gravity (2013) A. C. $100 m $50 m $40 m" in text
    assert "director ×2.50" in text and "dollars of 2016" in text
    assert "$1.00 m" in text and "$100 m" in text, "calibration in dollars"


def test_the_calibration_plot_has_one_scale_on_both_axes() -> None:
    found = calibration_plot(FULL)
    assert found and len(found.points) == 2
    for point in found.points:
        assert (
            LEFT_MARGIN <= point.x <= PLOT_SIZE
            and 0 <= point.top <= point.y <= point.bottom <= PLOT_SIZE
        )
    low, high = found.points
    assert low.x < high.x and low.y > high.y, "up is more"
    assert [label for _, label in found.across] == [label for _, label in found.upwards]
    assert calibration_plot({"calibration": FULL["calibration"][:1]}) is None


@pytest.mark.parametrize("page", [full_page(), budget_page()], ids=["recommender", "budget"])
def test_the_page_is_self_contained(page: str) -> None:
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)


def test_whatever_is_handed_in_is_escaped() -> None:
    attack = '<script>alert("x")</script>'
    evaluation = recommender_evaluation() | {"shipped": {"loads": False, "why": attack}}
    evaluation["metrics"][attack] = 1.0
    card = {
        "notes": [attack], "seconds": {attack: 1.0}, "recipes_tried": [{attack: attack}],
    }  # fmt: skip
    verdict = verdict_on(evaluation, run=attack, recipe={attack: attack}, code=attack)
    page = model_report(verdict, evaluation, card)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=15,
)


@given(ANY_JSON, st.sampled_from([*FULL, *BUDGET_FULL]), st.sampled_from(["recommender", "budget"]))
@settings(deadline=None, max_examples=80)
def test_any_section_may_be_malformed(odd: Any, key: str, model: str) -> None:
    whole = {**FULL, **BUDGET_FULL, key: odd, "model": model}
    evaluation = recommender_evaluation() | whole
    tags(model_report(verdict_on(evaluation), evaluation, CARD, timings=[odd], live=odd))
    rows = {**whole, key: [odd, {**FULL["segments"][0], "rows": odd, "interval": odd}]}
    evaluation |= rows
    tags(model_report(verdict_on(evaluation), evaluation, CARD, timings=[{"work": odd}], live={}))


@given(ANY_JSON, st.fixed_dictionaries(dict.fromkeys(CARD, ANY_JSON)) | ANY_JSON)
@settings(deadline=None, max_examples=60)
def test_a_page_comes_out_whatever_goes_in(versus: Any, card: Any) -> None:
    evaluation = recommender_evaluation() | {"versus": {"bias": {"rmse": versus}}}
    page = model_report(verdict_on(evaluation), evaluation, card)
    tags(page)
    page.encode()
    model_report(verdict_on(card), card, versus)


FIGURES = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FIGURES, FIGURES, FIGURES), max_size=5))
def test_everything_is_drawn_inside_the_picture(triples: list[tuple[float, ...]]) -> None:
    intervals = [Interval(*sorted(triple), lower_is_better=True) for triple in triples]
    for drawn in whiskers(intervals):
        places = [drawn.start, drawn.point, drawn.end]
        assert places == sorted(places)
        assert all(0 <= place <= WIDTH for place in [*places, drawn.zero])


@given(st.dictionaries(st.text(), FIGURES, max_size=5))
def test_bars_fit_their_picture(values: dict[str, float]) -> None:
    assert all(0 <= bar.length <= WIDTH for bar in bars(values))


def test_an_interval_is_green_only_when_all_of_it_is_on_the_good_side() -> None:
    assert Interval(-2, -1, -0.5, lower_is_better=True).tone == "better"
    assert Interval(-2, -1, -0.5, lower_is_better=False).tone == "worse"
    assert Interval(0.5, 1, 2, lower_is_better=True).tone == "worse"
    assert Interval(-1, 0.5, 2, lower_is_better=True).tone == "open"


@pytest.mark.parametrize(("model", "word"), [("recommender", "people"), ("budget", "films")])
def test_the_world_is_shown_then_and_now(model: str, word: str) -> None:
    evaluation = recommender_evaluation() if model == "recommender" else budget_evaluation()
    found = data_comparison(ratings={"people": 590}, titles={"films": 890})
    page = model_report(verdict_on(evaluation, model), evaluation, CARD, data=found)
    section = page[page.index('id="world"') : page.index('id="comparisons"')]
    assert f"<td>{word}</td>" in section
    assert ("590" in section) is (model == "recommender")
    assert ("890" in section) is (model == "budget")
    assert ("PSI 0.000" in section and "without plot" in section) or model == "recommender"
    assert 'id="world"' not in model_report(verdict_on(evaluation, model), evaluation, CARD)
