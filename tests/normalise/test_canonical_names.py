"""Text, genres, countries and languages."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.normalise.canonical_names import (
    GENRES,
    country_code,
    language_code,
    read_genre,
    read_genres,
)
from marquee.normalise.text import clean, unique


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text):
    once = clean(text)
    assert clean(once) == once
    assert "  " not in once and "\u00a0" not in once
    assert once == once.strip() and unicodedata.is_normalized("NFC", once)


def test_a_title_loses_its_non_breaking_space():
    assert clean("The Host\u00a0") == "The Host"


@pytest.mark.parametrize("genre", GENRES)
def test_canonical_genres_stay(genre):
    assert read_genre(genre) == genre == read_genre(f" {genre.upper()} ")


def test_german_genres_become_english_and_come_once():
    assert read_genres(["Komödie", "Comedy", "Science-Fiction", "Krieg"]) == [
        "Comedy",
        "Sci-Fi",
        "War",
    ]


def test_an_unknown_genre_is_kept_as_it_is():
    assert read_genre("Kitchen Sink") == "Kitchen Sink"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("USA", "US"),
        ("United States", "US"),
        ("us", "US"),
        ("West Germany", "DE"),
        ("XWG", "DE"),
        ("UK", "GB"),
        ("gb", "GB"),
    ],
)
def test_countries_have_one_code(text, code):
    assert country_code(text) == code


def test_unknown_names_have_none():
    assert country_code("Official site") is None
    assert language_code("None of these") is None
    assert language_code("English") == "en"


def test_unique_keeps_order_and_drops_nothing_else():
    assert unique(["b", "", "a", "b"]) == ["b", "a"]
