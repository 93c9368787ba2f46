from decimal import Decimal

import pytest

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.prices.file import ClashingRatesError, parse_book
from pricing.prices.rate import Item, Model, Rate, RateError, Tier, usual_model
from pricing.prices.text import BookError, PlacedError
from tests.pricing.book_notation import BANDED, book_with, files_with
from tests.pricing.month_notation import SMALL_BOOK, at

LINES = SMALL_BOOK["book.yaml"].count("\n") + 1
"""The line after the small book's header."""
TABLE = "item,region,model,meter,price,per\ntokens,cn-hangzhou,qwen3,output,0.5,1000\n"
REFUSED = (BookError, PlacedError, RateError, ClashingRatesError)


def added(*, header: str = "", rates: str = "", **tables: str) -> list[Rate]:
    return list(book_with(header, rates, **tables).rates[8:])


def refusal_of(*, header: str = "", rates: str = "", **tables: str) -> str:
    with pytest.raises(REFUSED) as refusal:
        book_with(header, rates, **tables)
    return str(refusal.value)


def test_the_small_book_has_eight_rates() -> None:
    assert len(book_with().rates) == 8


def test_a_rate_of_the_header_names_what_it_prices() -> None:
    (rate,) = added(
        rates="{item: tokens, network: a, model: m, meter: [output, reasoning], "
        'price: "0.5", per: 10}'
    )

    assert rate == Rate(
        Item.TOKENS,
        (("meter", ("output", "reasoning")), ("model", ("m",)), ("network", ("a",))),
        Decimal("0.5"),
        10,
        "Tokens",
    )
    assert rate.line == f"book.yaml line {LINES + 1}"


def test_a_table_says_the_same_as_the_header() -> None:
    (row,) = added(
        more="item,model,network,meter,price,per\ntokens,m,a,output | reasoning,0.5,10\n"
    )
    (told,) = added(
        rates="{item: tokens, network: a, model: m, meter: [output, reasoning], "
        'price: "0.5", per: 10}'
    )

    assert row == told
    assert row.line == "more.csv line 2"


def test_all_columns_of_a_table_are_read_and_empty_cells_say_nothing() -> None:
    rows = added(
        header=BANDED,
        more=(
            "item,region,spec,model,provider,pool,meter,band,tier,operation,hours,network,resource,"
            "price,per,unit,charging,tiers,valid_from,valid_to\n"
            "tokens,cn-hangzhou,,m,p,shared,output,32000,standard,chat,22-08,private,n1,"
            "1.5,1000000,,,,2026-10-01,2027-01-01T00:00:00Z\n"
            "requests,,,,,,,,,,,,,,1,Calls,graduated,1000: 0.5 | 5000: 0.4 + 10 | *: 0.3,,\n"
        ),
    )

    assert dict(rows[0].match) == {
        "region": ("cn-hangzhou",),
        "model": ("m",),
        "provider": ("p",),
        "pool": ("shared",),
        "meter": ("output",),
        "band": ("32000",),
        "tier": ("",),
        "operation": ("chat",),
        "hours": ("22-08",),
        "network": ("private",),
        "resource": ("n1",),
    }
    assert rows[0].valid == Period(at("2026-10-01"), at("2027-01-01T00:00:00+00:00"))
    assert (rows[1].item, rows[1].match, rows[1].unit, rows[1].valid) == (
        Item.REQUESTS,
        (),
        "Calls",
        EVER,
    )
    assert rows[1].price == Decimal("0.5")
    assert rows[1].tiers == (
        Tier(1000, Decimal("0.5")),
        Tier(5000, Decimal("0.4"), Decimal(10)),
        Tier(None, Decimal("0.3")),
    )


def test_tiers_of_the_header_are_a_list() -> None:
    (rate,) = added(
        rates="{item: tokens, per: 1000, charging: volume, "
        'tiers: [{up_to: 100, price: "2", flat: "1"}, {price: "1.5"}]}'
    )

    assert rate.model is Model.VOLUME
    assert rate.tiers == (Tier(100, Decimal(2), Decimal(1)), Tier(None, Decimal("1.5")))


@pytest.mark.parametrize("item", Item)
def test_an_item_is_charged_as_usual_in_its_own_unit(item: Item) -> None:
    (rate,) = added(rates=f'{{item: {item}, network: private, price: "1", per: 1}}')

    assert rate.model is usual_model(item)
    assert rate.unit


def test_time_is_charged_by_time() -> None:
    assert usual_model(Item.NODE_HOUR) is usual_model(Item.KV_CACHE_HOUR) is Model.TIME
    assert usual_model(Item.NODE_MONTH) is Model.UNIT


def test_a_region_may_be_an_area() -> None:
    (rate,) = added(
        header="", rates='{item: fee, region: [mainland, cn-hongkong], price: "1", per: 1}'
    )

    assert dict(rate.match) == {"region": ("cn-hangzhou", "cn-hongkong")}


def test_an_explicit_zero_is_a_price_in_a_file() -> None:
    (rate,) = added(rates='{item: requests, price: "0", per: 1}')

    assert rate.price == 0


def test_a_short_table_may_say_from_when_until_when_a_price_holds() -> None:
    nodes = (
        "region_id,spec,monthly_cny,hourly_cny,valid_from,valid_to\n"
        "cn-hangzhou,gu10,6405.92,13.3456,,2027-01-01\n"
        "cn-hangzhou,gu10,7000,14,2027-01-01,\n"
    )
    book = parse_book(SMALL_BOOK | {"nodes.csv": nodes})

    found = [
        book.rate_for(Item.NODE_MONTH, at(day), region="cn-hangzhou", spec="gu10").price
        for day in ("2026-12-31T23:59:59", "2027-01-01")
    ]
    assert found == [Decimal("6405.92"), Decimal(7000)]


def test_a_book_needs_no_tables() -> None:
    header = SMALL_BOOK["book.yaml"].partition("areas:")[0]

    assert parse_book({"book.yaml": header}).rates == ()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("price: 0.5, per: 1", "price: a price must be decimal text in quotes, as in"),
        ("price: 0, per: 1", "found int 0"),
        ("per: 1", "must have the field price, found item, network, per"),
        ('price: "1"', "must have the field per, found item, network, price"),
        ('price: "1", per: 0', "must be for 1 unit or more, found 0"),
        ('price: "1", per: 1.5', "per: it must be a whole number, 0 or more, found 1.5"),
        ('price: "1", per: "ten"', "per: it must be a whole number, 0 or more, found 'ten'"),
        ('price: "1", per: -1', "per: it must be a whole number, 0 or more, found -1"),
        ('price: "1", per: true', "per: it must be a whole number, 0 or more, found True"),
        ('price: "0.12345678901", per: 1', "must have at most 10 decimals, found 0.12345678901"),
        ('price: "1", per: 1, colour: red', "must have only item, price, per, unit, charging"),
        ('price: "1", per: 1, region: cn-atlantis', "the region must be one of cn-hangzhou, "),
        ('price: "1", per: 1, band: 8', "it must be one of (none), found '8'"),
        ('price: "1", per: 1, hours: 8-22', "hours must be from one hour of the day to another"),
        (
            'price: "1", per: 1, unit: words',
            "unit: it must be a FOCUS unit without a number, as in",
        ),
        ('price: "1", per: 1, unit: 10 Words', "unit: it must be a FOCUS unit without a number"),
        ('price: "1", per: 1, unit: per 1M', "unit: it must be a FOCUS unit without a number"),
        ('price: "1", per: 1, meter: [[]]', "meter: it must be a text, found []"),
        ('price: "1", per: 1, meter: {a: b}', "meter: it must be a text, found {'a': 'b'}"),
        ('price: "1", per: 1, charging: dear', "charging: it must be one of unit, graduated, "),
        ('price: "1", per: 1, charging: volume', "must have the field tiers, found item"),
        ('price: "1", per: 1, charging: volume, tiers: "*: 1"', "no price beside tiers, found '1'"),
        ('per: 1, tiers: "*: 1"', "must have tiers where it is graduated or by volume, found unit"),
        ('per: 1, charging: volume, tiers: "a: 1"', "tiers: it must be a whole number, 0 or more"),
        ('per: 1, charging: volume, tiers: "100"', "tiers must be a list of up_to and price, or"),
        ("per: 1, charging: volume, tiers: []", "tiers must be a list of up_to and price, or"),
        ("per: 1, charging: volume, tiers: [{price: 1.5}]", "tiers: tier price: a price must be"),
        (
            'per: 1, charging: volume, tiers: [{price: "1", to: 3}]',
            "tiers: tier must have only up_to, price, flat, found 'to'",
        ),
        ("per: 1, charging: volume, tiers: [1]", "tiers: tier must have a mapping, found int"),
        ('price: "1", per: 1, valid_from: 2026-10-01T00:00:00', "valid_from: a time must carry"),
        ('price: "1", per: 1, valid_from: soon', "valid_from: a time must be ISO 8601 with its"),
        ('price: "1", per: 1, valid_from: "0001-01-01"', "a time must be ISO 8601 with its zone"),
        ('price: "1", per: 1, valid_from: "2026-13-01"', "a time must be ISO 8601 with its zone"),
    ],
)
def test_a_wrong_rate_is_refused_with_its_line_and_field(told: str, sentence: str) -> None:
    message = refusal_of(rates=f"{{item: tokens, network: private, {told}}}")

    assert message.startswith(f"book.yaml line {LINES + 1}")
    assert sentence in message


def test_an_item_that_is_not_sold_is_refused() -> None:
    message = refusal_of(more=TABLE.replace("tokens,", "teapots,"))

    assert message.startswith("more.csv line 2 item: it must be one of node-month, ")


def test_an_unknown_column_is_refused() -> None:
    message = refusal_of(more=TABLE.replace("meter", "colour"))

    assert message.startswith("more.csv must have only item, price, per, ")
    assert message.endswith("found 'colour'")


@pytest.mark.parametrize("tier", ['""', ""])
def test_a_dimension_of_the_header_must_have_a_value(tier: str) -> None:
    message = refusal_of(rates=f'{{item: requests, tier: {tier}, price: "1", per: 1}}')

    assert "tier: it must be a text, found " in message


@pytest.mark.parametrize("column", ["item", "price", "per"])
def test_a_missing_column_of_a_table_is_named(column: str) -> None:
    message = refusal_of(more=TABLE.replace(column, "x"))

    assert message.startswith(f"more.csv must have the column {column}, found ")


def test_a_table_without_rates_is_refused_for_its_columns() -> None:
    assert refusal_of(more="") == "more.csv must have the column item, found nothing"


def test_rates_that_are_no_list_are_refused() -> None:
    assert refusal_of(header="rates: {item: fee}\n").startswith("book.yaml rates must have a list")
    assert refusal_of(header="rates: [fee]\n") == (
        "book.yaml rates 1 must have a mapping, found str"
    )


def test_a_header_may_leave_its_rates_empty() -> None:
    assert len(book_with(header="rates:\n").rates) == 8


def test_an_alias_may_stand_for_what_was_written_before() -> None:
    rates = added(
        rates="""
        &usual {item: tokens, model: qwen3, price: "1", per: 1000}
        {<<: *usual, model: glm}
        """
    )

    assert [dict(r.match)["model"] for r in rates] == [("qwen3",), ("glm",)]


def test_two_rates_that_meet_are_refused_with_both_rows() -> None:
    message = refusal_of(
        rates='{item: tokens, network: a, model: qwen3, tier: batch, price: "0.25", per: 1000}',
        more=TABLE,
    )

    assert message == (
        "one rate must apply, found 0.5 per 1000 in more.csv line 2 (the tokens price for "
        f"meter=output, model=qwen3, region=cn-hangzhou) and 0.25 per 1000 in book.yaml line "
        f"{LINES + 2} (the tokens price for model=qwen3, network=a, tier=batch): let one name "
        "more, or end"
    )


def test_a_price_may_follow_another() -> None:
    rates = added(
        rates="""
        {item: tokens, model: qwen3, price: "0.5", per: 1000, valid_to: 2027-01-01}
        {item: tokens, model: qwen3, price: "0.6", per: 1000, valid_from: 2027-01-01}
        """
    )

    assert [str(r.price) for r in rates] == ["0.5", "0.6"]


def test_day_and_night_may_have_prices_of_their_own() -> None:
    rates = added(
        rates="""
        {item: requests, model: qwen3, hours: 08-22, price: "0.5", per: 1000}
        {item: requests, model: qwen3, hours: 22-08, price: "0.1", per: 1000}
        """
    )

    assert len(rates) == 2


def test_hours_need_a_zone_whose_hours_are_those_of_usage() -> None:
    files = files_with(rates='{item: tokens, hours: 22-08, price: "0.1", per: 1000}')
    text = files["book.yaml"].replace("Asia/Shanghai", "Asia/Kolkata")

    with pytest.raises(PlacedError, match="must be whole hours away from UTC, found Asia/Kolkata"):
        parse_book(files | {"book.yaml": text})
