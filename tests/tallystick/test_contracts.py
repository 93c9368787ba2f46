"""Contracts, changes and orders in both databases, and as an operator declares them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from ledgers import fresh_database
from pydantic import ValidationError
from sqlalchemy import Engine, text

from metering.interval import Resource
from metering.resources.schedule import Schedule, Window
from metering.resources.schedule_store import ScheduleStore
from metering.store import Account, MeterStore
from pricing.contracts.change import end_early, to_hourly, upgrade
from pricing.contracts.contract import Contract, ContractError, OverlappingContractsError
from pricing.contracts.order import OrderError
from pricing.contracts.order_store import OrderStore
from pricing.contracts.renewal import renew
from pricing.contracts.schemes import (
    Hourly,
    KvCacheHourly,
    KvCacheSubscription,
    PerModelToken,
    PerToken,
    Subscription,
)
from pricing.contracts.store import ContractStore, SettledError, UnknownContractError
from pricing.contracts.terms import Discount, Included, Terms
from tallystick.database import METADATA, open_ledger
from tallystick.declared_contract import ContractDeclared
from tallystick.setup import Setup, UndeclaredAccountError, UndeclaredNodeError, apply_setup
from tests.pricing.bought import (
    LARGE,
    REGION,
    SMALL,
    cache_hourly,
    cache_subscribed,
    hourly,
    pool,
    priced,
    subscribed,
)
from tests.pricing.month_notation import at

BOOK = priced()
TERMS = Terms(
    included=(Included(1_000_000), Included(5, "requests")),
    usage_discount=Decimal("7.25"),
    minimum=Decimal("100.10"),
    maximum=Decimal(5000),
    discounts=(Discount("loyal", percent=Decimal(5), scope=("tokens",)),),
)
NODE = {"id": "n1", "account": "acme", "region": REGION, "spec": SMALL}
ORDER = {
    "id": "o1", "account": "acme", "resource": "n1", "start": "2026-05-01T00:00:00+08:00",
    "cluster": "pc-1", "cluster_region": REGION, "region": REGION, "mode": "subscription",
    "spec": SMALL,
}  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A migrated ledger on either database, for all tests of this file."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    else:
        url = fresh_database(request.getfixturevalue("postgres_url"))
    engine = open_ledger(url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Engine:
    """The same ledger, empty."""
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    return engine


def store_of(ledger: Engine) -> ContractStore:
    """Return a store in which the account is known."""
    MeterStore(ledger).put_accounts([Account("acme", "Acme Ltd"), Account("borealis", "Borealis")])
    return ContractStore(ledger, BOOK)


def setup_of(**said: Any) -> Setup:
    """Return a declaration of an account, its node, and more."""
    accounts = [{"id": "acme", "name": "Acme Ltd"}]
    return Setup.model_validate({"accounts": accounts, "resources": [NODE], **said})


def test_contracts_of_every_scheme_come_back_as_they_were_put(ledger: Engine) -> None:
    store = store_of(ledger)
    contracts = [
        subscribed(id="a", resource="na", quantity=2, auto_renew=True, cash_paid=Decimal("9.00")),
        hourly(id="b", resource="nb", window="nights", own_model="bucket/path", renews="a"),
        cache_subscribed(id="c", resource="nc", worth=Decimal("0.1234567891")),
        replace(cache_hourly(), id="d", resource="nd"),
        replace(pool(), id="e", pool="e", terms=TERMS),
        replace(
            pool(), id="f", pool="f", scheme=PerModelToken(), factors={"cached": Decimal("0.10")}
        ),
        subscribed(id="g", resource="ng", anchor=at("2026-01-31"), paid_until=at("2026-06-01")),
        hourly(id="h", resource="nh", account="borealis"),
    ]
    store.put_contracts(contracts)
    store.put_contracts(contracts)

    assert store.contracts() == contracts
    assert store.contracts("borealis") == contracts[-1:]
    assert store.contract("e") == contracts[4]
    with pytest.raises(UnknownContractError, match="found 'z'"):
        store.contract("z")


def test_a_change_is_stored_whole_and_once(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed()])
    change = upgrade(subscribed(), LARGE, at("2026-05-16T12:00"), BOOK)
    for _ in range(2):
        store.put_change(change, actor="ops", reason="ticket 7")

    assert store.contracts() == list(change.contracts)
    assert store.settlements() == store.settlements("acme") == [change.settlement]
    assert store.settlements("borealis") == []
    with ledger.connect() as connection:
        said = connection.execute(text("SELECT actor, reason FROM contract_change")).all()
    assert said == [("ops", "ticket 7")]


def test_another_change_at_the_same_second_is_refused(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed()])
    when = at("2026-05-16T12:00")
    store.put_change(end_early(subscribed(), when, BOOK), actor="ops")

    with pytest.raises(SettledError, match="must be changed once at 2026-05-16T04:00:00"):
        store.put_change(to_hourly(subscribed(), when, BOOK), actor="ops")
    assert len(store.contracts()) == 1


def test_what_declares_a_changed_contract_again_does_not_bring_it_back(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed()])
    change = to_hourly(subscribed(), at("2026-05-16T12:00"), BOOK)
    store.put_change(change, actor="ops")
    store.put_contracts([subscribed()])

    assert store.contracts() == list(change.contracts)
    with pytest.raises(ContractError, match="must stay as it was"):
        store.put_contracts([subscribed(LARGE)])


def test_a_renewed_contract_is_still_as_it_was_declared(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed()])
    change = renew(subscribed(), 1, at("2026-05-24T08:00"), BOOK)
    store.put_change(change, actor="ops")
    store.put_contracts([subscribed()])

    assert store.contracts() == list(change.contracts)
    assert store.settlements() == []


def test_what_renews_itself_is_renewed_once_it_is_due(ledger: Engine) -> None:
    store = store_of(ledger)
    term = subscribed(auto_renew=True)
    store.put_contracts([term, subscribed(id="c9", resource="n9")])
    first = at("2026-05-24T08:00")

    assert store.renew_due(first - timedelta(seconds=1), "clock") == []
    assert len(store.contracts()) == 2
    for _ in range(2):
        assert store.renew_due(first, "clock") == []
    assert [c.id for c in store.contracts()] == ["c1", "c1.2", "c9"]
    assert store.contract("c1.2").period.start == term.period.end
    assert [(one.at, one.failed) for one in store.attempts("c1")] == [(first, "")]


def test_what_cannot_be_renewed_is_told(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed(auto_renew=True), hourly(id="c9", resource="n9")])
    store.book = replace(BOOK, terms=(12,))

    assert store.renew_due(at("2026-05-30"), "clock") == [
        "acme: a term must be one of 12 months, found 1"
    ]
    assert store.contract("c1") == subscribed(auto_renew=True)


def test_what_cannot_be_renewed_is_tried_three_times_once_a_day(ledger: Engine) -> None:
    store, first = store_of(ledger), at("2026-05-24T08:00")
    store.put_contracts([subscribed(auto_renew=True)])
    store.book = replace(BOOK, terms=(12,))

    told = [store.renew_due(first + timedelta(hours=12 * n), "clock") for n in range(14)]
    assert [n for n, sentences in enumerate(told) if sentences] == [0, 2, 4]
    assert [one.at for one in store.attempts("c1")] == [first + timedelta(days=n) for n in range(3)]
    assert {one.failed for one in store.attempts("c1")} == {
        "a term must be one of 12 months, found 1"
    }


def test_a_contract_for_a_node_that_is_taken_is_refused(ledger: Engine) -> None:
    store = store_of(ledger)
    store.put_contracts([subscribed()])
    many = [hourly(id=f"m{n}", resource=f"x{n}") for n in range(300)]

    for clash in ([hourly(id="c9")], [*many, hourly(id="c9")]):
        with pytest.raises(OverlappingContractsError, match="n1 must be under one contract"):
            store.put_contracts(clash)
    assert store.contracts() == [subscribed()]


def test_an_order_opens_its_contracts_once(ledger: Engine) -> None:
    ordered = {**ORDER, "model": "Qwen3-14B", "engine": "vLLM", "kv_cache_gb": 100, "months": 3}
    setup = setup_of(orders=[ordered])
    counts = [apply_setup(setup, ledger, BOOK) for _ in range(2)]

    assert counts[0] == counts[1]
    assert counts[0]["orders"] == 1
    node, cache = ContractStore(ledger, BOOK).contracts()
    assert (node.scheme, cache.scheme) == (Subscription(SMALL, 3), KvCacheSubscription(100, 3))
    assert OrderStore(ledger, BOOK).orders() == [setup.orders[0].order()]
    with pytest.raises(OrderError, match="months must stay 3 after the purchase, found 12"):
        apply_setup(setup_of(orders=[{**ordered, "months": 12}]), ledger, BOOK)


def test_a_cluster_takes_another_application_once_the_first_is_released(ledger: Engine) -> None:
    first = {**ORDER, "mode": "hourly"}
    apply_setup(setup_of(orders=[first]), ledger, BOOK)
    node = NODE | {"id": "n2"}
    start = "2026-05-20T00:00:00+08:00"
    second = setup_of(
        resources=[NODE, node], orders=[{**first, "id": "o2", "resource": "n2", "start": start}]
    )

    with pytest.raises(OrderError, match="cluster must have no live application"):
        apply_setup(second, ledger, BOOK)
    store = ContractStore(ledger, BOOK)
    store.put_change(end_early(store.contract("o1"), at("2026-05-20"), BOOK), actor="ops")
    assert apply_setup(second, ledger, BOOK)["orders"] == 1


def test_an_own_model_deployed_otherwise_is_counted_and_charged_as_deployed(
    ledger: Engine,
) -> None:
    own = {"bucket": "models", "path": "qwen", "name": "own", "region": REGION}
    ordered = {**ORDER, "mode": "hourly", "spec": LARGE, "own_model": own, "engine": "vLLM"}
    counts = apply_setup(setup_of(orders=[ordered]), ledger, BOOK)

    assert counts["charged as deployed, not as ordered"] == 1
    [contract] = ContractStore(ledger, BOOK).contracts()
    assert (contract.scheme, contract.own_model) == (Hourly(SMALL), "models/qwen/own")


def test_a_window_names_a_schedule_of_its_node(ledger: Engine) -> None:
    by_night = {"mode": "hourly", "resource": "n1", "spec": SMALL, "window": "nights"}
    contract, order = {**DECLARED, **by_night}, {**ORDER, "mode": "hourly", "window": "nights"}
    apply_setup(setup_of(), ledger, BOOK)

    with pytest.raises(
        ContractError, match=r"schedule of n1 \(there is none yet\), found 'nights'"
    ):
        apply_setup(setup_of(contracts=[contract]), ledger, BOOK)
    with pytest.raises(OrderError, match="window must be the name of a schedule of n1"):
        apply_setup(setup_of(orders=[order]), ledger, BOOK)
    nights = Schedule("n1", "nights", (Window(0, 360),))
    ScheduleStore(ledger).put([nights], "ops", at("2026-05-01"))
    assert apply_setup(setup_of(orders=[order]), ledger, BOOK)["orders"] == 1


def test_a_window_of_a_node_in_the_same_file_may_be_told_of_later(ledger: Engine) -> None:
    by_night = {"mode": "hourly", "resource": "n1", "spec": SMALL, "window": "nights"}
    setup = setup_of(contracts=[{**DECLARED, **by_night}])

    assert [apply_setup(setup, ledger, BOOK)["contracts"] for _ in range(2)] == [1, 1]
    assert [c.window for c in ContractStore(ledger, BOOK).contracts()] == ["nights"]


def test_an_order_names_what_is_declared(ledger: Engine) -> None:
    with pytest.raises(UndeclaredAccountError, match="found 'nobody'"):
        apply_setup(setup_of(orders=[{**ORDER, "account": "nobody"}]), ledger, BOOK)
    with pytest.raises(UndeclaredNodeError, match=r"order 'o1' must run on .*, found 'n7'"):
        apply_setup(setup_of(orders=[{**ORDER, "resource": "n7"}]), ledger, BOOK)
    assert ContractStore(ledger, BOOK).contracts() == []


DECLARED = {
    "id": "c1", "account": "acme", "region": REGION, "pool": "dedicated",
    "start": "2026-05-01T00:00:00+08:00",
}  # fmt: skip


def declared(**said: Any) -> Contract:
    """Return the contract that a declaration makes."""
    book = replace(BOOK, term_factors={12: Decimal("0.85")})
    return ContractDeclared.model_validate({**DECLARED, **said}).contract(book)


def test_a_declaration_may_name_every_scheme() -> None:
    node = {"resource": "n1"}

    assert declared(mode="hourly", spec=SMALL, **node).scheme == Hourly(SMALL)
    assert declared(mode="hourly", kv_cache_gb=50, **node).scheme == KvCacheHourly(50)
    assert declared(mode="token", size_class="small").scheme == PerToken("small")
    assert declared(mode="token").scheme == PerModelToken()
    cache = declared(mode="subscription", kv_cache_gb=50, months=2, **node)
    assert cache.scheme == KvCacheSubscription(50, 2)
    assert cache.period.end < at("2026-07-03")


def test_a_terms_discount_is_the_books_unless_another_is_agreed() -> None:
    said = {"mode": "subscription", "spec": SMALL, "resource": "n1", "months": 12}

    assert declared(**said).scheme == Subscription(SMALL, 12, Decimal("0.85"))
    assert declared(**said, discount="0.5").scheme == Subscription(SMALL, 12, Decimal("0.5"))


def test_a_declaration_may_agree_on_terms_and_factors() -> None:
    contract = declared(
        mode="token",
        factors={"cached": "0.1", "batch": "0.5"},
        terms={
            "included": [{"quantity": 1_000_000}, {"quantity": 5, "meter": "requests"}],
            "usage_discount": "7.25",
            "minimum": "100.10",
            "maximum": "5000",
            "discounts": [{"name": "loyal", "percent": "5", "scope": ["tokens"]}],
        },
    )

    assert contract.terms == TERMS
    assert contract.factors == {"cached": Decimal("0.1"), "batch": Decimal("0.5")}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "both": ({"mode": "hourly", "spec": SMALL, "kv_cache_gb": 50}, "either spec or kv_cache_gb"),
    "neither": ({"mode": "subscription"}, "must have either spec or kv_cache_gb, found neither"),
    "a renewal by the hour": (
        {"mode": "hourly", "spec": SMALL, "auto_renew": True},
        "must not have auto_renew, found it: it would change nothing",
    ),
    "factors of a node": (
        {"mode": "hourly", "spec": SMALL, "factors": {"cached": "1"}},
        "must not have factors",
    ),
    "a schedule of a term": (
        {"mode": "subscription", "spec": SMALL, "window": "nights"},
        "must not have window",
    ),
    "a quantity of tokens": ({"mode": "token", "quantity": 2}, "must not have quantity"),
    "no quantity": ({"mode": "hourly", "spec": SMALL, "quantity": 0}, "greater than or equal to 1"),
    "a float": (
        {"mode": "subscription", "spec": SMALL, "cash_paid": 1.5},
        "a price must be decimal text in quotes",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_declaration_that_would_mislead_is_refused(name: str) -> None:
    said, sentence = WRONG[name]

    with pytest.raises(ValidationError, match=sentence):
        declared(**said)


def test_orders_are_for_the_accounts_own_node(ledger: Engine) -> None:
    others = {"id": "borealis", "name": "Borealis"}
    said = setup_of(
        accounts=[{"id": "acme", "name": "Acme Ltd"}, others],
        orders=[{**ORDER, "account": "borealis"}],
    )

    with pytest.raises(ContractError, match="must agree with n1 on account, region and spec"):
        apply_setup(said, ledger, BOOK)
    assert MeterStore(ledger).resources() == list[Resource]()
