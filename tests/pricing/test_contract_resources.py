from dataclasses import replace
from decimal import Decimal

import pytest
from builders import hour

from metering.identity import FOR_EVER
from metering.interval import Resource
from metering.period import HOUR, Period
from pricing.contracts.contract import Contract, ContractError, check_resources, check_unchanged
from pricing.contracts.schemes import Hourly, PerToken

START = hour("2026-10-01T00")
NODE = Resource("n1", "acme", "cn-hangzhou", "spec-1")
HOURLY = Contract(
    "c1", "acme", Hourly("spec-1"), "cn-hangzhou", "dedicated", Period(START, FOR_EVER), "n1"
)


def test_a_contract_for_its_own_node_is_accepted() -> None:
    whole_pool = replace(HOURLY, id="c2", scheme=PerToken("small"), resource="")
    one_endpoint = replace(HOURLY, id="c3", scheme=PerToken("small"))

    check_resources([HOURLY, whole_pool, one_endpoint], [NODE])


@pytest.mark.parametrize(
    "node",
    [
        replace(NODE, account="borealis"),
        replace(NODE, region="cn-beijing"),
        replace(NODE, spec="spec-2"),
    ],
)
def test_a_contract_must_agree_with_its_node(node: Resource) -> None:
    with pytest.raises(ContractError) as refusal:
        check_resources([HOURLY], [node])

    assert str(refusal.value) == (
        f"contract 'c1' must agree with n1 on account, region and spec "
        f"({node.account}, {node.region}, {node.spec}), found acme, cn-hangzhou, spec-1"
    )


def test_a_contract_for_an_undeclared_node_is_refused() -> None:
    with pytest.raises(ContractError, match=r"declared resource \(there is none yet\), found 'n1'"):
        check_resources([HOURLY], [])


def test_a_contract_may_end_but_is_never_rewritten() -> None:
    ended = replace(HOURLY, period=Period(START, START + HOUR))
    check_unchanged(HOURLY, HOURLY)
    check_unchanged(HOURLY, ended)

    for changed in (
        replace(HOURLY, scheme=Hourly("spec-2")),
        replace(HOURLY, account="borealis"),
        replace(HOURLY, period=Period(START + HOUR, FOR_EVER)),
        replace(HOURLY, worth=Decimal(1)),
    ):
        with pytest.raises(ContractError, match="'c1' must stay as it was but for its end"):
            check_unchanged(HOURLY, changed)
