import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from beancount import loader
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from pricing.bills.bill import Bill, Document, State
from pricing.bills.part import ROUNDING_ZH
from pricing.ledger.entry import Unit
from pricing.shapes.alibaba import alibaba_csv
from pricing.shapes.journal import (
    ACCOUNTS,
    AccountNameError,
    AccountsError,
    Side,
    accounts_of,
    beancount,
    journal_csv,
    journal_of,
    side_of,
)
from pricing.shapes.ndjson import ndjson
from pricing.shapes.xlsx import TextTooLongError, workbook
from pricing.statement.printed import PartSumError, printed
from pricing.statement.statement import statement_of
from pricing.statement.words import Language
from tests.pricing.month_notation import bill_of, month_from

ZONE = "Asia/Shanghai"
FEN = Unit("CNY", 2)
ALIBABA_FIELDS = """
AdjustAmount AfterDiscountAmount BillAccountID BillAccountName BillingDate BillingItem
BillingItemCode BillingType BizType CashAmount CommodityCode CostUnit Currency
DeductedByCashCoupons DeductedByCoupons DeductedByPrepaidCard DeductedByResourcePackage
InstanceConfig InstanceID InstanceSpec InternetIP IntranetIP InvoiceDiscount Item ItemName
ListPrice ListPriceUnit NickName OutstandingAmount OwnerID PaymentAmount PipCode PretaxAmount
PretaxGrossAmount ProductCode ProductDetail ProductName ProductType Region ResourceGroup
ServicePeriod ServicePeriodUnit SubscriptionType Tag Usage UsageUnit Zone
"""
"""Source: BssOpenApi DescribeInstanceBill, the items of its answer."""
UNHURRIED = settings(deadline=None)
ONE = bill_of(
    month_from(
        "month 2026-10\nhour h1 n2 g8.2xlarge.gu49 2026-10-06\nran n2 2026-10-06T10 2026-10-06T11"
    )
)
ROW = ONE.lines[0]
EMPTY = replace(ONE, lines=(), payable=Decimal("0.00"))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.sampled_from(
    ["=1+1", '@SUM("x")', "\u202egnp.exe", "😀" * 50, "a" * 200, "x\x01\x0b\ny", 'q"\\', "-1"]
)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def with_row(bill: Bill, **cells: object) -> Bill:
    """Add a row like the first, with other cells, and what is payable with it."""
    row = {**bill.lines[0], **cells}
    payable = bill.payable + Decimal(str(row["BilledCost"]))
    return replace(bill, lines=(*bill.lines, row), payable=payable)


def costs(amount: str) -> dict[str, object]:
    names = ("BilledCost", "ListCost", "ContractedCost", "EffectiveCost")
    return dict.fromkeys(names, Decimal(amount))


def wallet(bill: Bill, amount: str) -> Bill:
    said = {"ChargeCategory": "Credit", "x_ChargeDescriptionZh": "预付余额抵扣 g1"}
    return with_row(bill, **said, **costs(amount), ConsumedUnit=None)


@UNHURRIED
@given(st.lists(st.decimals(-1000, 1000, places=6), max_size=20))
def test_printed_parts_add_up_and_none_is_off_by_a_fen(parts: list[Decimal]) -> None:
    exact = [Fraction(part) for part in parts]
    rest = -sum(exact, Fraction(0)) % Fraction(1, 100)

    units = printed([*exact, rest], FEN)

    assert Fraction(sum(units), 100) == sum(exact, rest)
    assert all(
        abs(Fraction(u, 100) - e) < Fraction(1, 100) for u, e in zip(units, exact, strict=False)
    )


def test_parts_that_come_to_half_a_fen_cannot_be_printed() -> None:
    with pytest.raises(PartSumError, match="must come to whole units"):
        printed([Fraction("0.005")], FEN)


@pytest.mark.parametrize("language", list(Language))
def test_a_statement_adds_up_as_printed(bill: Bill, language: Language) -> None:
    said = statement_of(wallet(bill, "-5.00"), language, ZONE)

    for section in said.sections:
        assert sum(item.amount for item in section.items) == section.amount
    assert sum(section.amount for section in said.sections) == said.payable
    assert sum(amount for _, amount in said.summary) == said.payable
    assert [name for name, _ in said.hours] == ["n1", "n2"]
    assert "1,024,517" in dict(said.tokens).values()


def test_a_statement_says_what_it_is(bill: Bill) -> None:
    draft = statement_of(bill, Language.ENGLISH, ZONE)
    note = statement_of(
        replace(bill, document=Document.CREDIT_NOTE, stage=State.ISSUED), Language.CHINESE, ZONE
    )
    empty = replace(bill, lines=(), payable=Decimal("0.00"))

    assert draft.title == "Statement (Draft, not issued)"
    assert draft.period == "2026-10-01 – 2026-10-31 (Asia/Shanghai)"
    assert note.title == "红字账单"
    assert statement_of(empty, Language.CHINESE, ZONE).account == "acme"


def test_json_lines_keep_decimals_as_text(bill: Bill) -> None:
    rows = [json.loads(line) for line in ndjson(bill.rows)]

    assert sum(Decimal(row["BilledCost"]) for row in rows) == bill.payable


@pytest.mark.parametrize("state", [State.ISSUED, State.SETTLED])
def test_every_line_of_an_instance_bill_adds_up(bill: Bill, state: State) -> None:
    kept = replace(wallet(bill, "-5.00"), stage=state)

    rows = read("".join(alibaba_csv(kept, ZONE)))

    paid = "PaymentAmount" if state is State.SETTLED else "OutstandingAmount"
    deductions = ("InvoiceDiscount", "DeductedByResourcePackage", "DeductedByCoupons")
    for row in rows:
        left = Decimal(row["PretaxGrossAmount"]) - sum(Decimal(row[d]) for d in deductions)
        assert left == Decimal(row["PretaxAmount"])
        assert left - Decimal(row["DeductedByPrepaidCard"]) == Decimal(row[paid])
    assert sum(Decimal(row[paid]) for row in rows) == kept.payable
    assert sum(Decimal(row["DeductedByPrepaidCard"]) for row in rows) == 5


def test_an_instance_bill_has_every_field_of_the_original(bill: Bill) -> None:
    row, *_ = rows = read("".join(alibaba_csv(bill, ZONE)))

    assert sorted(row) == ALIBABA_FIELDS.split()
    specs = {(r["SubscriptionType"], r["InstanceSpec"], r["ServicePeriodUnit"]) for r in rows}
    assert ("Subscription", "polar.pg.g8.2xlarge.gu49", "Second") in specs
    for row in rows:
        assert int(row["ServicePeriod"]) > 0
        gross, discount = (Decimal(row[n]) for n in ("PretaxGrossAmount", "InvoiceDiscount"))
        assert Decimal(row["AfterDiscountAmount"]) == gross - discount


CHANGED = {"x_ChargeDescriptionZh": "变更结算 c1@20260516T040000Z"}


def note(bill: Bill, **cells: object) -> Bill:
    """Return a credit note with one more row."""
    return replace(with_row(bill, **cells), document=Document.CREDIT_NOTE)


def test_an_instance_bill_says_refund_discount_and_tags(bill: Bill) -> None:
    made = with_row(bill, **costs("-1.00"), Tags={"team": "a", "env": "b"})
    made = with_row(made, **costs("-2.00"), ChargeCategory="Credit", x_ChargeDescriptionZh="折扣")

    *_, refund, discount = read("".join(alibaba_csv(made, ZONE)))

    assert (refund["Item"], refund["Tag"]) == ("Refund", "env:b;team:a")
    assert (discount["Item"], discount["DeductedByCoupons"]) == ("Adjustment", "2.0")


@pytest.mark.parametrize(
    ("amount", "cells", "item"),
    [
        ("7.50", {"ChargeClass": "Correction"}, "Adjustment"),
        ("-7.50", {"ChargeClass": "Correction"}, "Adjustment"),
        ("5357.00", {"ChargeCategory": "Adjustment", **CHANGED}, "SubscriptionOrder"),
        ("-5357.00", {"ChargeCategory": "Adjustment", **CHANGED}, "Refund"),
        ("-0.01", {"ChargeCategory": "Adjustment", "x_ChargeDescriptionZh": "抹零"}, "Adjustment"),
    ],
)
def test_an_instance_bill_tells_late_usage_and_changes_of_contracts(
    bill: Bill, amount: str, cells: dict[str, str], item: str
) -> None:
    *_, last = read("".join(alibaba_csv(with_row(bill, **costs(amount), **cells), ZONE)))
    *_, noted = read(
        "".join(alibaba_csv(note(bill, **costs("-1.00"), ChargeClass="Correction"), ZONE))
    )

    assert last["Item"] == item
    assert noted["Item"] == "Refund"


def test_a_journal_balances_and_is_read_by_beancount(
    bill: Bill, golden: Callable[[str, str], None]
) -> None:
    text = beancount(journal_of(wallet(bill, "-5.00"), ZONE))

    entries, faults, _ = loader.load_string(text)
    assert (faults, len(entries)) == ([], 8)
    golden("journal.beancount", text)


@UNHURRIED
@given(NAMES)
def test_a_journal_with_any_name_is_read_by_beancount(name: str) -> None:
    made = journal_of(ONE, ZONE)
    entries = tuple(replace(entry, id=name, memo=name) for entry in made.entries)
    journal = replace(made, customer=name, bill=name, entries=entries)

    assert loader.load_string(beancount(journal))[1] == []


def test_a_journal_file_balances_under_accounts_of_ones_own(bill: Bill) -> None:
    names = accounts_of("receivable=1122, tokens = 6001.02")

    rows = read(journal_csv(journal_of(bill, ZONE), names))

    debit, credit = (sum(Decimal(r[s] or 0) for r in rows) for s in ("debit", "credit"))
    assert debit == credit
    assert [r["debit"] for r in rows if r["account"] == "1122"] == [f"{bill.payable:f}"]
    assert {r["project"] for r in rows if r["account"] == "6001.02"} == {"search"}


@pytest.mark.parametrize("text", ["cash=1", "tokens", "tokens="])
def test_an_account_that_the_journal_has_not_is_refused(text: str) -> None:
    with pytest.raises(AccountsError, match="must be pairs such as receivable=1122"):
        accounts_of(text)


def test_beancount_refuses_an_account_it_could_not_read(bill: Bill) -> None:
    with pytest.raises(AccountNameError, match="found '1122'"):
        beancount(journal_of(bill, ZONE), {**ACCOUNTS, Side.RECEIVABLE: "1122"})


def test_tax_discounts_and_rounding_have_accounts_of_their_own(bill: Bill) -> None:
    row = {**bill.lines[0], "ConsumedUnit": None, "x_ChargeDescriptionZh": ""}

    assert side_of({**row, "ChargeCategory": "Tax"}) is Side.TAX
    assert side_of({**row, "ChargeCategory": "Credit"}) is Side.OTHER
    assert side_of({**row, "x_ChargeDescriptionZh": ROUNDING_ZH}) is Side.ROUNDING


def test_a_workbook_keeps_ids_as_text_and_totals_as_numbers(bill: Bill) -> None:
    said = statement_of(bill, Language.CHINESE, ZONE)

    made = workbook(said, bill.rows, sheet_rows=5)

    book = load_workbook(io.BytesIO(made))
    assert made == workbook(said, bill.rows, sheet_rows=5)
    assert book.sheetnames == ["费用汇总", "Lines", "Lines 2", "Lines 3", "Lines 4"]
    heads = {cell.value: cell.column - 1 for cell in book["Lines"][1]}
    rows = [row for name in book.sheetnames[1:] for row in list(book[name].rows)[1:]]
    billed = sum(Decimal(str(row[heads["BilledCost"]].value)) for row in rows)
    assert (len(rows), billed) == (len(bill.rows), bill.payable)
    assert all(row[heads["x_LineId"]].data_type == "s" for row in rows)


@UNHURRIED
@given(NAMES)
def test_any_name_survives_a_workbook_and_a_csv(name: str) -> None:
    row = {**ROW, "ResourceName": name}
    bill = replace(EMPTY, lines=(row,))

    sheet = load_workbook(io.BytesIO(workbook(statement_of(EMPTY, Language.ENGLISH, ZONE), [row])))
    [line] = read("".join(alibaba_csv(bill, ZONE)))

    kinds = {cell.data_type for cells in sheet["Lines"].rows for cell in cells}
    assert "f" not in kinds
    assert line["NickName"].removeprefix("'") == name.removeprefix("'")
    assert json.loads(next(ndjson([row])))["ResourceName"] == name


def test_a_number_of_more_digits_than_a_sheet_keeps_is_text(bill: Bill) -> None:
    row = {**bill.lines[0], "ListCost": Decimal("1234567.0123456789")}

    made = workbook(statement_of(bill, Language.ENGLISH, ZONE), [row])

    values = [c.value for c in load_workbook(io.BytesIO(made))["Lines"][2]]
    assert "1234567.0123456789" in values


def test_a_text_that_fits_no_cell_is_refused(bill: Bill) -> None:
    row = {**bill.lines[0], "ResourceName": "x" * 32_768}

    with pytest.raises(TextTooLongError, match="at most 32767 characters, found 32768"):
        workbook(statement_of(bill, Language.ENGLISH, ZONE), [row])


def test_a_true_up_is_income_and_a_settlement_is_not(bill: Bill) -> None:
    def side(said: str) -> Side:
        changed = with_row(bill, ChargeCategory="Adjustment", x_ChargeDescriptionZh=said)
        return side_of({**changed.lines[-1], "ConsumedUnit": None})

    assert side("变更结算 R7 upgrade") is Side.DEFERRED
    assert side("最低消费补足") is Side.OTHER


def test_a_bill_without_income_is_owed_and_nothing_more() -> None:
    order = {**ROW, "ChargeCategory": "Purchase", "ConsumedUnit": None, **costs("10.00")}
    bill = replace(EMPTY, lines=(order,), payable=Decimal("10.00"))
    [entry] = journal_of(bill, ZONE).entries

    assert {posting.side for posting in entry.postings} == {Side.RECEIVABLE, Side.DEFERRED}
    assert sum(posting.amount for posting in entry.postings) == 0
