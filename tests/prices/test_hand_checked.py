"""Amounts as pages write them, read and converted: every line of a table checked by hand.

`hand_checked.csv`: the text, the film's country and year; the amount and currency it means; the
dollars at the year's average rate (to 1.5 %: several publishers' averages differ by that), `none`
where no rate is to be had; or a part of the reason for which it must be refused.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from marquee.normalise.amounts import Money, Unreadable, read_money
from marquee.prices import RateTable

with Path(__file__).with_name("hand_checked.csv").open(encoding="utf-8", newline="") as stream:
    ROWS = list(csv.DictReader(stream))
RATES = RateTable.load(2031)
TOLERANCE = 0.015


def test_the_table_is_wide_enough():
    read = [row for row in ROWS if not row["reason"]]
    assert len(ROWS) >= 200 and len(ROWS) - len(read) >= 15
    assert len({row["currency"] for row in read}) >= 25
    assert len({row["country"] for row in read}) >= 25
    assert {int(row["year"]) // 10 for row in ROWS} >= {*range(193, 203)}


@pytest.mark.parametrize("row", ROWS, ids=[f"{r['text']}-{r['country']}-{r['year']}" for r in ROWS])
def test_every_amount_is_read_right_or_refused(row):
    found = read_money(row["text"], [row["country"]])
    if row["reason"]:
        assert isinstance(found, Unreadable) and row["reason"] in found.reason
        return
    assert found == Money(float(row["amount"]), row["currency"])
    dollars = RATES.dollars(found.amount, found.currency, int(row["year"]))
    if row["usd"] == "none":
        assert dollars is None
    else:
        assert dollars is not None and dollars.is_exact
        assert dollars.amount == pytest.approx(float(row["usd"]), rel=TOLERANCE)
