"""What a statement says: a bill's rows put together for a reader, and nothing lost.

rows -> items (same contract, text and price) -> sections -> summary; each adds up as printed
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from metering.period import zone_of
from pricing.bills.bill import Bill, Document, State
from pricing.bills.part import ROUNDING_ZH
from pricing.focus.column import Row
from pricing.money import Rounding, plain, rounded
from pricing.statement.printed import printed
from pricing.statement.words import Language, words

_SUMMARY = ("Purchase", "Usage", "Credit", "Adjustment", "Tax", "Rounding")
"""Groups of the summary, in this order; one that no item is of is left out."""
_HOUR_SECONDS = 3600
_WALLET_ZH = "预付余额抵扣"


@dataclass(frozen=True, slots=True)
class Item:
    """One printed line."""

    contract: str
    group: str
    text: str
    quantity: str
    unit: str
    price: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Section:
    """The items of one contract, or of the whole account."""

    contract: str
    items: tuple[Item, ...]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """All that is printed of a bill."""

    language: Language
    title: str
    bill: str
    number: str
    account: str
    provider: str
    period: str
    currency: str
    summary: tuple[tuple[str, Decimal], ...]
    sections: tuple[Section, ...]
    tokens: tuple[tuple[str, str], ...]
    hours: tuple[tuple[str, str], ...]
    payable: Decimal


def statement_of(bill: Bill, language: Language, zone: str) -> Statement:
    """Return what is printed of a bill; its month is named in the account's zone."""
    items = _items(bill, language)
    return Statement(
        language=language,
        title=_title(bill, words(language)),
        bill=bill.id,
        number=bill.number,
        account=_name(bill),
        provider=next((str(row["ProviderName"]) for row in bill.rows), ""),
        period=_period(bill, zone),
        currency=bill.currency,
        summary=_summary(items, words(language)),
        sections=_sections(items),
        tokens=_tokens(bill.rows, words(language)),
        hours=_hours(bill.rows),
        payable=bill.payable,
    )


def group_of(row: Row) -> str:
    """Return the group of the summary that a row is of."""
    return "Rounding" if row["x_ChargeDescriptionZh"] == ROUNDING_ZH else row["ChargeCategory"]


def is_wallet(row: Row) -> bool:
    """Whether a row is what the wallet paid, or got back."""
    return str(row["x_ChargeDescriptionZh"] or "").startswith(_WALLET_ZH)


def _title(bill: Bill, said: Mapping[str, str]) -> str:
    title = said["credit-note" if bill.document is Document.CREDIT_NOTE else "title"]
    unfinished = bill.state in {State.DRAFT, State.BLOCKED, State.PARKED}
    return f"{title} ({said['draft']})" if unfinished else title


def _name(bill: Bill) -> str:
    name = next((row["BillingAccountName"] for row in bill.rows), None)
    return f"{name} ({bill.account})" if name and name != bill.account else bill.account


def _period(bill: Bill, zone: str) -> str:
    start, end = (t.astimezone(zone_of(zone)) for t in (bill.month.start, bill.month.end))
    return f"{start:%Y-%m-%d} – {end - timedelta(microseconds=1):%Y-%m-%d} ({zone})"


def _items(bill: Bill, language: Language) -> list[Item]:
    """Return rows of the same contract, text and price as one item each, in order of the rows."""
    text = "x_ChargeDescriptionZh" if language is Language.CHINESE else "ChargeDescription"
    said_in = words(language)
    same: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in bill.rows:
        price = row["ContractedUnitPrice"]
        said = str(row[text] or row["ChargeDescription"] or "")
        unit = said_in.get(row["PricingUnit"] or "", row["PricingUnit"] or "")
        cost = "" if price is None else f"{Decimal(plain(price)):,f}".removesuffix(".0")
        same[row["x_ContractId"] or "", group_of(row), said, unit, cost].append(row)
    sums = [_sum(rows, "BilledCost") for rows in same.values()]
    return [
        Item(contract, group, said, _quantity(rows), unit, price, bill.unit.amount(units))
        for ((contract, group, said, unit, price), rows), units in zip(
            same.items(), printed(sums, bill.unit), strict=True
        )
    ]


def _quantity(rows: Iterable[Row]) -> str:
    priced = [row for row in rows if row["PricingQuantity"] is not None]
    return figure(_sum(priced, "PricingQuantity")) if priced else ""


def figure(amount: Fraction) -> str:
    """Return a quantity as it is printed: thousands set apart, four decimals at most.

    >>> figure(Fraction("1234567.5")), figure(Fraction(900)), figure(Fraction(2, 3))
    ('1,234,567.5', '900', '0.6667')
    """
    return f"{Decimal(plain(rounded(amount, 4, Rounding.HALF_UP))):,f}".removesuffix(".0")


def _sections(items: Iterable[Item]) -> tuple[Section, ...]:
    """Return items by contract; what is of none comes last."""
    own: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        own[item.contract].append(item)
    return tuple(
        Section(contract, tuple(own[contract]), _total(own[contract]))
        for contract in sorted(own, key=lambda name: (not name, name))
    )


def _summary(items: list[Item], said: Mapping[str, str]) -> tuple[tuple[str, Decimal], ...]:
    groups = {name: [item for item in items if item.group == name] for name in _SUMMARY}
    return tuple((said[name], _total(own)) for name, own in groups.items() if own)


def _total(items: Iterable[Item]) -> Decimal:
    return sum((item.amount for item in items), Decimal(0))


def _tokens(rows: Iterable[Row], said: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    counts = _consumed(rows, "Tokens", "SkuMeter", 1)
    return tuple((said.get(name, name), count) for name, count in counts)


def _hours(rows: Iterable[Row]) -> tuple[tuple[str, str], ...]:
    return _consumed(rows, "Seconds", "ResourceName", _HOUR_SECONDS)


def _consumed(rows: Iterable[Row], unit: str, by: str, divisor: int) -> tuple[tuple[str, str], ...]:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        if row["ConsumedUnit"] == unit:
            sums[str(row[by] or "")] += Fraction(row["ConsumedQuantity"])
    return tuple((name, figure(total / divisor)) for name, total in sorted(sums.items()))


def _sum(rows: Iterable[Row], column: str) -> Fraction:
    return sum((Fraction(row[column]) for row in rows), Fraction(0))
