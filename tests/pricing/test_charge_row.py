from collections.abc import Mapping
from decimal import Decimal

import pytest

from metering.interval import Resource
from pricing.rating.inputs import Inputs
from tests.pricing.month_notation import at, bill_of, lines_of, month_from, shipped


def holds(row: Mapping[str, object], cells: Mapping[str, object]) -> bool:
    assert {name: row[name] for name in cells} == cells
    return True


def test_tokens_become_a_row_in_the_words_of_finance(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=3 written_5m=1234567 project=search model=qwen3
    """
    [row, _] = bill_of(inputs).lines

    assert holds(
        row,
        {
            "BilledCost": Decimal("9.2592525"),
            "BillingAccountId": "acme",
            "BillingAccountName": "Acme Ltd",
            "ChargeCategory": "Usage",
            "ChargeDescription": "qwen3, cache write tokens (5 min), size class small",
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodStart": at("2026-10-06"),
            "ChargePeriodEnd": at("2026-10-07"),
            "ConsumedQuantity": Decimal(1234567),
            "ConsumedUnit": "Tokens",
            "ContractedUnitPrice": Decimal("0.075"),
            "ListUnitPrice": Decimal("0.075"),
            "PricingCategory": "Standard",
            "PricingQuantity": Decimal("123.4567"),
            "PricingUnit": "10000 Tokens",
            "RegionId": "cn-hangzhou",
            "RegionName": "China (Hangzhou)",
            "ResourceId": "shared",
            "ResourceType": "Model Endpoint",
            "SkuId": "tokens-small-written-5m",
            "SkuMeter": "Cache Write Tokens (5 min)",
            "SkuPriceDetails": {"x_SizeClass": "small"},
            "SkuPriceId": "tokens-small-written-5m-cn-hangzhou",
            "SubAccountId": "search",
            "SubAccountType": "Project",
            "x_ChargeDescriptionZh": "qwen3 缓存写入(5分钟)Token,规格 small,按Token计费",
            "x_ContractId": "t1",
            "x_Model": "qwen3",
            "x_RequestCount": Decimal(3),
        },
    )


def test_tokens_of_no_project_and_no_model_leave_those_cells_null(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=10 project= model=
    """
    [row, _] = bill_of(inputs).lines

    assert holds(
        row,
        {
            "ChargeDescription": "any model, input tokens, size class small",
            "SubAccountId": None,
            "SubAccountName": None,
            "SubAccountType": None,
            "x_Model": None,
        },
    )


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        ("fresh", "Input Tokens"),
        ("cached", "Cached Input Tokens"),
        ("written_5m", "Cache Write Tokens (5 min)"),
        ("written_1h", "Cache Write Tokens (1 h)"),
        ("output", "Output Tokens"),
        ("reasoning", "Reasoning Tokens"),
    ],
)
def test_every_token_class_is_a_meter_of_its_own(meter: str, words: str) -> None:
    inputs = month_from(f"token t shared small 2026-10-01\nused 2026-10-06T10 shared {meter}=7")

    [row, _] = bill_of(inputs).lines

    assert (row["SkuMeter"], row["ConsumedQuantity"]) == (words, 7)


def test_tokens_of_two_endpoints_of_a_pool_are_told_apart(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01
    used  2026-10-06T10 shared requests=1 fresh=10 resource=ep1
    used  2026-10-06T10 shared requests=1 fresh=20 resource=ep2
    """
    rows = bill_of(inputs).lines[:-1]

    assert sum(row["ConsumedQuantity"] for row in rows) == 30
    assert len({row["x_LineId"] for row in rows}) == len(rows)


def test_a_pool_contract_of_one_endpoint_names_the_endpoint(inputs: Inputs) -> None:
    """
    token t1 shared small 2026-10-01 resource=ep1
    used  2026-10-06T10 shared requests=1 fresh=10 resource=ep1
    """
    [row, _] = bill_of(inputs).lines

    assert (row["ResourceId"], row["ResourceName"]) == ("ep1", "ep1")


def test_an_hour_of_a_node_becomes_a_usage_row(inputs: Inputs) -> None:
    """
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:59:30 2026-10-06T11:00
    """
    node = Resource("n1", "acme", "cn-hangzhou", "polar.pg.g4.xlarge.gu10", "gpu one")

    [row, _] = bill_of(inputs, resources=[node]).lines

    assert holds(
        row,
        {
            "BilledCost": Decimal("0.1112133333"),
            "ChargeCategory": "Usage",
            "ChargeDescription": "GPU node polar.pg.g4.xlarge.gu10, pay as you go",
            "ChargeFrequency": "Usage-Based",
            "ChargePeriodStart": at("2026-10-06T10:00"),
            "ChargePeriodEnd": at("2026-10-06T11:00"),
            "CommitmentDiscountId": None,
            "ConsumedQuantity": Decimal(30),
            "ConsumedUnit": "Seconds",
            "EffectiveCost": Decimal("0.1112133333"),
            "PricingCategory": "Standard",
            "PricingQuantity": Decimal("0.0083333333"),
            "PricingUnit": "Hours",
            "ResourceId": "n1",
            "ResourceName": "gpu one",
            "ResourceType": "GPU Node",
            "SkuId": "node-polar.pg.g4.xlarge.gu10",
            "SkuPriceDetails": {"InstanceType": "polar.pg.g4.xlarge.gu10"},
            "SkuPriceId": "node-polar.pg.g4.xlarge.gu10-hour-cn-hangzhou",
            "x_ChargeDescriptionZh": "GPU节点 polar.pg.g4.xlarge.gu10 按量付费",
        },
    )


@pytest.mark.parametrize("resources", [[], [Resource("n1", "acme", "cn-hangzhou", "any")]])
def test_a_node_without_a_name_is_shown_by_its_id(resources: list[Resource]) -> None:
    inputs = month_from("""
    hour  h1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-06T10:00 2026-10-06T11:00
    """)

    [row, _] = bill_of(inputs, resources=resources).lines

    assert row["ResourceName"] == "n1"


def test_an_order_becomes_a_purchase_with_no_effective_cost(inputs: Inputs) -> None:
    """
    sub   s1 n1 g8.xlarge.gu30 2026-10-01 months=12 discount=0.85
    """
    [row] = lines_of(bill_of(inputs), ChargeCategory="Purchase")

    assert holds(
        row,
        {
            "BilledCost": Decimal("353665.62"),
            "ChargeDescription": "GPU node polar.pg.g8.xlarge.gu30, 12-month subscription",
            "ChargeFrequency": "Recurring",
            "ChargePeriodStart": at("2026-10-01"),
            "ChargePeriodEnd": at("2027-10-02"),
            "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountId": "s1",
            "CommitmentDiscountQuantity": Decimal(366 * 24),
            "CommitmentDiscountStatus": None,
            "CommitmentDiscountType": "Subscription",
            "CommitmentDiscountUnit": "Hours",
            "ConsumedQuantity": None,
            "ContractedCost": Decimal("353665.62"),
            "ContractedUnitPrice": Decimal("29472.135"),
            "EffectiveCost": Decimal(0),
            "ListCost": Decimal("416077.2"),
            "ListUnitPrice": Decimal("34673.1"),
            "PricingCategory": "Standard",
            "PricingQuantity": Decimal(12),
            "PricingUnit": "Months",
            "SkuPriceId": "node-polar.pg.g8.xlarge.gu30-month-cn-hangzhou",
            "x_ChargeDescriptionZh": "GPU节点 polar.pg.g8.xlarge.gu30 包年包月,12个月",
        },
    )


def test_reserved_time_becomes_a_used_row_and_an_unused_row(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-01
    ran   n1 2026-10-01 2026-10-02
    """
    bill = bill_of(inputs)
    [used] = lines_of(bill, CommitmentDiscountStatus="Used")
    [unused] = lines_of(bill, CommitmentDiscountStatus="Unused")

    shared = {
        "BilledCost": Decimal(0),
        "ChargeCategory": "Usage",
        "CommitmentDiscountId": "s1",
        "PricingCategory": "Committed",
        "PricingUnit": "Hours",
        "ChargePeriodStart": at("2026-10-01"),
        "ChargePeriodEnd": at("2026-11-01"),
    }
    assert holds(used, shared | {"ConsumedQuantity": Decimal(86400), "ConsumedUnit": "Seconds"})
    assert holds(unused, shared | {"ConsumedQuantity": None, "ConsumedUnit": None})
    assert (used["PricingQuantity"], used["CommitmentDiscountQuantity"]) == (24, 24)
    assert (unused["PricingQuantity"], unused["CommitmentDiscountQuantity"]) == (720, 720)
    assert used["EffectiveCost"] == Decimal("200.185")
    assert unused["EffectiveCost"] == Decimal("6005.55")


def test_every_row_names_its_bill_and_book(inputs: Inputs) -> None:
    """
    sub   s1 n1 g4.xlarge.gu10 2026-10-01
    hour  h1 n2 g4.xlarge.gu10 2026-10-01
    ran   n2 2026-10-06T10:00 2026-10-06T11:00
    """
    rows = bill_of(inputs).lines

    assert {(row["x_BillId"], row["x_BookHash"]) for row in rows} == {
        ("acme-202610", shipped().digest)
    }
    assert len({row["x_LineId"] for row in rows}) == len(rows) == 4
    assert {len(row["x_LineId"]) for row in rows} == {20}


def test_tokens_under_one_endpoint_s_contract_are_one_line_whether_or_not_they_name_it(
    inputs: Inputs,
) -> None:
    """
    token t1 shared small 2026-10-01 resource=ep1
    used  2026-10-06T10 shared requests=1 fresh=10 resource=ep1
    used  2026-10-06T10 shared requests=1 fresh=20
    """
    [row, _] = bill_of(inputs).lines

    assert (row["ResourceId"], row["ConsumedQuantity"], row["x_RequestCount"]) == ("ep1", 30, 2)
