"""Parsers for amounts of money, such as `$10-12 million`, `1.234.567 EUR` or `₹ 20 crore`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from marquee.normalise.currencies import MARK, Mark, read_mark, resolve
from marquee.normalise.text import Unreadable, clean

__all__ = ["Money", "Unreadable", "read_amount", "read_money"]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole units (dollars, not cents) and its ISO 4217 currency."""

    amount: float
    currency: str


# The power of ten of each scale word, and whether the word's language has a decimal comma.
_SCALES: dict[str, tuple[int, bool]] = {
    "thousand": (3, False),
    "million": (6, False),
    "millions": (6, False),
    "mill": (6, False),
    "mln": (6, False),
    "mil": (6, False),
    "billion": (9, False),
    "bn": (9, False),
    "trillion": (12, False),
    "lakh": (5, False),
    "crore": (7, False),
    "crores": (7, False),
    "k": (3, False),
    "m": (6, False),
    "b": (9, False),
    "tausend": (3, True),
    "tsd": (3, True),
    "millionen": (6, True),
    "mio": (6, True),
    "milliarde": (9, True),
    "milliarden": (9, True),
    "mrd": (9, True),
}
_REMARK = re.compile(
    r"\([^()]*\)|/-|\b(?:estimated|geschätzt|about|circa|etwa|über)\b|\b(?:approx|ca)\b\.?"
)
_NUMBER = r"(?:\d[\d.,'’_ ]*\d|\d|\.\d+)(?:e[+-]?\d{1,2}(?![\d.,]))?"
_AMOUNT = re.compile(
    rf"({_NUMBER})(?:\s*({'|'.join(sorted(_SCALES, key=len, reverse=True))})\b\.?)?"
)
_RANGE = re.compile(r"^\s*(?:-|–|—|to|bis)\s*$")
_LONGEST = 200
"""Characters; a longer text is no amount."""
_SMALLEST, _LARGEST = Decimal(1), Decimal(10) ** 13


def read_money(text: str, countries: Sequence[str] = (), currency: str = "") -> Money | Unreadable:
    """Read one amount; a range (`$10-12 million`) gives its middle.

    `countries` are ISO 3166-1 codes, the main country first. They decide the currency of a sign
    that several currencies share (`¥`, `kr`, `Rs`). `currency` is a code, a sign or a name from a
    separate column. A sign in `text` must agree with `currency`: `$` agrees with `CAD`.
    """
    if len(text) > _LONGEST:
        return Unreadable(text[:_LONGEST], "is longer than an amount")
    plain = _REMARK.sub(" ", clean(text)).strip(" ,;~")
    code = _currency(MARK.findall(plain), countries, clean(currency))
    if isinstance(code, Unreadable):
        return Unreadable(text, code.reason)
    amount = _read_amount(MARK.sub(" ", plain).strip())
    if isinstance(amount, str):
        return Unreadable(text, amount)
    return Money(_plain(amount), code)


def read_amount(text: str) -> float | None:
    """An amount without a currency, with any grouping of digits; None for any other text."""
    amount = _read_amount(clean(text[: _LONGEST + 1]))
    return None if isinstance(amount, str) else _plain(amount)


def _currency(found: list[str], countries: Sequence[str], column: str) -> str | Unreadable:
    """The currency on which all marks in the text and the column agree."""
    stated = read_mark(column) if column else None
    if column and not stated:
        return Unreadable(column, f"names no currency we know: '{column}'")
    read = [mark for mark in map(read_mark, dict.fromkeys(found)) if mark]
    marks: list[Mark] = [*([stated] if stated else []), *read]
    if not marks:
        return Unreadable("", "names no currency")
    code = resolve(marks, countries)
    if code:
        return code
    if code is None:
        return Unreadable("", f"'{marks[-1].text}' is several currencies and no country says which")
    named = sorted({mark.usual or mark.text for mark in marks})
    return Unreadable("", f"names several currencies: {', '.join(named)}")


def _read_amount(text: str) -> Decimal | str:
    """An amount, or the reason why the text holds none."""
    text = text.removeprefix("+").removesuffix(".").strip()
    found = list(_AMOUNT.finditer(text.lower()))
    rest = text[: found[0].start()] + text[found[-1].end() :] if found else ""
    if not found:
        return "holds no number"
    if len(found) > 2 or rest.strip():
        return f"holds more than an amount: '{text}'"
    if len(found) == 2 and not _RANGE.match(text[found[0].end() : found[1].start()]):
        return f"holds two amounts: '{text}'"
    numbers = [(f.group(1).strip(), f.group(2)) for f in found]
    low, high = _read_number(*numbers[0]), _read_number(*numbers[-1])
    if low is None or high is None:
        return f"'{text}' groups its digits in no way we know"
    if low * 1000 < high and not numbers[0][1]:  # "10-12 million" means ten million
        low = _read_number(numbers[0][0], numbers[-1][1]) or low
    if low > high:
        return f"'{text}' is a range whose low end exceeds its high"
    middle = (low + high) / 2
    return middle if _SMALLEST <= middle < _LARGEST else f"'{text}' is not a plausible amount"


def _read_number(text: str, scale: str | None) -> Decimal | None:
    """Digits with separators and an optional exponent (`1.5e+07`); None for wrong grouping.

    A single `.` or `,` before three digits is a group separator, as in `1.234`. Before a scale
    word, the word's language decides: the number in `1.234 million` has three decimals.
    """
    power, comma = _SCALES[scale] if scale else (0, False)
    mantissa, _, exponent = text.partition("e")
    digits = re.sub(r"[ '’_]", " ", mantissa)
    decimal = _decimal_mark(digits, comma if scale else False if exponent else None)
    whole, _, part = (
        digits.rpartition(decimal) if decimal and decimal in digits else (digits, "", "")
    )
    if not _is_grouped(whole or "0") or (not part.isdecimal() and part):
        return None
    number = Decimal(f"{re.sub('[ .,]', '', whole) or 0}.{part or 0}")
    return number.scaleb(power + int(exponent or 0))


def _decimal_mark(digits: str, comma: bool | None) -> str:
    """The character of `digits` before the decimals: `.`, `,` or ""."""
    marks = [mark for mark in digits if mark in ".,"]
    if not marks:
        return ""
    last = marks[-1]
    before, _, after = digits.rpartition(last)
    if marks.count(last) > 1 or (len(set(marks)) == 1 and len(marks) > 1):
        return ""
    if len(set(marks)) == 2 or len(after) != 3 or " " in digits:
        return last
    if not re.fullmatch(r"[1-9]\d{0,2}", before):  # `1234.567` and `0.500` are no groups
        return last
    return last if comma is not None and (last == ",") == comma else ""


def _is_grouped(whole: str) -> bool:
    """Whether digits are ungrouped, in groups of three, or in Indian groups (`12,34,567`)."""
    return (
        re.fullmatch(r"\d+|\d{1,3}([ .,])\d{3}(?:\1\d{3})*|\d{1,2}(?:,\d{2})*,\d{3}", whole)
        is not None
    )


def _plain(amount: Decimal) -> float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)
