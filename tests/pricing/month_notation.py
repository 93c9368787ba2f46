"""The little notation for a month: contracts, running time and usage, one a line.

    month 2026-10
    sub   s1 n1 g4.xlarge.gu10 2026-10-01T09:00 months=1 discount=0.85
    hour  h1 n2 g8.2xlarge.gu49 2026-10-01 until=2026-10-15
    token t1 shared small 2026-10-01
    model m1 shared - 2026-10-01 factors=cached:0.1,batch:0.5
    kvsub k1 n1 100 2026-10-01 months=1
    kvhour k2 n2 100 2026-10-01
    ran   n2 2026-10-06T10:59:30 2026-10-06T12:50:30
    used  2026-10-06T10 shared fresh=1000 output=20 requests=3

Times are Beijing time. Specs leave out ``polar.pg.``, and the account is acme if none is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from metering.event import Outcome, Quality
from metering.identity import FOR_EVER
from metering.interval import Interval, Resource, State
from metering.period import Period, as_utc, hour_of, month_of
from metering.rollup import METERS
from metering.usage import Usage, UsageKey
from pricing.bills.bill import Bill, Cutoffs, make_bill
from pricing.contracts.contract import Contract, subscription_period
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Prepaid,
    Scheme,
    Subscription,
    Used,
)
from pricing.focus.column import Row
from pricing.prices.book import PriceBook
from pricing.prices.file import parse_book
from pricing.prices.store import shipped_book
from pricing.rating.inputs import Inputs

BEIJING = "Asia/Shanghai"
GOLDEN = Path(__file__).parents[1] / "golden"

SMALL_BOOK = {
    "book.yaml": """
name: small
source: https://prices.example/
checked: "2026-11-22"
currency: CNY
zone: Asia/Shanghai
provider: Example operator
rounding:
  postpaid: {places: 2, mode: down}
  order: {places: 2, mode: half_up}
terms: [1, 2, 12]
regions:
  cn-hangzhou: {name: China (Hangzhou), name_zh: 杭州}
  cn-hongkong: {name: China (Hong Kong), name_zh: 香港}
areas:
  mainland: [cn-hangzhou]
nodes: nodes.csv
tokens: tokens.csv
""",
    "nodes.csv": """\
region_id,spec,monthly_cny,hourly_cny
cn-hangzhou,polar.pg.g4.xlarge.gu10,6405.92,13.3456
cn-hangzhou,polar.pg.g8.2xlarge.gu49,8766.01,18.26253
cn-hongkong,polar.pg.g4.xlarge.gu10,10249.47,20.8
""",
    "tokens.csv": """\
size_class,cny_per_10k_tokens,where
small,0.075,mainland
medium,0.15,mainland
""",
}
"""The texts of a small price book, for tests that break one of them or rate many months."""


@cache
def shipped() -> PriceBook:
    """Return the book that comes with the product."""
    return shipped_book("polardb-2026")


def small_book(**changed: str) -> PriceBook:
    """Return the small book with some texts replaced: ``small_book(nodes=..., tokens=...)``."""
    names = {"book": "book.yaml", "nodes": "nodes.csv", "tokens": "tokens.csv"}
    return parse_book(SMALL_BOOK | {names[k]: v for k, v in changed.items()})


def at(text: str) -> datetime:
    """Read an instant, in Beijing time where it names no offset."""
    instant = datetime.fromisoformat(text)
    return as_utc(instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(BEIJING)))


def span(start: str, end: str) -> Period:
    """Read a period."""
    return Period(at(start), at(end))


def term_of(scheme: Prepaid, start: datetime) -> Period:
    """Return the term of a subscription bought at an instant."""
    return subscription_period(scheme, Period(start, FOR_EVER), BEIJING)


def ran(node: str, start: str, end: str, state: str = "running") -> Interval:
    """Build an interval of a node in one state."""
    return Interval(node, span(start, end), State(state))


def usage_of(when: str, pool: str, said: Mapping[str, str]) -> list[Usage]:
    """Build the rows of one hour, a row a meter."""
    key = UsageKey(
        hour=hour_of(at(when)),
        account=said.get("account", "acme"),
        project=said.get("project", ""),
        cluster=said.get("cluster", ""),
        resource=said.get("resource", ""),
        pool=pool,
        model=said.get("model", "qwen3"),
        operation=said.get("operation", "chat"),
        outcome=Outcome(said.get("outcome", "ok")),
        quality=Quality(said.get("quality", "measured")),
        meter="",
        band=said.get("band", ""),
        provider=said.get("provider", ""),
        tier=said.get("tier", ""),
        spill_reason=said.get("reason", ""),
    )
    return [Usage(replace(key, meter=m), int(said[m])) for m in METERS if m in said]


def month_from(text: str, book: PriceBook | None = None) -> Inputs:
    """Read the inputs of a bill; a line that begins with no word of the notation is prose."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    words = {word: [line[1:] for line in lines if line[0] == word] for word in _WORDS}
    month, *said = (words["month"] or [["2026-10"]])[0]
    period = month_of(month, BEIJING)
    return Inputs(
        account="acme",
        month=period,
        usage=[u for line in words["used"] for u in usage_of(line[0], line[1], _pairs(line))],
        intervals=[ran(*line) for line in words["ran"]],
        contracts=[_contract(w, line) for w in _SOLD for line in words[w]],
        book=book or shipped(),
        zone=BEIJING,
        service_to=at(_pairs(said)["to"]) if said else period.end,
    )


def bill_of(inputs: Inputs, name: str = "Acme Ltd", resources: Sequence[Resource] = ()) -> Bill:
    """Make the bill of a month."""
    return make_bill(inputs, name, resources, Cutoffs(inputs.service_to, 7, 1))


def lines_of(bill: Bill, **wanted: object) -> list[Row]:
    """Return the lines whose columns hold what is wanted."""
    return [row for row in bill.lines if all(row[k] == v for k, v in wanted.items())]


def _contract(word: str, line: Sequence[str]) -> Contract:
    name, place, sku, start = line[:4]
    said = _pairs(line)
    period = Period(at(start), at(said["until"]) if "until" in said else FOR_EVER)
    scheme = _scheme(word, sku, said)
    if isinstance(scheme, Prepaid):
        period = term_of(scheme, at(start))
    is_used = isinstance(scheme, Used)
    return Contract(
        id=name,
        account=said.get("account", "acme"),
        scheme=scheme,
        region=said.get("region", "cn-hangzhou"),
        pool=place if is_used else said.get("pool", "dedicated"),
        period=period,
        resource=said.get("resource", "") if is_used else place,
        quantity=int(said.get("quantity", "1")),
        factors={name: Decimal(factor) for name, factor in _factors(said)},
    )


def _scheme(word: str, sku: str, said: Mapping[str, str]) -> Scheme:
    months, discount = int(said.get("months", "1")), Decimal(said.get("discount", "1"))
    match word:
        case "sub":
            return Subscription(f"polar.pg.{sku}", months, discount)
        case "hour":
            return Hourly(f"polar.pg.{sku}")
        case "kvsub":
            return KvCacheSubscription(int(sku), months, discount)
        case "kvhour":
            return KvCacheHourly(int(sku))
        case "model":
            return PerModelToken()
        case _:
            return PerToken(sku)


def _factors(said: Mapping[str, str]) -> Sequence[Sequence[str]]:
    return [word.split(":") for word in said.get("factors", "").split(",") if word]


def _pairs(line: Sequence[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line if "=" in word)


_SOLD = ("sub", "hour", "token", "model", "kvsub", "kvhour")
_WORDS = ("month", *_SOLD, "ran", "used")
