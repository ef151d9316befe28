"""Which word, sign or code means which ISO 4217 currency."""

from __future__ import annotations

from collections.abc import Sequence

# ISO 4217: what circulates today, and what budgets of older films were written in.
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

SIGNS = {
    "US$": "USD",
    "AU$": "AUD",
    "A$": "AUD",
    "CA$": "CAD",
    "C$": "CAD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "NT$": "TWD",
    "S$": "SGD",
    "MX$": "MXN",
    "R$": "BRL",
    "CN¥": "CNY",
    "JP¥": "JPY",
    "$": "USD",  # IMDb writes every other dollar with letters before the sign
    "€": "EUR",
    "£": "GBP",
    "₤": "ITL",
    "₩": "KRW",
    "₹": "INR",
    "₽": "RUB",
    "₺": "TRY",
    "₪": "ILS",
    "₫": "VND",
    "₴": "UAH",
    "₱": "PHP",
    "฿": "THB",
    "₦": "NGN",
    "元": "CNY",
    "円": "JPY",
    "원": "KRW",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "Rs.": "INR",
    "Rs": "INR",
    "RM": "MYR",
}
WORDS = {
    "dollar": "USD",
    "dollars": "USD",
    "euro": "EUR",
    "euros": "EUR",
    "yen": "JPY",
    "yuan": "CNY",
    "renminbi": "CNY",
    "won": "KRW",
    "rupees": "INR",
    "rupien": "INR",
    "pounds": "GBP",
    "pfund": "GBP",
}
# One sign, several currencies: the title's countries say which.
SHARED = {
    "¥": {"JP": "JPY", "CN": "CNY"},
    "￥": {"JP": "JPY", "CN": "CNY"},
    "kr.": {"DK": "DKK", "NO": "NOK", "SE": "SEK", "IS": "ISK"},
    "kr": {"DK": "DKK", "NO": "NOK", "SE": "SEK", "IS": "ISK"},
}


def resolve(sign: str, countries: Sequence[str]) -> str | None:
    """The ISO code a sign, word or code stands for, or None.

    `countries` are ISO 3166-1 codes; the first that uses a shared sign decides it.
    """
    if sign in SHARED:
        shared = SHARED[sign]
        return next((shared[c] for c in countries if c in shared), None)
    code = sign.upper()
    return SIGNS.get(sign) or WORDS.get(sign.lower()) or (code if code in CODES else None)
