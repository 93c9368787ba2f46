"""How many decimals the smallest coin of a currency has.

Source: https://www.six-group.com/en/products-services/financial-information/data-standards.html
(ISO 4217, list one)
"""

from collections.abc import Mapping

_CODES: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN
        BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP
        LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
        NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
        SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR
        ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

PLACES: Mapping[str, int] = {
    code: places for places, codes in _CODES.items() for code in codes.split()
}
"""Currency -> decimals of its minor unit."""


def minor_places(currency: str) -> int:
    """Return the decimals of a currency's minor unit.

    >>> minor_places("CNY"), minor_places("JPY"), minor_places("KWD")
    (2, 0, 3)

    Raises:
        UnknownCurrencyError: ISO 4217 has no such currency.
    """
    if currency not in PLACES:
        raise UnknownCurrencyError(currency)
    return PLACES[currency]


class UnknownCurrencyError(ValueError):
    """A currency of which nobody knows the smallest unit."""

    def __init__(self, currency: str) -> None:
        super().__init__(
            f"a currency must be a code of ISO 4217, as in CNY, or its book must say how many "
            f"decimals it has (minor: 2), found {currency!r}"
        )
