"""The tripwire as a pure value: causes, and what is none."""

from __future__ import annotations

import pytest

from scrapy_imdb.tripwire import (
    MOST_429,
    MOST_FAILED,
    MOST_REFUSED,
    WINDOW,
    Tripwire,
    excess_merges,
)

WHOLE = {"year": 1999, "directors": [1], "genres": ["Drama"], "rating": 8.0, "vote_count": 10}


@pytest.mark.parametrize("status", [200, 202, 404, 500, 503, 530])
def test_an_ordinary_answer_is_no_cause(status):
    assert Tripwire({}).response(status, b"<html>a page</html>") is None


def test_words_are_no_challenge_before_anybody_reads_the_page():
    page = b"<html><title>Captcha</title><script src='//x/recaptcha/api.js'></script></html>"
    assert Tripwire({}).response(200, page) is None
    assert "challenge" in str(Tripwire({}).response(503, page))


@pytest.mark.parametrize(
    ("status", "says"), [(200, "an empty page"), (202, "202 without a page"), (451, "refuses us")]
)
def test_an_answer_without_a_page_is_a_cause(status, says):
    assert says in str(Tripwire({}).response(status, b" \n"))


def test_a_crawl_stops_early_where_most_titles_are_answered_with_others_pages():
    tripwire = Tripwire({})
    for number in range(WINDOW):
        assert (
            tripwire.title({**WHOLE, "merged_into": f"tt{number}" if number % 2 else None}) is None
        )
    causes = [tripwire.title({**WHOLE, "merged_into": "tt7"}) for _ in range(WINDOW)]
    assert "other titles' pages" in str(causes[1])


def merged(*targets: int) -> dict[str, str]:
    """Titles by number, each merged into its target."""
    return {f"tt{n}": f"tt9{target}" for n, target in enumerate(targets)}


@pytest.mark.parametrize(
    ("targets", "visited", "wrong", "says"),
    [
        ([], 0, 0, ""),
        ([0, 1, 2, 3, 4, 0, 0, 0, 0], 9, 0, ""),  # few, in a crawl of no other titles
        ([0] * 5 + [1] * 5, 12, 0, ""),
        (range(20), 200, 0, ""),
        ([0] * 6, 500, 6, "6 titles were answered with the page of tt90"),
        ([0] * 6 + [1] * 3, 500, 6, "page of tt90"),
        ([0] * 7 + [1] * 6, 500, 13, "7 titles"),
        ([0, 1] * 15, 30, 30, "for 30 of the last 30"),
        (range(11), 100, 11, "for 11 of the last 100"),
        (range(21), 200, 21, "for 21 of the last 200"),
    ],
)
def test_merges_are_taken_where_they_are_few(targets, visited, wrong, says):
    found, cause = excess_merges(merged(*targets), [f"tt{n}" for n in range(visited)])
    assert len(found) == wrong and says in cause and bool(cause) == bool(wrong)


def test_429_counts_only_in_a_row():
    tripwire = Tripwire({})
    for _ in range(3):
        for _ in range(MOST_429 - 1):
            assert tripwire.response(429, b"") is None
        assert tripwire.title(WHOLE) is None
    assert [bool(tripwire.response(429, b"")) for _ in range(MOST_429)] == [False, False, True]


def test_refusals_and_failures_count_only_in_a_row():
    tripwire = Tripwire({})
    for _ in range(MOST_REFUSED - 1):
        assert tripwire.refused("odd") is None
    tripwire.title(WHOLE)
    assert tripwire.refused("odd") is None
    for _ in range(MOST_FAILED - 1):
        assert tripwire.failed("slow") is None
    assert "slow" in str(tripwire.failed("slow"))


def test_a_field_that_vanishes_is_a_cause_with_its_name():
    tripwire = Tripwire({"directors": 0.98, "genres": 1.0})
    for _ in range(WINDOW):
        assert tripwire.title(WHOLE) is None
    causes = [tripwire.title({**WHOLE, "directors": []}) for _ in range(WINDOW)]
    found = [cause for cause in causes if cause]
    assert found and "'directors'" in found[0]
    assert causes.index(found[0]) < WINDOW - 5  # before all of the window is bare


def test_a_field_that_was_always_rare_is_no_cause():
    tripwire = Tripwire({"rating": 0.1, "vote_count": 0.1})
    record = {**WHOLE, "rating": None, "vote_count": None}
    causes = [tripwire.title(record if n % 10 else WHOLE) for n in range(WINDOW * 2)]
    assert not any(causes)


def test_a_first_crawl_has_a_floor():
    tripwire = Tripwire({})
    causes = [tripwire.title({**WHOLE, "genres": []}) for _ in range(WINDOW)]
    assert "'genres'" in str(causes[-1])
