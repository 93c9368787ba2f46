"""A bill as double entry for accountants: beancount text, and CSV that others import.

rows -> amounts per (account, project) -> whole minor units that come to what is payable

Orders are deferred when they are billed and become income by their EffectiveCost, month by month.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256

from metering.period import zone_of
from metering.sheet import guarded
from pricing.bills.bill import Bill
from pricing.bills.charge_cells import SETTLEMENT_ZH
from pricing.bills.total import nearest
from pricing.focus.column import Row
from pricing.ledger.entry import Unit
from pricing.statement.printed import printed
from pricing.statement.statement import group_of, is_wallet


class Side(StrEnum):
    """An account of the journal, by what it is for."""

    RECEIVABLE = "receivable"
    WALLET = "wallet"
    DEFERRED = "deferred"
    TAX = "tax"
    NODES = "nodes"
    TOKENS = "tokens"
    SUBSCRIPTIONS = "subscriptions"
    OTHER = "other"
    """Discounts, true-ups and fees."""
    ROUNDING = "rounding"


ACCOUNTS: Mapping[Side, str] = {
    Side.RECEIVABLE: "Assets:Receivable",
    Side.WALLET: "Liabilities:Wallet",
    Side.DEFERRED: "Liabilities:Deferred:Subscription",
    Side.TAX: "Liabilities:Tax",
    Side.NODES: "Income:Nodes:Hourly",
    Side.TOKENS: "Income:Tokens",
    Side.SUBSCRIPTIONS: "Income:Nodes:Subscription",
    Side.OTHER: "Income:Other",
    Side.ROUNDING: "Income:Rounding",
}
"""What accounts are called where nobody says otherwise."""

_COLUMNS = (
    "date", "entry_id", "account", "debit", "credit", "currency", "memo", "invoice_id", "project",
)  # fmt: skip
_ACCOUNT = re.compile(r"(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}")
_MADE = {"Tokens": Side.TOKENS, "Seconds": Side.NODES}
_WHOLE = frozenset({Side.TAX, Side.DEFERRED, Side.WALLET})
"""What the ledger rounds on its own; income is shared out, and what is left is rounding."""


@dataclass(frozen=True, slots=True)
class Posting:
    """So much on one account, debits above zero."""

    side: Side
    project: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """Postings of one day, which come to nothing together."""

    id: str
    day: date
    memo: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries of one bill."""

    bill: str
    number: str
    customer: str
    currency: str
    entries: tuple[Entry, ...]


def journal_of(bill: Bill, zone: str) -> Journal:
    """Return the entries of a bill, dated the last day of its month in the account's zone."""
    day = (bill.month.end - timedelta(microseconds=1)).astimezone(zone_of(zone)).date()
    billed = Entry(bill.id, day, f"bill {bill.number or bill.id}", _billed(bill))
    earned = [
        Entry(f"{bill.id}:{contract}", day, f"{contract} earned in {day:%Y-%m}", postings)
        for contract, postings in _earned(bill)
    ]
    entries = tuple(entry for entry in (billed, *earned) if entry.postings)
    return Journal(bill.id, bill.number, bill.account, bill.currency, entries)


def accounts_of(text: str) -> dict[Side, str]:
    """Return what accounts are called, from ``receivable=1122,tokens=6001.02``; others as ours.

    Raises:
        AccountsError: a pair names no account of the journal.
    """
    names = dict(ACCOUNTS)
    for pair in filter(None, (part.strip() for part in text.split(","))):
        side, _, name = (part.strip() for part in pair.partition("="))
        if side not in set(Side) or not name:
            raise AccountsError(pair)
        names[Side(side)] = name
    return names


def side_of(row: Row) -> Side:
    """Return the account that a row is credited to."""
    is_settlement = str(row["x_ChargeDescriptionZh"] or "").startswith(SETTLEMENT_ZH)
    if is_wallet(row):
        return Side.WALLET
    if group_of(row) == "Rounding":
        return Side.ROUNDING
    if row["ChargeCategory"] == "Tax":
        return Side.TAX
    if row["ChargeCategory"] == "Purchase" or is_settlement:
        return Side.DEFERRED
    return _MADE.get(row["ConsumedUnit"] or "", Side.OTHER)


def journal_csv(journal: Journal, names: Mapping[Side, str] = ACCOUNTS) -> str:
    """Return the entries as CSV, a line a posting; ``names`` are a company's own accounts."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in journal.entries:
        for posting in entry.postings:
            debit, credit = max(posting.amount, Decimal(0)), max(-posting.amount, Decimal(0))
            writer.writerow((
                f"{entry.day:%Y-%m-%d}", guarded(entry.id), guarded(names[posting.side]),
                f"{debit:f}" if debit else "", f"{credit:f}" if credit else "", journal.currency,
                guarded(entry.memo), guarded(journal.number), guarded(posting.project),
            ))  # fmt: skip
    return out.getvalue()


def beancount(journal: Journal, names: Mapping[Side, str] = ACCOUNTS) -> str:
    """Return the entries as beancount text, which opens the accounts that it uses.

    Raises:
        AccountNameError: a company's own name for an account is none that beancount takes.
    """
    for name in names.values():
        if not _ACCOUNT.fullmatch(name):
            raise AccountNameError(name)
    own = dict(names) | {Side.RECEIVABLE: f"{names[Side.RECEIVABLE]}:{_part(journal.customer)}"}
    used = sorted({own[p.side] for entry in journal.entries for p in entry.postings})
    lines = [f'option "operating_currency" "{journal.currency}"', ""]
    lines += [f"1970-01-01 open {name} {journal.currency}" for name in used]
    for entry in journal.entries:
        payee, memo = _quoted(journal.customer), _quoted(entry.memo)
        lines += ["", f"{entry.day:%Y-%m-%d} * {payee} {memo} ^{_part(journal.bill)}"]
        lines.append(f"  entry_id: {_quoted(entry.id)}")
        lines += [_bean_line(posting, own, journal.currency) for posting in entry.postings]
    return "\n".join(lines) + "\n"


def _bean_line(posting: Posting, names: Mapping[Side, str], currency: str) -> str:
    line = f"  {names[posting.side]}  {posting.amount:f} {currency}"
    return f"{line}\n    project: {_quoted(posting.project)}" if posting.project else line


def _billed(bill: Bill) -> tuple[Posting, ...]:
    """Return what is owed and what for."""
    sums: dict[tuple[Side, str], Fraction] = defaultdict(Fraction)
    for row in bill.rows:
        sums[side_of(row), str(row["SubAccountId"] or "")] += Fraction(row["BilledCost"])
    exact = {key: amount for key, amount in sums.items() if key[0] is not Side.ROUNDING}
    units = _whole_units(exact, bill.unit)
    payable = bill.unit.units(bill.payable)
    left = payable - sum(units.values())
    owed = {(Side.RECEIVABLE, ""): payable} | {key: -found for key, found in units.items()}
    return _postings(owed | {(Side.ROUNDING, ""): -left}, bill.unit)


def _whole_units(
    exact: Mapping[tuple[Side, str], Fraction], unit: Unit
) -> dict[tuple[Side, str], int]:
    """Round as the ledger does: tax and orders each, income as one sum that is then shared out."""
    scale = 10**unit.places
    keys = sorted(key for key in exact if key[0] not in _WHOLE)
    income = sum((exact[key] for key in keys), Fraction(0))
    cut = Fraction(nearest(income * scale), scale) - income
    shares = printed([*(exact[key] for key in keys), cut], unit)
    units = dict(zip(keys, shares, strict=False))
    if keys:  # what rounds the income belongs to the last of it
        units[keys[-1]] += shares[-1]
    return units | {k: nearest(a * scale) for k, a in sorted(exact.items()) if k[0] in _WHOLE}


def _earned(bill: Bill) -> Iterable[tuple[str, tuple[Posting, ...]]]:
    """Yield per contract what of its order became income in the months that the bill is about."""
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for row in bill.rows:
        if row["CommitmentDiscountStatus"]:
            sums[str(row["x_ContractId"] or "")] += Fraction(row["EffectiveCost"])
    for contract, amount in sorted(sums.items()):
        units = nearest(amount * 10**bill.unit.places)
        turned = {(Side.DEFERRED, ""): units, (Side.SUBSCRIPTIONS, ""): -units}
        yield contract, _postings(turned, bill.unit)


def _postings(units: Mapping[tuple[Side, str], int], unit: Unit) -> tuple[Posting, ...]:
    return tuple(
        Posting(side, project, unit.amount(found))
        for (side, project), found in units.items()
        if found
    )


def _part(name: str) -> str:
    """Return a name that beancount takes inside another: it is hashed where it is not plain."""
    digest = sha256(name.encode()).hexdigest()[:16]
    return f"Of-{name}" if _NAME.fullmatch(name) else f"Of-{digest}"


def _quoted(text: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text)
    return '"{}"'.format(clean.replace("\\", "\\\\").replace('"', '\\"'))


class AccountNameError(ValueError):
    """An account that beancount cannot have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"an account must be named as in Assets:Receivable, found {name!r}")


class AccountsError(ValueError):
    """A pair that names no account of the journal."""

    def __init__(self, pair: str) -> None:
        super().__init__(
            f"accounts must be pairs such as receivable=1122, of {', '.join(Side)}, found {pair!r}"
        )
