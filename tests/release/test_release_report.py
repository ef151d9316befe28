"""The report: the verdict first, nothing unescaped, and a page whatever it is handed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from release_world import BUDGET, RECOMMENDER, budget_evaluation, recommender_evaluation, subject

from marquee.release.charts import WIDTH, Interval, bars, whiskers
from marquee.release.gate import decide
from marquee.release.report import model_report
from marquee.release.verdict import Verdict

CHAMPION = {"number": 3, "digest": "d" * 64}
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
    return decide(
        evaluation,
        RECOMMENDER if model == "recommender" else BUDGET,
        subject=subject(model=model, **changes),
        champion=CHAMPION,
        incumbent_same=False,
        accepted_losses={},
    )


class Tags(HTMLParser):
    """Counts tags, and fails on one that is closed out of order."""

    VOID = ("meta", "line", "circle", "rect", "br")

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
    assert len(sentences) == 14
    assert all(sentence.replace("'", "&#39;") in body for sentence in sentences)
    for shown in ("100,836", "als-64", "not by a standard error", "19.5", "blend weight 0.5"):
        assert shown in body


def test_every_comparison_has_its_interval_drawn() -> None:
    evaluation = recommender_evaluation(champion=(0.881, 0.18))
    counts = tags(model_report(verdict_on(evaluation), evaluation, CARD))
    assert counts["circle"] == 4, "bias, popularity, and the champion twice"
    assert counts["rect"] == 2, "one bar a step of the job"


def test_the_budget_model_has_its_own_rivals() -> None:
    evaluation = budget_evaluation(champion=0.55)
    page = model_report(verdict_on(evaluation, "budget"), evaluation, {})
    assert all(name in page for name in ("the median by genre", "ridge regression", "log-RMSE"))
    assert tags(page)["circle"] == 3


def test_the_page_is_self_contained() -> None:
    page = model_report(verdict_on(recommender_evaluation()), recommender_evaluation(), CARD)
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
