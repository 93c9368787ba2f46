"""Months that collide on purpose: few nodes, pools, hours and models, many overlaps."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from metering.event import Outcome, Quality
from metering.identity import FOR_EVER
from metering.interval import Interval, State
from metering.period import Period
from metering.rollup import METERS
from metering.usage import Usage, UsageKey
from pricing.contracts.contract import Contract
from pricing.contracts.schemes import Hourly, PerToken, Scheme, Subscription
from pricing.prices.book import PriceBook
from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import at, month_from, small_book, term_of

NODES = ("n1", "n2", "n3")
SPECS = ("polar.pg.g4.xlarge.gu10", "polar.pg.g8.2xlarge.gu49")
MONTH_BEFORE = at("2026-09-01")

instants = st.integers(0, 90 * 86_400).map(lambda s: MONTH_BEFORE + timedelta(seconds=s))
"""Whole seconds from September to the end of November 2026."""
_october = st.integers(0, 5 * 86_400).map(lambda s: at("2026-10-01") + timedelta(seconds=s))
discounts = st.decimals("0.01", 1, places=2)


@cache
def prices() -> PriceBook:
    """Return the small book, read once."""
    return small_book()


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    """Draw up to two days of a node in one state, around October."""
    start = draw(st.integers(-86_400, 31 * 86_400))
    length = draw(st.integers(1, 2 * 86_400))
    begun = at("2026-10-01") + timedelta(seconds=start)
    state = draw(_mostly(State.RUNNING, State.STOPPED))
    node = draw(st.sampled_from(NODES))
    return Interval(node, Period(begun, begun + timedelta(seconds=length)), state)


@st.composite
def node_contracts(draw: st.DrawFn, node: str, *, prepaid: bool = True) -> list[Contract]:
    """Draw an hourly contract, and a subscription after it, of one node."""
    start, turn = sorted([draw(_october), draw(instants)])
    spec = draw(st.sampled_from(SPECS))
    if not prepaid or draw(st.booleans()):
        return [_contract(f"h-{node}", Hourly(spec), "dedicated", Period(start, turn), node)]
    scheme = Subscription(spec, draw(st.sampled_from([1, 2, 12])), draw(discounts))
    return [
        _contract(f"h-{node}", Hourly(spec), "dedicated", Period(start, turn), node),
        _contract(f"s-{node}", scheme, "dedicated", term_of(scheme, turn), node),
    ]


@st.composite
def pool_contracts(draw: st.DrawFn) -> list[Contract]:
    """Draw a pool that changes its size class in mid-month, and one priced by endpoint."""
    turn = at("2026-10-01") + timedelta(hours=draw(st.integers(0, 48)))
    before, after = Period(MONTH_BEFORE, turn), Period(turn, FOR_EVER)
    ever = Period(MONTH_BEFORE, FOR_EVER)
    return [
        _contract("p1", PerToken("small"), "shared", before),
        _contract("p2", PerToken("medium"), "shared", after),
        _contract("p3", PerToken("small"), "lab", ever, "ep1"),
        _contract("p4", PerToken("medium"), "lab", ever, "ep2"),
    ]


@st.composite
def usage_rows(draw: st.DrawFn) -> Usage:
    """Draw one usage row of the first two days of October."""
    key = UsageKey(
        hour=at("2026-10-01") + timedelta(hours=draw(st.integers(0, 47))),
        account=draw(_mostly("acme", "borealis")),
        project=draw(_mostly("", "p1")),
        cluster=draw(_mostly("", "c1")),
        resource=draw(st.sampled_from(["", "ep1", "ep2", "n1"])),
        pool=draw(st.sampled_from(["shared", "shared", "lab", "dedicated"])),
        model=draw(_mostly("qwen3", "")),
        operation="chat",
        outcome=draw(_mostly(*Outcome)),
        quality=draw(_mostly(*Quality)),
        meter=draw(st.sampled_from(["fresh", *METERS])),
    )
    return Usage(key, draw(st.integers(1, 10**9)))


@st.composite
def months(draw: st.DrawFn, *, prepaid: bool = True) -> Inputs:
    """Draw the inputs of acme's bill for October 2026."""
    contracts = draw(pool_contracts())
    for node in NODES:
        contracts += draw(node_contracts(node, prepaid=prepaid))
    return replace(
        month_from("", prices()),
        contracts=contracts,
        intervals=draw(st.lists(intervals(), min_size=2, max_size=6)),
        usage=draw(st.lists(usage_rows(), min_size=4, max_size=16, unique_by=lambda u: u.key)),
    )


def _mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the usual value four times out of five."""
    return st.sampled_from([usual] * 4 * len(others) + list(others))


def _contract(name: str, scheme: Scheme, pool: str, period: Period, resource: str = "") -> Contract:
    return Contract(name, "acme", scheme, "cn-hangzhou", pool, period, resource)
