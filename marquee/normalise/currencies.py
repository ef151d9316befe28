"""The ISO 4217 currencies of words, signs, codes and Wikidata items.

Many marks stand for several currencies: every dollar is a `$`, every crown a `kr`. So a mark has a
*set* of codes. Several marks beside one amount mean the intersection of their sets: `$` and `CAD`
mean `CAD`. Where several codes remain, the mark's usual currency decides, then the title's
countries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# ISO 4217 codes of current currencies, and below of former currencies, for older titles.
_ACTIVE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD
KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN
NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP
SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL
"""
_FORMER = """
ATS BEF BGL BYR CSK CYP DDM DEM EEK ESP FIM FRF GRD HRK IEP ITL LTL LUF LVL MTL MXP NLG PTE ROL
RUR SIT SKK SUR TRL UAK VEB YUM ZRN ARA BRC BRE
"""
ACTIVE = frozenset(_ACTIVE.split())
FORMER = frozenset(_FORMER.split())
CODES = ACTIVE | FORMER


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign, word or code beside an amount, with the currencies that it may mean."""

    text: str
    codes: frozenset[str]
    usual: str | None
    """The usual currency of the mark; None where only the title's countries can decide."""


# Code, Wikidata item (`-` for none), and names of each currency.
_NAMED = """
USD Q4917 United States dollar|US dollar|U.S. dollar|US-Dollar|American dollar
EUR Q4916 euro
GBP Q25224 pound sterling|British pound|GB pound|UK pound|Pfund Sterling
JPY Q8146 Japanese yen|yen
INR Q80524 Indian rupee
KRW Q202040 South Korean won|Korean won|won
CNY Q39099 renminbi|Chinese yuan|yuan|RMB|CNH
CAD Q1104069 Canadian dollar
AUD Q259502 Australian dollar
RUB Q41044 Russian ruble|Russian rouble
CHF Q25344 Swiss franc
SEK Q122922 Swedish krona|Swedish krone|Swedish kronor
DKK Q25417 Danish krone|Danish kroner
NOK Q132643 Norwegian krone|Norwegian kroner
ISK Q131473 Icelandic króna
DEM Q16068 Deutsche Mark|German mark|Deutschmark|Deutsche Mark der DDR
FRF Q184172 French franc
CZK Q131016 Czech koruna
PLN Q123213 Polish złoty|Polish zloty|złoty|zloty
HUF Q47190 Hungarian forint|forint
HKD Q31015 Hong Kong dollar
TWD Q208526 New Taiwan dollar|Taiwan dollar
SGD Q190951 Singapore dollar
NZD Q1472704 New Zealand dollar
MXN Q4730 Mexican peso
BRL Q173117 Brazilian real
ARS Q199578 Argentine peso
CLP Q200050 Chilean peso
COP Q244819 Colombian peso
PEN Q204656 Peruvian sol
ZAR Q181907 South African rand|rand
TRY Q172872 Turkish lira
ILS Q131309 new shekel|Israeli new shekel|Israeli shekel|shekel
IDR Q41588 Indonesian rupiah|rupiah
MYR Q163712 Malaysian ringgit|ringgit
THB Q177882 baht|Thai baht
PHP Q17193 Philippine peso
VND Q192090 Vietnamese đồng|Vietnamese dong|đồng
PKR Q188289 Pakistani rupee
LKR Q4596 Sri Lankan rupee
BDT Q194453 Bangladeshi taka|taka
NGN Q203567 Nigerian naira|naira
EGP Q199462 Egyptian pound
UAH Q81893 Ukrainian hryvnia|hryvnia
RON Q131645 Romanian leu
BGN Q172540 Bulgarian lev
KZT Q173751 Kazakhstani tenge|tenge
AED Q200294 United Arab Emirates dirham
IRR Q188608 Iranian rial
NPR - Nepalese rupee
ITL - Italian lira
ESP - Spanish peseta|peseta
ATS - Austrian schilling
NLG - Dutch guilder
FIM - Finnish markka|markka
"""
_TABLE = [line.split(" ", 2) for line in _NAMED.strip().splitlines()]
WIKIDATA_CURRENCIES = {item: code for code, item, _ in _TABLE if item != "-"}
"""Currency by Wikidata item; a second public list confirms each item."""


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


DOLLARS = _codes(
    "USD CAD AUD NZD HKD SGD TWD BBD BMD BND BSD BZD DOP FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD "
    "ZWL ARS CLP COP CUP MXN MXP MOP NIO UYU CVE BRL"
)
"""Currencies that are written as a plain `$` at home."""
POUNDS = _codes("GBP IEP EGP LBP SYP SDG SSP FKP GIP SHP CYP ITL MTL TRL")
RUPEES = _codes("INR PKR LKR NPR MUR SCR MVR")
CROWNS = _codes("DKK NOK SEK ISK")
SHARED: dict[str, tuple[frozenset[str], str | None]] = {
    "$": (DOLLARS, "USD"),  # IMDb writes every other dollar with letters before the sign
    "＄": (DOLLARS, "USD"),
    "dollar": (DOLLARS, "USD"),
    "dollars": (DOLLARS, "USD"),
    "C$": (_codes("CAD NIO"), "CAD"),
    "£": (POUNDS, "GBP"),
    "￡": (POUNDS, "GBP"),
    "₤": (_codes("ITL GBP TRL MTL"), "ITL"),
    "pound": (POUNDS, "GBP"),
    "pounds": (POUNDS, "GBP"),
    "pfund": (POUNDS, "GBP"),
    "¥": (_codes("JPY CNY"), None),
    "￥": (_codes("JPY CNY"), None),
    "₩": (_codes("KRW KPW"), "KRW"),
    "￦": (_codes("KRW KPW"), "KRW"),
    "₽": (_codes("RUB RUR"), "RUB"),
    "₺": (_codes("TRY TRL"), "TRY"),
    **dict.fromkeys(("kr", "kr.", "krone", "kroner", "krona", "kronor"), (CROWNS, None)),
    **dict.fromkeys(("rs", "rs.", "₨", "rupee", "rupees", "rupien"), (RUPEES, None)),
}
"""The possible currencies and the usual currency of each ambiguous mark."""
SIGNS = {
    **dict.fromkeys(("US$", "U.S.$"), "USD"),
    **dict.fromkeys(("AU$", "A$"), "AUD"),
    **dict.fromkeys(("CA$", "CDN$", "Can$"), "CAD"),
    "NZ$": "NZD",
    "HK$": "HKD",
    "NT$": "TWD",
    **dict.fromkeys(("SG$", "S$"), "SGD"),
    **dict.fromkeys(("MX$", "Mex$"), "MXN"),
    "R$": "BRL",
    "J$": "JMD",
    "TT$": "TTD",
    "FJ$": "FJD",
    "N$": "NAD",
    "EC$": "XCD",
    **dict.fromkeys(("CN¥", "元"), "CNY"),
    **dict.fromkeys(("JP¥", "円"), "JPY"),
    "원": "KRW",
    "€": "EUR",
    "₹": "INR",
    "₪": "ILS",
    "₫": "VND",
    "₴": "UAH",
    "₱": "PHP",
    "฿": "THB",
    "₦": "NGN",
    "₣": "FRF",
    "₧": "ESP",
    "₸": "KZT",
    "₾": "GEL",
    "৳": "BDT",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "DM": "DEM",
    "RM": "MYR",
    "Rp": "IDR",
}
WORDS = {
    name.lower() + ending: code
    for code, _, names in _TABLE
    for name in names.split("|")
    for ending in ("", "s")
}
_EITHER_CASE = _codes("USD EUR GBP JPY INR CNY KRW CAD AUD CHF SEK NOK DKK RUB")
"""Codes that also count in small letters, because they are no English words."""


def _whole_words(words: Iterable[str]) -> str:
    """A pattern of any of `words`, the longest first.

    No letter may precede a word that starts with a letter, or follow a word that ends with one. So
    `RM` does not match the start of `RMB`.
    """
    listed = list(words)
    lettered = [w for w in listed if w[0].isalpha() and w[-1].isalpha()]
    opened = [w for w in listed if w[0].isalpha() and not w[-1].isalpha()]
    other = [w for w in listed if not w[0].isalpha()]
    letter = r"[^\W\d_]"
    return f"(?<!{letter})(?:{_trie(opened)}|{_trie(lettered)}(?!{letter}))|{_trie(other)}"


def _trie(words: Iterable[str]) -> str:
    """A pattern of any of `words`, the longest first, as a prefix tree.

    A flat list of alternatives is seven times slower.
    """
    endings: dict[str, list[str]] = {}
    for word in words:
        endings.setdefault(word[:1], []).append(word[1:])
    found = [re.escape(first) + _trie(rest) for first, rest in sorted(endings.items()) if first]
    return f"(?:{'|'.join(found)})" + ("?" if "" in endings else "") if found else ""


MARK = re.compile(
    f"(?i:{_whole_words([*WORDS, *SHARED, *_EITHER_CASE])})|{_whole_words([*SIGNS, *CODES])}"
)
"""Any mark in a text. The pattern prefers a longer sign (`CA$`) to a shorter one (`$`)."""


def read_mark(text: str) -> Mark | None:
    """The mark of one sign, word, code or name; None for an unknown text."""
    word = " ".join(text.split())
    if word in SIGNS:
        return Mark(word, frozenset((SIGNS[word],)), SIGNS[word])
    for key in (word, word.lower()):
        if key in SHARED:
            return Mark(word, *SHARED[key])
    code = word.upper() if word.upper() in CODES else WORDS.get(word.lower())
    return Mark(word, frozenset((code,)), code) if code else None


def resolve(marks: Sequence[Mark], countries: Sequence[str]) -> str | None:
    """The one code that all `marks` can mean; "" where they contradict, None where several remain.

    `marks` holds at least one mark. `countries` are ISO 3166-1 codes. Where several codes remain,
    the first country whose own currency is among them decides. The code of a currency starts with
    the code of its country.
    """
    codes = frozenset.intersection(*(mark.codes for mark in marks))
    if len(codes) < 2:
        return next(iter(codes), "")
    usual = {mark.usual for mark in marks} & codes
    if len(usual) == 1:
        return str(usual.pop())
    own = (code for country in countries for code in sorted(codes) if code.startswith(country))
    return next(own, None)
