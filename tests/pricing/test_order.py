"""Orders of applications: every constraint of the order form, and what an order opens."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from metering.identity import FOR_EVER
from metering.interval import Resource
from pricing.contracts.catalogue import CatalogueError, parse_catalogue
from pricing.contracts.contract import check_contract, check_disjoint
from pricing.contracts.order import AppOrder, OrderError, OwnModel, opened
from pricing.contracts.order_check import Ask, check_kept, check_order, problems
from pricing.contracts.order_store import shipped_catalogue
from pricing.contracts.schemes import Hourly, KvCacheHourly, KvCacheSubscription, Subscription
from tests.pricing.bought import LARGE, MAY, REGION, SMALL, beijing, priced
from tests.pricing.month_notation import at, shipped

BOOK = priced()
PLAIN = AppOrder(
    id="o1",
    account="acme",
    cluster="pc-1",
    cluster_region=REGION,
    region=REGION,
    mode="subscription",
    spec=SMALL,
)
PRESET = replace(PLAIN, model="Qwen3-14B", engine="vLLM", kv_cache_gb=100)
OWN = OwnModel("models", "qwen", "own-8b", REGION, ("--gpu-memory-utilization:0.85",))
OWNED = replace(PLAIN, mode="hourly", own_model=OWN, engine="SGLang", max_access=100)
NODE = Resource("n1", "acme", REGION, SMALL)


def ask(order: AppOrder, *live: tuple[str, str]) -> Ask:
    return Ask(order, shipped_catalogue(), BOOK, at(MAY), live)


@pytest.mark.parametrize(
    "order",
    [
        PLAIN,
        PRESET,
        OWNED,
        replace(PLAIN, months=12, quantity=2, auto_renew=True),
        replace(PLAIN, mode="hourly", window="nights"),
        replace(PRESET, kv_cache_gb=10),
        replace(PRESET, kv_cache_gb=100_000),
        replace(OWNED, max_access=1),
        replace(OWNED, max_access=99_999),
        replace(OWNED, spec="whatever"),
    ],
    ids=lambda order: f"{order.mode}-{order.model or order.spec}-{order.kv_cache_gb}",
)
def test_what_the_order_form_offers_can_be_ordered(order: AppOrder) -> None:
    assert problems(ask(order)) == []


TERMS = "1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36"
MODELS = "Qwen3-VL-30B-A3B-Instruct, Qwen3-14B, DeepSeek-R1-Distill-Qwen-32B"
NO_SPEC = "region=cn-hangzhou, spec=gu1 at 2026-04-30T16:00:00+00:00"
LEFT_ALONE: dict[str, Any] = {"months": 2, "quantity": 2, "auto_renew": True}

WRONG: dict[str, tuple[AppOrder, str]] = {
    "another region than its cluster's": (
        replace(PLAIN, cluster_region="cn-beijing"),
        "region must be the region of its cluster pc-1, cn-beijing, found 'cn-hangzhou'",
    ),
    "another application": (
        replace(PLAIN, app_type="search"),
        "app_type must be one of model-operator, found 'search'",
    ),
    "a distributed cluster": (
        replace(PLAIN, cluster_form="distributed"),
        "cluster_form must be one of centralized, found 'distributed'",
    ),
    "another version": (
        replace(PLAIN, cluster_version="14"),
        "cluster_version must be one of 16, found '14'",
    ),
    "an unknown model": (
        replace(PRESET, model="Qwen9"),
        f"model must be one of {MODELS}, found 'Qwen9'",
    ),
    "an unknown engine": (
        replace(PRESET, engine="TGI"),
        "engine must be one of SGLang, vLLM, found 'TGI'",
    ),
    "no engine": (
        replace(PRESET, engine=""),
        "engine must be one of SGLang, vLLM, found ''",
    ),
    "an engine for nothing": (
        replace(PLAIN, engine="vLLM"),
        "engine must be left alone unless a model is deployed, found 'vLLM'",
    ),
    "two models": (
        replace(OWNED, model="Qwen3-14B"),
        "own_model must be given in place of a preset model, found model 'Qwen3-14B' too",
    ),
    "a small cache": (
        replace(PRESET, kv_cache_gb=9),
        "kv_cache_gb must be 10 to 100000, found 9",
    ),
    "a big cache": (
        replace(PRESET, kv_cache_gb=100_001),
        "kv_cache_gb must be 10 to 100000, found 100001",
    ),
    "a cache for an own model": (
        replace(OWNED, kv_cache_gb=100),
        "kv_cache_gb must be left alone unless a preset model is deployed, found 100",
    ),
    "no access": (replace(OWNED, max_access=0), "max_access must be 1 to 99999, found 0"),
    "too much access": (
        replace(OWNED, max_access=100_000),
        "max_access must be 1 to 99999, found 100000",
    ),
    "access to a preset model": (
        replace(PRESET, max_access=5),
        "max_access must be left alone unless an own model is deployed, found 5",
    ),
    "no bucket": (
        replace(OWNED, own_model=replace(OWN, bucket="")),
        "own_model.bucket must be named, found nothing",
    ),
    "a bucket elsewhere": (
        replace(OWNED, own_model=replace(OWN, region="cn-beijing")),
        "own_model.region must be the application's region, cn-hangzhou, found 'cn-beijing'",
    ),
    "parameters without dashes": (
        replace(OWNED, own_model=replace(OWN, parameters=("--a:1", "b:2"))),
        "own_model.parameters must begin with --, as in --gpu-memory-utilization:0.85, found b:2",
    ),
    "a prepaid own model": (
        replace(OWNED, mode="subscription"),
        "mode must be hourly for an own model, found 'subscription'",
    ),
    "a term of 10 months": (
        replace(PLAIN, months=10),
        f"months must be one of {TERMS}, found 10",
    ),
    "no node": (replace(PLAIN, quantity=0), "quantity must be 1 or more, found 0"),
    "a schedule of a subscription": (
        replace(PLAIN, window="nights"),
        "window must be left alone unless it is hourly, found 'nights'",
    ),
    "an unknown specification": (
        replace(PLAIN, spec="gu1"),
        f"book polardb-2026 must have a node-month price for {NO_SPEC}, found none",
    ),
} | {
    f"{field} of an hourly node": (
        replace(PLAIN, mode="hourly", **{field: value}),
        f"{field} must be left alone unless it is a subscription, found {value!r}",
    )
    for field, value in LEFT_ALONE.items()
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_order_form_does_not_offer_is_refused_by_the_field(name: str) -> None:
    order, sentence = WRONG[name]

    assert [p.sentence for p in problems(ask(order))] == [sentence]


def test_the_schedule_of_an_order_is_one_of_its_nodes() -> None:
    night = replace(PLAIN, mode="hourly", window="nights")
    asked = ask(night)._replace(node="n1")

    assert problems(asked._replace(schedules=["nights", "days"])) == []
    assert problems(ask(replace(night, window=""))._replace(schedules=[])) == []
    for schedules, said in ((["office", "days"], "days, office"), ([], "there is none yet")):
        assert problems(asked._replace(schedules=schedules)) == [
            ("window", f"window must be the name of a schedule of n1 ({said}), found 'nights'")
        ]
    prepaid = ask(replace(night, mode="subscription"))._replace(schedules=[])
    assert [p.sentence for p in problems(prepaid)] == [
        "window must be left alone unless it is hourly, found 'nights'"
    ]


def test_every_problem_of_an_order_is_told_at_once() -> None:
    order = replace(
        OWNED, region="cn-atlantis", mode="subscription", months=10, engine="TGI", max_access=0
    )

    with pytest.raises(OrderError) as refusal:
        check_order(ask(order))

    assert [p.field for p in refusal.value.problems] == [
        "region", "region", "engine", "max_access", "own_model.region", "mode", "months",
    ]  # fmt: skip
    assert str(refusal.value).startswith(
        "order 'o1': region must be one of cn-hangzhou, cn-shanghai, "
    )
    assert str(refusal.value).count("; ") == 6


def test_a_cluster_has_one_live_application_of_a_type() -> None:
    check_order(ask(PLAIN, ("pc-2", "model-operator"), ("pc-1", "search")))

    with pytest.raises(OrderError) as refusal:
        check_order(ask(PLAIN, ("pc-1", "model-operator")))

    assert str(refusal.value) == (
        "order 'o1': cluster must have no live application of type model-operator yet, "
        "found one on pc-1"
    )


def test_a_kv_cache_has_no_price_but_the_books() -> None:
    found = problems(Ask(PRESET, shipped_catalogue(), shipped(), at(MAY)))

    assert [p.field for p in found] == ["kv_cache_gb"]
    assert "must have a kv-cache-month price" in found[0].sentence


def test_the_region_never_changes_after_the_purchase() -> None:
    check_kept(PLAIN, PLAIN)

    with pytest.raises(OrderError) as refusal:
        check_kept(PLAIN, replace(PLAIN, region="cn-beijing"))

    assert str(refusal.value) == (
        "order 'o1': region must stay 'cn-hangzhou' after the purchase, found 'cn-beijing'"
    )


def test_an_order_opens_a_contract_for_its_node_and_one_for_its_cache() -> None:
    book = replace(BOOK, term_factors={12: Decimal("0.85")})
    order = replace(PRESET, months=12, quantity=2, auto_renew=True)
    node, cache = opened(order, NODE, at(MAY), book).contracts

    assert node.scheme == Subscription(SMALL, 12, Decimal("0.85"))
    assert cache.scheme == KvCacheSubscription(100, 12, Decimal("0.85"))
    assert (node.id, cache.id, cache.resource) == ("o1", "o1-kv", "n1")
    assert (node.quantity, cache.quantity) == (2, 1)
    assert node.auto_renew
    assert beijing(node.period.end) == "2027-05-02T00:00:00"
    check_disjoint([node, cache])
    for contract in (node, cache):
        check_contract(contract, book)


def test_an_hourly_order_has_no_end() -> None:
    node, cache = opened(replace(PRESET, mode="hourly"), NODE, at(MAY), BOOK).contracts

    assert (node.scheme, cache.scheme) == (Hourly(SMALL), KvCacheHourly(100))
    assert node.period.end == cache.period.end == FOR_EVER


def test_an_own_model_is_charged_as_it_is_deployed_and_the_difference_is_noted() -> None:
    found = opened(replace(OWNED, spec=LARGE), NODE, at(MAY), BOOK)

    [contract] = found.contracts
    assert contract.scheme == Hourly(SMALL)
    assert contract.own_model == "models/qwen/own-8b"
    assert found.notices == (
        f"{SMALL} is deployed on n1, {LARGE} was ordered: the deployed one is charged",
    )
    assert opened(OWNED, NODE, at(MAY), BOOK).notices == ()


def test_a_preset_model_is_deployed_as_it_was_ordered() -> None:
    with pytest.raises(OrderError) as refusal:
        opened(replace(PRESET, spec=LARGE), NODE, at(MAY), BOOK)

    assert str(refusal.value) == (
        f"order 'o1': spec must be deployed as ordered, found that {SMALL} is deployed on n1, "
        f"{LARGE} was ordered"
    )


CATALOGUE = """
name: small
app_types: [model-operator]
cluster_forms: [centralized]
cluster_versions: ["16"]
engines: [vLLM]
models: []
max_access: {least: 1, most: 9, default: 5}
"""


def test_a_catalogue_says_what_is_offered() -> None:
    catalogue = parse_catalogue(CATALOGUE)

    assert catalogue.engines == ("vLLM",)
    assert (catalogue.max_access, catalogue.default_max_access) == (range(1, 10), 5)
    assert shipped_catalogue().default_max_access == 100


BROKEN = {
    "a list": ("[]", "a catalogue must have the fields name, "),
    "another field": (CATALOGUE + "colour: red", "a catalogue must have the fields name, "),
    "one engine": (
        CATALOGUE.replace("engines: [vLLM]", "engines: vLLM"),
        "engines must have a list of texts, found ",
    ),
    "a number": (
        CATALOGUE.replace('["16"]', "[16]"),
        "cluster_versions must have a list of texts, found ",
    ),
    "no number": (CATALOGUE.replace("least: 1", "least: x"), "max_access must have whole numbers "),
    "a missing number": (
        CATALOGUE.replace("least: 1, ", ""),
        "max_access must have whole numbers least, most, default, found ",
    ),
    "one number": (
        CATALOGUE.replace("{least: 1, most: 9, default: 5}", "7"),
        "max_access must have whole numbers least, most, default, found 7",
    ),
    "a default outside": (
        CATALOGUE.replace("default: 5", "default: 10"),
        "max_access must have least <= default <= most, found ",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_catalogue_that_says_something_else_is_refused(name: str) -> None:
    text, said = BROKEN[name]

    with pytest.raises(CatalogueError) as refusal:
        parse_catalogue(text)

    assert str(refusal.value).startswith(said)
