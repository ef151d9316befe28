"""Amounts whose source names no currency: read where beyond doubt, else refused with reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.prices import CERTAIN, PriceIndex, RateTable, infer_currency
from marquee.prices.unlabelled import currencies_of
from sources.titles_imdb5000 import read_imdb5000

RATES, PRICES = RateTable.load(2026), PriceIndex.load(2026)
IMDB5000 = Path(__file__).resolve().parents[3] / "shared/data/imdb5000/movie_metadata.csv"
# title id: the currency as the film's own page stated it; known from elsewhere, by hand.
KNOWN = {
    "tt0468492": "KRW",  # The Host
    "tt0451094": "KRW",  # Lady Vengeance
    "tt0119698": "JPY",  # Princess Mononoke
    "tt0094625": "JPY",  # Akira
    "tt0348121": "JPY",  # Steamboy
    "tt0188640": "JPY",  # Godzilla 2000
    "tt0367082": "HUF",  # Fateless
    "tt0449999": "INR",  # Kabhi Alvida Naa Kehna
    "tt1198101": "INR",  # Kites
    "tt0425637": "CNY",  # Red Cliff
    "tt0290879": "THB",  # The Legend of Suriyothai
    "tt0120274": "ESP",  # Tango
    "tt0151137": "FRF",  # The Messenger
    "tt0058461": "USD",  # A Fistful of Dollars
    "tt0060196": "USD",  # The Good, the Bad and the Ugly
    "tt0364569": "USD",  # Oldboy
    "tt1899353": "USD",  # The Raid
}


@pytest.mark.parametrize(
    ("amount", "country", "year", "currency"),
    [
        (12_215_500_000, "KR", 2006, "KRW"),
        (2_400_000_000, "JP", 1997, "JPY"),
        (700_000_000, "ES", 1998, "ESP"),
        (11_000_000_000, "IT", 1985, "ITL"),
        (25_000_000, "US", 1995, "USD"),
        (3_000_000, "KR", 2003, "USD"),
        (218, "US", 2003, "USD"),
    ],
)
def test_what_only_one_currency_makes_plausible_is_read(amount, country, year, currency):
    found = infer_currency(amount, [country], year, RATES, PRICES)
    assert found.currency == currency and found.confidence >= CERTAIN and found.is_certain


@pytest.mark.parametrize(
    ("amount", "countries", "year", "says"),
    [
        (5_000_000, ["GB"], 2010, "may be"),  # pounds or dollars: a factor of 1.6
        (30_000_000, ["FR"], 2010, "may be"),
        (30_000_000, ["US", "GB"], 2010, "may be"),
        (70_000_000, ["IN"], 2008, "may be"),
        (12e9, ["US"], 2000, "plausible in none"),
        (1e13, ["KR"], 2006, "plausible in none"),
        (5_000_000, [], 2010, "no country"),
        (5_000_000, ["GB"], None, "no year"),
        (5_000_000, ["GB"], 1938, "no exchange rate for GBP in 1938"),
        (5_000_000, ["XX"], 2000, "no exchange rate for ? in 2000"),
        (5_000_000, ["FR"], 1955, "no exchange rate for ? in 1955"),
    ],
)
def test_what_is_in_doubt_is_refused_with_its_reason(amount, countries, year, says):
    found = infer_currency(amount, countries, year, RATES, PRICES)
    assert not found.is_certain and says in found.reason


@pytest.mark.parametrize(
    ("country", "year", "currencies"),
    [
        ("FR", 1998, ["FRF"]),
        ("FR", 2000, ["FRF", "EUR"]),
        ("FR", 2003, ["EUR"]),
        ("MX", 1992, ["MXP"]),
        ("MX", 1993, ["MXN"]),
        ("HR", 2023, ["EUR"]),
        ("SU", 1970, []),
    ],
)
def test_which_currency_circulated(country, year, currencies):
    assert currencies_of(country, year) == currencies


@given(
    st.floats(1, 1e14),
    st.sampled_from(["US", "GB", "KR", "IN", "FR", "XX"]),
    st.integers(1900, 2040),
)
def test_an_answer_is_a_share_and_a_certain_one_is_worth_a_film(amount, country, year):
    found = infer_currency(amount, [country], year, RATES, PRICES)
    assert 0 <= found.confidence <= 1 and found.reason
    if found.is_certain:
        dollars = RATES.dollars(amount, found.currency, year)
        assert dollars is not None and dollars.amount < 1e9


def test_imdb5000_is_misread_nowhere():
    """Every budget kept of a film not American is in the currency its own page stated."""
    if not IMDB5000.is_file():
        pytest.skip(f"{IMDB5000} is not there: the file is not in the repository")
    found = {r["title_id"]: r for r in read_imdb5000(IMDB5000)}
    assert len(found) == 4919
    currencies = {t: found[t]["budget"]["currency"] for t in KNOWN}
    assert currencies == KNOWN
    abroad = [r for r in found.values() if r["countries"] != ["US"]]
    certain = [r for r in abroad if r["budget"]]
    doubted = [r for r in abroad if any(note.startswith("budget: ") for note in r["notes"])]
    assert 25 <= len(certain) <= 60 and len(doubted) > 900
    assert all(r["budget"]["confidence"] >= CERTAIN for r in certain)
