"""Every kind of charge becomes a row that obeys FOCUS and says what it is for."""

from dataclasses import replace
from decimal import Decimal

from pricing.bills.charge_cells import CATEGORIES
from pricing.contracts.change import end_early
from pricing.contracts.terms import Discount, Included, Terms
from pricing.focus.check import all_faults
from pricing.focus.column import Row
from pricing.prices.policy import TaxRate
from pricing.prices.rate import Item, Model, Rate
from pricing.rating.charge import Kind
from pricing.rating.inputs import Inputs
from pricing.rating.rating import rate
from tests.pricing.month_notation import at, bill_of, month_from
from tests.pricing.rates import book_of, by, priced, tokens

D = Decimal
SPEC = "polar.pg.g4.xlarge.gu10"
NODES = priced(Item.NODE_MONTH, "720", spec=SPEC), priced(Item.NODE_HOUR, "2", spec=SPEC)
CACHES = priced(Item.KV_CACHE_MONTH, "9.6"), priced(Item.KV_CACHE_HOUR, "0.02")


def rows_of(inputs: Inputs, *rates: Rate) -> list[Row]:
    """Return the rows of a month under a book, but for the rounding row: they obey FOCUS."""
    bill = bill_of(replace(inputs, book=book_of(*rates)))

    assert all_faults(bill.lines) == []
    return [row for row in bill.lines if not str(row["ChargeDescription"]).startswith("Rounding")]


def test_a_month_of_every_kind_obeys_focus_and_adds_up() -> None:
    inputs = month_from("""
    sub    s1 n1 g4.xlarge.gu10 2026-10-01
    hour   h1 n2 g4.xlarge.gu10 2026-10-01
    kvsub  k1 n1 100 2026-10-01
    kvhour k2 n2 100 2026-10-01 quantity=2
    model  m1 shared - 2026-10-01 factors=cached:0.2
    model  m2 lab - 2026-10-01
    ran    n1 2026-10-06T10:00:00 2026-10-06T12:00:00
    ran    n2 2026-10-06T10:59:30 2026-10-06T12:50:30
    used   2026-10-06T10 shared fresh=7000000 cached=1000 requests=3 tier=batch band=32000
    used   2026-10-06T11 shared output=1000 requests=3 reason=full project=p1
    used   2026-10-06T11 dedicated fresh=1000 requests=3
    """)
    change = end_early(inputs.contracts[0], at("2026-10-11"), book_of(*NODES))
    terms = Terms(
        included=(Included(1000),),
        usage_discount=D(10),
        maximum=D(5),
        discounts=(Discount("part", D(10)),),
    )
    made_up = replace(terms, maximum=None, minimum=D(50))
    agreed = {"m1": terms, "m2": made_up}
    others = inputs.contracts[1:]
    contracts = [
        change.contracts[0],
        *(replace(c, terms=agreed.get(c.id, c.terms)) for c in others),
    ]
    assert change.settlement is not None
    inputs = replace(inputs, contracts=contracts, settlements=[change.settlement])
    rates = (
        *NODES,
        *CACHES,
        tokens("1", meter="fresh"),
        tokens("2", meter="output"),
        priced(Item.REQUESTS, "0.5"),
        priced(Item.FEE, "31", pool="lab"),
    )
    book = book_of(*rates, taxes=(TaxRate("VAT", D("0.06")),))

    bill = bill_of(replace(inputs, book=book))

    assert {c.kind for c in rate(replace(inputs, book=book)).charges} == set(Kind) - {Kind.CREDIT}
    assert all_faults(bill.lines) == []
    assert sum(row["BilledCost"] for row in bill.lines) == bill.payable
    assert set(CATEGORIES) == set(Kind)


def test_tokens_of_a_model_are_told_apart_by_tier_band_and_reason(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=7 tier=batch band=32000 reason=full provider=bailian
    """
    special = tokens("1", model="qwen3", tier="batch", band="32000")

    [row] = rows_of(inputs, special)

    assert row["ChargeDescription"] == (
        "qwen3, input tokens, batch tier, context from 32000 tokens, overflow: full"
    )
    assert row["x_ChargeDescriptionZh"] == (
        "qwen3 输入Token,服务层级 batch,上下文 32000 起,溢出 full,按Token计费"
    )
    assert row["SkuId"] == "tokens-qwen3-fresh"
    assert row["SkuPriceId"] == f"tokens-qwen3-fresh-cn-hangzhou-{special.id}"
    assert row["SkuPriceDetails"] == {"x_Band": "32000", "x_ServiceTier": "batch"}
    assert (row["x_SpillReason"], row["x_Rule"]) == ("full", "R9 tokens")


def test_an_agreed_factor_is_between_list_and_contracted_price(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01 factors=cached:0.2
    used  2026-10-06T10 shared cached=1000000
    """
    [row] = rows_of(inputs, tokens("2", meter="fresh"))

    prices = (row["ListUnitPrice"], row["ContractedUnitPrice"])
    assert prices == (2, D("0.4"))
    assert (row["ListCost"], row["ContractedCost"], row["BilledCost"]) == (2, D("0.4"), D("0.4"))


def test_a_tier_with_a_flat_amount_in_it_is_one_at_its_whole_price(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=3000000
    """
    tiered = by(tokens("1"), Model.GRADUATED, (10**6, "4", "0"), (None, "2", "1"))

    first, second = rows_of(inputs, tiered)

    assert first["ChargeDescription"] == "any model, tokens"
    assert second["ChargeDescription"] == "any model, tokens, price tier 2"
    assert [row["ListUnitPrice"] for row in (first, second)] == [4, 5]
    assert [row["PricingQuantity"] for row in (first, second)] == [1, 1]
    assert [row["PricingUnit"] for row in (first, second)] == ["1000000 Tokens", "Tiers"]
    assert [row["BilledCost"] for row in (first, second)] == [4, 5]
    assert [row["SkuPriceDetails"] for row in (first, second)] == [{"x_Tier": "1"}, {"x_Tier": "2"}]
    assert first["SkuPriceId"] == f"tokens-cn-hangzhou-{tiered.id}-1"


def test_packages_and_flat_prices_are_the_unit_of_their_price(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=3000001
    """
    cells = ("PricingUnit", "PricingQuantity", "ListUnitPrice", "BilledCost")
    units = []
    for model, price in ((Model.PACKAGE, "2"), (Model.FLAT, "2"), (Model.FLAT, "0")):
        [row] = rows_of(inputs, by(tokens(price), model))
        units.append(tuple(row[name] for name in cells))

    assert units == [
        ("Packages of 1000000 Tokens", 4, 2, 8),
        ("Flat Prices", 1, 2, 2),
        ("Flat Prices", 0, 0, 0),
    ]


def test_requests_are_a_meter_of_their_own(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared requests=4
    """
    [row] = rows_of(inputs, priced(Item.REQUESTS, "0.5"))

    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (4, "Requests")
    assert (row["SkuId"], row["ChargeDescription"]) == ("requests-qwen3", "qwen3, requests")
    assert row["x_ChargeDescriptionZh"] == "qwen3 请求,按次计费"


def test_tokens_inside_a_reservation_are_a_row_of_price_zero(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00 2026-10-06T10:30
    used 2026-10-06T10 dedicated requests=4 fresh=1000
    """
    _, row = rows_of(inputs, *NODES)

    assert row["ChargeDescription"] == "qwen3, input tokens, served inside the reservation"
    assert row["x_ChargeDescriptionZh"] == "qwen3 输入Token,预留资源内"
    assert (row["ListUnitPrice"], row["BilledCost"], row["x_RequestCount"]) == (0, 0, 4)
    assert (row["ResourceId"], row["x_ContractId"]) == ("n1", "h1")


def test_gigabyte_hours_of_a_kv_cache_are_its_own_thing(inputs: Inputs) -> None:
    """
    kvhour k1 n1 200 2026-10-01
    ran    n1 2026-10-06T10:00 2026-10-06T10:30
    """
    [row] = rows_of(inputs, *CACHES)

    assert row["ChargeDescription"] == "KV-cache 200 GB, pay as you go"
    assert (row["PricingQuantity"], row["PricingUnit"]) == (100, "GB-Hours")
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == (1800, "Seconds")
    assert row["SkuPriceDetails"] == {"x_Gigabytes": "200"}
    assert row["SkuPriceId"] == "kv-cache-hour-cn-hangzhou"


def test_a_kv_cache_s_term_counts_its_hours_and_not_its_gigabytes(inputs: Inputs) -> None:
    """
    kvsub k1 n1 200 2026-10-01
    """
    order, unused = rows_of(inputs, *CACHES)

    assert order["CommitmentDiscountQuantity"] == 768
    assert (unused["CommitmentDiscountQuantity"], unused["PricingQuantity"]) == (744, 148_800)


def test_hours_in_tiers_have_a_price_id_of_their_own(inputs: Inputs) -> None:
    """
    hour h1 n1 g4.xlarge.gu10 2026-10-01
    ran  n1 2026-10-06T10:00 2026-10-06T12:00
    """
    tiered = by(NODES[1], Model.GRADUATED, (1, "4", "0"), (None, "2", "0"))

    rows = rows_of(inputs, tiered)

    assert {row["SkuPriceId"] for row in rows} == {
        f"node-{SPEC}-hour-cn-hangzhou-{tiered.id}-{n}" for n in (1, 2)
    }


def test_what_gives_back_has_no_price_and_a_tax_no_region(inputs: Inputs) -> None:
    """
    model m1 shared - 2026-10-01
    used  2026-10-06T10 shared fresh=3000000 project=p1
    """
    terms = Terms(included=(Included(1_000_000),))
    contracts = [replace(c, terms=terms) for c in inputs.contracts]
    book = book_of(tokens("1"), taxes=(TaxRate("VAT", D("0.06")),))

    bill = bill_of(replace(inputs, contracts=contracts, book=book))

    _, included, tax, _ = bill.lines
    assert (included["ChargeCategory"], included["BilledCost"]) == ("Credit", -1)
    assert included["ChargeDescription"] == "included: 1000000 of 3000000"
    assert included["x_ChargeDescriptionZh"] == "包含用量抵扣"
    assert (included["ListUnitPrice"], included["PricingQuantity"]) == (None, None)
    assert (included["SubAccountId"], included["x_Model"]) == ("p1", "qwen3")
    assert (tax["ChargeCategory"], tax["BilledCost"]) == ("Tax", D("0.12"))
    assert (tax["RegionId"], tax["x_ContractId"]) == (None, None)
    assert tax["x_ChargeDescriptionZh"] == "税费 VAT 0.06"
