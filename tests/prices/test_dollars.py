"""Amounts by hand: the rate of the year, in the right direction, or none at all."""

from __future__ import annotations

import pytest

from marquee.prices import PriceIndex, RateTable, rate_sources

TODAY = RateTable.load(2026)

# amount, currency, year, dollars: worked out by hand from the published annual averages
# (currency units a dollar, or dollars a unit for pound and euro), to three figures.
BY_HAND = [
    (12_215_500_000, "KRW", 2006, 12.8e6),  # 955 won
    (1_000_000, "USD", 1931, 1e6),
    (10_000_000, "GBP", 2005, 18.2e6),  # $1.820
    (2_384_673_000, "JPY", 1985, 10e6),  # 238.5
    (10_000_000, "EUR", 2010, 13.26e6),  # $1.326
    (350_000_000, "INR", 2001, 7.41e6),  # 47.22
    (4_033_990, "BEF", 2001, 89_560),  # 100,000 euro at $0.8956
    (20_000_000, "AUD", 1994, 14.6e6),  # 1.367
    (11_000_000, "CAD", 1977, 10.35e6),  # 1.063
    (5_000_000, "SEK", 1972, 1.051e6),  # 4.757
    (7_000_000, "MXN", 1994, 2.068e6),  # 3.385
    (77_402_000, "HKD", 1992, 10e6),
    (1_000_000, "CHF", 2015, 1.039e6),  # 0.9628
    (60_000_000, "CNY", 1994, 6.945e6),  # 8.64
    (700_000_000, "TWD", 2009, 21.2e6),  # 33.02
    (10_000_000, "BRL", 2000, 5.464e6),  # 1.830
    (22_344_000, "ZAR", 1985, 10e6),
    (41_262_300, "THB", 1998, 1e6),
    (36_540_000, "PLN", 2004, 10e6),  # 3.654
    (385_900_000, "CZK", 2000, 10e6),  # 38.59
    (38_500_000, "RUB", 2014, 1e6),  # 38.5
    (78_000_000, "NOK", 1999, 10e6),  # 7.80
    (7_404_800, "DKK", 1971, 1e6),
    (19_062_000, "NZD", 1986, 10e6),
]


# Devaluations and inflations that really happened; any other jump is a slip in the table.
CRISES = {
    "ARS": {2002},
    "CLP": {1985},
    "COP": {1958},
    "CRC": {1981, 1982},
    "DOP": {2003},
    "DZD": {1991},
    "EGP": {1979, 2017},
    "ETB": {1993},
    "GTQ": {1986},
    "IDR": {1998},
    "ISK": {1982, 1983},
    "JMD": {1984, 1991, 1992},
    "KES": {1993},
    "KRW": {1964},
    "LKR": {1978},
    "MDL": {1999},
    "MXN": {1995},
    "MXP": {1982, 1983, 1986, 1987, 1988},
    "NGN": {1986, 1987, 1989, 1992},
    "PHP": {1962},
    "PKR": {1972},
    "RUB": {1999},
    "TRL": {1980, 1984, 1988, 1992, 1994, 1996, 1997, 1998, 1999, 2001},
    "TRY": {2022},
    "UAH": {1999},
    "XAF": {1994},
    "XOF": {1994},
}


@pytest.mark.parametrize(("amount", "currency", "year", "dollars"), BY_HAND)
def test_amounts_worked_out_by_hand(
    amount: float, currency: str, year: int, dollars: float
) -> None:
    found = TODAY.dollars(amount, currency, year)
    assert found is not None
    assert found.is_exact and found.rate_year == year
    assert found.amount == pytest.approx(dollars, rel=5e-3)


@pytest.mark.parametrize(
    ("currency", "year"),
    [("FRF", 1955), ("GBP", 1949), ("AUD", 1960), ("EGP", 1985), ("XAU", 2010)],
)
def test_a_year_without_a_checked_rate_is_never_guessed(currency: str, year: int) -> None:
    assert TODAY.dollars(1_000_000, currency, year) is None


def test_a_year_beyond_the_table_uses_the_last_and_says_so() -> None:
    found = TODAY.dollars(1_000_000, "EUR", 2030)
    last = TODAY.dollars(1_000_000, "EUR", 2025)
    assert found is not None and last is not None
    assert (found.amount, found.rate_year, found.is_exact) == (last.amount, 2025, False)


def test_a_table_read_as_of_a_year_does_not_know_that_year() -> None:
    then = RateTable.load(2004).dollars(1_000_000, "EUR", 2004)
    assert then is not None
    assert (then.rate_year, then.is_exact) == (2003, False)
    assert TODAY.dollars(1_000_000, "EUR", 2004) != then


@pytest.mark.parametrize(
    ("currency", "year"), [("EUR", 1995), ("KRW", 1950), ("XYZ", 2001), ("", 2001)]
)
def test_no_rate_is_no_dollars(currency: str, year: int) -> None:
    assert TODAY.dollars(1_000_000, currency, year) is None


def test_every_rate_is_positive_and_has_a_known_source() -> None:
    assert len(TODAY.rates) >= 50
    assert all(rate > 0 for by_year in TODAY.rates.values() for rate in by_year.values())
    assert TODAY.knows("USD") and TODAY.knows("FRF") and not TODAY.knows("XYZ")


def test_rates_move_smoothly() -> None:
    """A misplaced digit or decimal point would show as a jump."""
    jumps = {
        (currency, year)
        for currency, by_year in TODAY.rates.items()
        for year in by_year
        if year - 1 in by_year and not 0.6 < by_year[year] / by_year[year - 1] < 1.6
    }
    assert jumps == {(currency, year) for currency, years in CRISES.items() for year in years}


# Legally fixed: units a euro (Council Regulation 2866/98 and successors).
EURO = {
    "ATS": 13.7603,
    "BEF": 40.3399,
    "DEM": 1.95583,
    "ESP": 166.386,
    "FIM": 5.94573,
    "FRF": 6.55957,
    "IEP": 0.787564,
    "ITL": 1936.27,
    "NLG": 2.20371,
    "PTE": 200.482,
}


@pytest.mark.parametrize(("currency", "per_euro"), EURO.items())
def test_the_euros_predecessors_keep_its_fixed_rate_and_their_history(
    currency: str, per_euro: float
) -> None:
    rates = TODAY.rates[currency]
    assert rates[2000] / TODAY.rates["EUR"][2000] == pytest.approx(per_euro, rel=1e-4)
    assert {*range(1964, 2003)} <= rates.keys()
    # 1998's market rates were within a few per cent of the factors fixed on its last day.
    assert rates[1998] / rates[1999] == pytest.approx(1.0, abs=0.1)


def test_every_rate_names_who_published_it_and_what_it_was_checked_against() -> None:
    named = rate_sources()
    assert set(named) == {"ecb", "fed", "pwt"}
    assert all(source["publisher"] and source["checked_against"] for source in named.values())
    found = TODAY.coverage()
    assert set(found) == set(TODAY.rates) and len(found) >= 90
    assert {s for one in found.values() for s in one.sources} == set(named)
    assert found["ITL"].first == 1950 and found["ITL"].last == 2002


def test_coverage_ends_before_as_of() -> None:
    assert RateTable.load(1980).coverage()["DEM"].last == 1979
    assert "EUR" not in RateTable.load(1999).coverage()


def test_a_rate_long_gone_is_none() -> None:
    """Five years past its end a currency's last rate says nothing any more."""
    assert TODAY.dollars(1e6, "DEM", 2007) is not None
    assert TODAY.dollars(1e6, "DEM", 2008) is None


def test_prices() -> None:
    index = PriceIndex.load(2026)
    assert (index.first, index.last) == (1913, 2025)
    # BLS: 60.6 in 1977, 321.943 in 2025.
    assert index.factor(1977, 2025) == pytest.approx(5.3126, rel=1e-4)
    assert index.factor(2025, 1977) == pytest.approx(1 / 5.3126, rel=1e-4)
    assert index.factor(1900, 2025) == index.factor(1913, 2025)
    assert index.factor(2040, 2025) == 1.0
    assert [index.nearest(year) for year in (1874, 1913, 2000, 2025, 2100)] == [
        1913, 1913, 2000, 2025, 2025,
    ]  # fmt: skip
    assert index.factors(2025) == {y: index.factor(y, 2025) for y in range(1913, 2026)}


def test_prices_as_of_a_year_end_the_year_before() -> None:
    assert PriceIndex.load(1999).last == 1998
    assert PriceIndex.load(1913).last == 1913
