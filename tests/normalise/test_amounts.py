"""Amounts of money as pages write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.normalise.amounts import Money, Unreadable, read_money
from marquee.normalise.currencies import CODES, SIGNS


@pytest.mark.parametrize(
    ("text", "countries", "amount", "currency"),
    [
        ("JPY 2,400,000,000", (), 2_400_000_000, "JPY"),
        ("JPY\u00a02,400,000,000 (estimated)", (), 2_400_000_000, "JPY"),
        ("¥900,000,000", ("JP",), 900_000_000, "JPY"),
        ("¥90,000,000", ("US", "CN"), 90_000_000, "CNY"),
        ("CN¥90,000,000", (), 90_000_000, "CNY"),
        ("₩12,000,000,000", (), 12_000_000_000, "KRW"),
        ("NZ$250,000", (), 250_000, "NZD"),
        ("£8,000,000", (), 8_000_000, "GBP"),
        ("65.000.000 $(geschätzt)", (), 65_000_000, "USD"),
        ("65.000.000\u00a0$ (geschätzt)", (), 65_000_000, "USD"),
        ("65\u202f000\u202f000 €", (), 65_000_000, "EUR"),
        ("$12.5 million", (), 12_500_000, "USD"),
        ("12,5 Mio. €", (), 12_500_000, "EUR"),
        ("1.234 million $", (), 1_234_000, "USD"),
        ("1,234 Millionen €", (), 1_234_000, "EUR"),
        ("$10-12 million", (), 11_000_000, "USD"),
        ("$900,000 – $1.1 million", (), 1_000_000, "USD"),
        ("₹1,00,00,000", (), 10_000_000, "INR"),
        ("Rs. 70 crore", ("IN",), 700_000_000, "INR"),
        ("Rs.70,00,000/-", ("GB", "LK"), 7_000_000, "LKR"),
        ("7.5E+06 $", (), 7_500_000, "USD"),
        ("€7,5e6", (), 7_500_000, "EUR"),
        ("HKD$ 7,000,000", (), 7_000_000, "HKD"),
        ("RM7,000,000", (), 7_000_000, "MYR"),
        ("7000000 RMB", (), 7_000_000, "CNY"),
        ("7 million New Zealand dollars", (), 7_000_000, "NZD"),
        ("7,000,000 kroner", ("DK",), 7_000_000, "DKK"),
        ("eur 7_000_000", (), 7_000_000, "EUR"),
        ("£.7 million", (), 700_000, "GBP"),
        ("+7000000.000 USD", (), 7_000_000, "USD"),
        ("CHF 1'000'000.50", (), 1_000_000.5, "CHF"),
        ("kr 5 000 000", ("NO",), 5_000_000, "NOK"),
        ("A$1.5m", (), 1_500_000, "AUD"),
        ("FRF 39,000,000", (), 39_000_000, "FRF"),
    ],
)
def test_an_amount_is_read(text, countries, amount, currency):
    assert read_money(text, countries) == Money(amount, currency)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no currency"),
        ("12.5 million", "names no currency"),
        ("$", "holds no number"),
        ("¥5,000,000", "several currencies"),
        ("$1,23,4", "groups its digits"),
        ("$0", "plausible"),
        ("$5,000,000 for the first part", "more than an amount"),
        ("$5 €6", "several currencies"),
        ("Rs 5,000,000", "several currencies"),
        ("$9-7 million", "low end exceeds its high"),
        ("$3,000 to 7 million", "low end exceeds its high"),
        ("$7 TOPS", "more than an amount"),
        ("$7e99", "plausible"),
        ("$1 2 3 4 5", "groups its digits"),
        ("$99999999999999999", "plausible"),
    ],
)
def test_what_cannot_be_read_says_why(text, reason):
    found = read_money(text)
    assert isinstance(found, Unreadable)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("text", "column", "countries", "expected"),
    [
        ("$7,000,000", "AUD", (), "AUD"),
        ("$7,000,000", "Hong Kong dollar", ("US",), "HKD"),
        ("$7,000,000", "$", ("CA",), "USD"),
        ("7,000,000", "rmb", (), "CNY"),
        ("kr 7 000 000", "sek", ("NO",), "SEK"),
        ("7000000", "kr", ("NO",), "NOK"),
        ("£7,000,000", "IEP", (), "IEP"),
        ("¥7,000,000", "CNY", ("JP",), "CNY"),
        ("Rs 7,00,000", "NPR", (), "NPR"),
        ("$7,000,000", "EUR", (), "names several currencies: EUR, USD"),
        ("€7,000,000", "kr", ("NO",), "names several currencies: EUR, kr"),
        ("7,000,000", "kr", ("US",), "'kr' is several currencies and no country says which"),
        ("$7,000,000", "Q7", (), "names no currency we know: 'Q7'"),
    ],
)
def test_a_column_and_a_sign_mean_what_they_have_in_common(text, column, countries, expected):
    found = read_money(text, countries, column)
    assert (found.currency if isinstance(found, Money) else found.reason) == expected


@given(st.floats(min_value=1000, max_value=1e12))
def test_every_number_python_writes_is_read(amount):
    """From a thousand on: `1.125` alone may be grouped."""
    for text in (repr(amount), f"{amount:e}", f"{amount:.3f}", f"+{amount:,.2f}"):
        found = read_money(text, (), "USD")
        assert isinstance(found, Money) and found.amount == pytest.approx(
            float(text.replace(",", ""))
        )


whole_amounts = st.integers(min_value=1, max_value=10**12)


@given(whole_amounts, st.sampled_from(sorted(CODES)), st.sampled_from(",. '\u00a0\u202f"))
def test_grouped_digits_read_back(amount, code, separator):
    grouped = f"{amount:,}".replace(",", separator)
    assert read_money(f"{code} {grouped}") == Money(amount, code)
    assert read_money(f"{grouped}\u00a0{code} (estimated)") == Money(amount, code)


@given(whole_amounts, st.sampled_from(sorted(SIGNS)))
def test_signs_before_and_after_mean_the_same(amount, sign):
    assert read_money(f"{sign}{amount:,}") == read_money(f"{amount:,} {sign}")
    assert read_money(f"{sign}{amount:,}") == Money(amount, SIGNS[sign])


@given(st.integers(min_value=1, max_value=9999), st.integers(min_value=0, max_value=99))
def test_english_and_german_scales_agree(whole, part):
    english = read_money(f"${whole}.{part:02d} million")
    assert english == read_money(f"{whole},{part:02d} Millionen $")
    assert english == Money(whole * 1_000_000 + part * 10_000, "USD")


@given(st.text(max_size=60))
def test_any_text_is_an_answer_and_never_a_zero(text):
    found = read_money(text, ("US",))
    if isinstance(found, Money):
        assert found.amount > 0 and found.currency in CODES
    else:
        assert found.reason


@given(st.text(alphabet="0123456789.,' $€million–-", max_size=40))
def test_text_made_of_money_is_an_answer(text):
    found = read_money(text)
    assert isinstance(found, Money | Unreadable)
    assert not isinstance(found, Money) or 1 <= found.amount < 10**13
