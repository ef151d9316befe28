"""A contract lists every difference at once."""

from __future__ import annotations

import pytest

from marquee.dataset_contracts import CONTRACTS, FEEDBACK, RATINGS, TITLE_ITEM, TITLES
from marquee.errors import ContractError

TITLE = {
    "title_id": "tt0123456", "title": "A Film", "type": "movie", "year": 1999,
    "release_date": "1999-01-02", "directors": [], "genres": ["Drama"], "rating": 7.5,
    "vote_count": 10, "budget": {"amount": 1e6, "currency": "USD"}, "countries": ["US"],
    "source_url": None, "fetched_at": None, "layout": None,
}  # fmt: skip


def test_frames_are_compared_column_by_column() -> None:
    types = {"user_id": "int", "rating": "double", "time": "bigint", "colour": "string"}
    with pytest.raises(ContractError) as caught:
        RATINGS.check_types(types)
    for part in ("movie_id is missing", "user_id is int, not bigint", "colour is not in"):
        assert part in caught.value.message
    RATINGS.check_types({c.name: c.type for c in RATINGS.columns})


def test_a_sound_record_passes() -> None:
    TITLE_ITEM.check_record(TITLE)
    assert TITLE_ITEM.differences(TITLE | {"plot": "extra keys are fine"}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title_id": "nm0000001"}, "title_id is not like"),
        ({"title": " "}, "title is empty"),
        ({"year": 1492}, "year is not"),
        ({"year": "1999"}, "year is str"),
        ({"rating": float("nan")}, "rating is float"),
        ({"rating": 11.0}, "rating is not between"),
        ({"budget": {"amount": 0, "currency": "USD"}}, "budget is not"),
        ({"budget": {"amount": 5, "currency": "dollars"}}, "budget is not"),
        ({"genres": "Drama"}, "genres is str"),
        ({"vote_count": True}, "vote_count is bool"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, object], said: str) -> None:
    found = TITLE_ITEM.differences(TITLE | change)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_all_differences_come_together() -> None:
    with pytest.raises(ContractError) as caught:
        FEEDBACK.check_record({"person": "42", "movie_id": "x", "rating": None})
    for part in ("person does not start", "movie_id is str", "time is missing"):
        assert part in caught.value.message


def test_every_contract_has_a_key_among_its_columns() -> None:
    assert all(set(c.key) <= set(c.names) for c in CONTRACTS.values())


def test_columns_that_name_a_row_by_themselves_may_not_repeat() -> None:
    TITLES.check_unique({"movie_id": 0, "title_id": 0})
    with pytest.raises(ContractError, match="2 rows repeat a title_id"):
        TITLES.check_unique({"movie_id": 0, "title_id": 2})
