"""Currencies of ISO 4217, and how many decimals their smallest coin has.

Source: ISO 4217:2015, list one, https://www.six-group.com/en/products-services/financial-information/data-standards.html
"""

from collections.abc import Mapping

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP
BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB
EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD
JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD
XCG XDR XOF XPD XPF XPT XSU XTS XUA YER ZAR ZMW ZWG ZWL
"""
CURRENCIES = frozenset(_CODES.split())
"""Codes that are, or were until lately, in use."""

_DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0
    ),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
"""Currency -> decimals of its smallest coin, where they are not two."""


def is_currency(text: str) -> bool:
    """Return whether a text is the code of a national currency."""
    return text in CURRENCIES


def is_any_currency(text: str) -> bool:
    """Return whether a text may name a currency, national or virtual.

    What looks like a code must be one.

    >>> [is_any_currency(text) for text in ("CNY", "Credits", "cny", "RMB", " ")]
    [True, True, False, False, False]
    """
    looks_like_a_code = len(text) == _CODE and text.isalpha()
    return text in CURRENCIES if looks_like_a_code else text == text.strip() != ""


_CODE = 3


def whole_coins(currency: str) -> int:
    """Return how many decimals the smallest coin of a currency has."""
    return _DECIMALS.get(currency, 2)
