"""Rows in the words of Alibaba Cloud's bill of instances, for tools that read those.

gross - discount - packages - coupons = pretax;  pretax - prepaid card = payment + outstanding

Source: BssOpenApi DescribeInstanceBill,
https://www.alibabacloud.com/help/en/user-center/developer-reference/api-bssopenapi-2017-12-14-describeinstancebill
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from metering.period import zone_of
from metering.sheet import guarded
from pricing.bills.bill import Bill, Document, State
from pricing.bills.charge_cells import SETTLEMENT_ZH
from pricing.focus.column import Row
from pricing.money import plain
from pricing.statement.statement import is_wallet

_NOTHING = Decimal(0)
_ITEMS: Mapping[str, str] = {"Purchase": "SubscriptionOrder", "Usage": "PayAsYouGoBill"}
"""Charge category -> Item; all others are adjustments, and so is what corrects an earlier month."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row, and what is known of the bill it is on."""

    row: Row
    bill: Bill
    zone: ZoneInfo

    @property
    def is_prepaid_card(self) -> bool:
        return is_wallet(self.row)

    @property
    def billed(self) -> Decimal:
        return Decimal(self.row["BilledCost"])

    @property
    def is_coupon(self) -> bool:
        return bool(self.row["ChargeCategory"] == "Credit")

    @property
    def is_settlement(self) -> bool:
        """Whether it is what a change of a contract made due, or gave back."""
        return str(self.row["x_ChargeDescriptionZh"] or "").startswith(SETTLEMENT_ZH)

    @property
    def pretax(self) -> Decimal:
        return _NOTHING if self.is_prepaid_card else self.billed

    def cost(self, column: str) -> Decimal:
        """Return a cost before anything is credited; a credit itself has none."""
        return _NOTHING if self.is_coupon else Decimal(self.row[column])

    def text(self, column: str) -> str:
        """Return a cell of text, which no spreadsheet runs."""
        return guarded(str(self.row[column] or ""))

    def number(self, column: str) -> str:
        """Return a cell of a number, or nothing."""
        return "" if self.row[column] is None else plain(self.row[column])


def _item(line: _Line) -> str:
    """Return what a row is: late usage is an adjustment, what a change costs is an order."""
    category = "Purchase" if line.is_settlement else line.row["ChargeCategory"]
    is_note = line.bill.document is Document.CREDIT_NOTE
    if line.row["ChargeClass"] == "Correction" and not is_note:
        return "Adjustment"
    if category in _ITEMS and line.billed < 0:
        return "Refund"
    return _ITEMS.get(category, "Adjustment")


def _subscription_type(line: _Line) -> str:
    committed = line.row["ChargeCategory"] == "Purchase" or line.row["CommitmentDiscountId"]
    return "Subscription" if committed else "PayAsYouGo"


def _package(line: _Line) -> str:
    return plain(line.cost("ContractedCost") - (_NOTHING if line.is_coupon else line.billed))


def _settled(line: _Line, *, is_settled: bool) -> str:
    return plain(line.billed if (line.bill.state is State.SETTLED) is is_settled else _NOTHING)


def _tags(line: _Line) -> str:
    tags = line.row["Tags"] or {}
    return guarded(";".join(f"{key}:{value}" for key, value in sorted(tags.items())))


def _spec(line: _Line) -> str:
    return guarded((line.row["SkuPriceDetails"] or {}).get("InstanceType", ""))


def _seconds(line: _Line) -> str:
    return f"{(line.row['ChargePeriodEnd'] - line.row['ChargePeriodStart']).total_seconds():.0f}"


def _paid(line: _Line) -> str:
    return _settled(line, is_settled=True)


def _unknown(_line: _Line) -> str:
    return ""


def _none(_line: _Line) -> str:
    return plain(_NOTHING)


_COLUMNS: Mapping[str, Callable[[_Line], str]] = {
    "BillingDate": lambda x: f"{x.row['ChargePeriodStart'].astimezone(x.zone):%Y-%m-%d}",
    "CostUnit": lambda x: x.text("SubAccountName"),
    "BillAccountID": lambda x: x.text("BillingAccountId"),
    "BillAccountName": lambda x: x.text("BillingAccountName"),
    "OwnerID": lambda x: x.text("BillingAccountId"),
    "SubscriptionType": _subscription_type,
    "ProductCode": lambda x: x.text("SkuId"),
    "ProductName": lambda x: x.text("ServiceName"),
    "ProductDetail": lambda x: x.text("x_ChargeDescriptionZh"),
    "CommodityCode": lambda x: x.text("SkuPriceId"),
    "Item": _item,
    "ItemName": lambda x: x.text("ChargeDescription"),
    "BillingType": lambda x: x.text("PricingCategory"),
    "BillingItem": lambda x: x.text("SkuMeter"),
    "BillingItemCode": lambda x: x.text("SkuId"),
    "InstanceID": lambda x: x.text("x_ResourceId") or x.text("ResourceId"),
    "NickName": lambda x: x.text("ResourceName"),
    "Tag": _tags,
    "Region": lambda x: x.text("RegionId"),
    "Zone": lambda x: x.text("AvailabilityZone"),
    "ListPrice": lambda x: x.number("ListUnitPrice"),
    "ListPriceUnit": lambda x: x.text("PricingUnit"),
    "Usage": lambda x: x.number("ConsumedQuantity"),
    "UsageUnit": lambda x: x.text("ConsumedUnit"),
    "Currency": lambda x: x.bill.currency,
    "PretaxGrossAmount": lambda x: plain(x.cost("ListCost")),
    "InvoiceDiscount": lambda x: plain(x.cost("ListCost") - x.cost("ContractedCost")),
    "DeductedByResourcePackage": _package,
    "DeductedByCoupons": lambda x: plain(-x.pretax if x.is_coupon else _NOTHING),
    "PretaxAmount": lambda x: plain(x.pretax),
    "DeductedByPrepaidCard": lambda x: plain(x.pretax - x.billed),
    "PaymentAmount": _paid,
    "OutstandingAmount": lambda x: _settled(x, is_settled=False),
    "AfterDiscountAmount": lambda x: plain(x.cost("ContractedCost")),
    "CashAmount": _paid,
    "DeductedByCashCoupons": _none,
    "AdjustAmount": _none,
    "InstanceSpec": _spec,
    "InstanceConfig": lambda x: x.text("ResourceType"),
    "ServicePeriod": _seconds,
    "ServicePeriodUnit": lambda _: "Second",
    "PipCode": lambda x: x.text("SkuId"),
    "ProductType": lambda x: x.text("ServiceSubcategory"),
    "ResourceGroup": lambda x: x.text("SubAccountId"),
    "BizType": _unknown,
    "InternetIP": _unknown,
    "IntranetIP": _unknown,
}
"""Field -> what it holds, in the order of the file: all that an item of the answer has. What nobody
here knows is empty."""


def alibaba_csv(bill: Bill, zone: str) -> Iterator[str]:
    """Yield the bill's rows as CSV, a header and a line a row; CRLF, days in the account's zone."""
    yield _csv_line(_COLUMNS)
    for row in bill.rows:
        line = _Line(row, bill, zone_of(zone))
        yield _csv_line(cell(line) for cell in _COLUMNS.values())


def _csv_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
