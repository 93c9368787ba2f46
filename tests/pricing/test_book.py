from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from metering.period import UnknownZoneError
from pricing.prices.book import MissingPriceError, UnknownRegionError
from pricing.prices.file import ClashingRatesError, DuplicateRowError, parse_book
from pricing.prices.rate import Item, Rate
from pricing.prices.text import BookError, PlacedError
from tests.pricing.month_notation import SMALL_BOOK, small_book

BOOK, NODES, TOKENS = SMALL_BOOK["book.yaml"], SMALL_BOOK["nodes.csv"], SMALL_BOOK["tokens.csv"]
GU10 = "polar.pg.g4.xlarge.gu10"


def refusal_of(kind: type[Exception], files: Mapping[str, str]) -> str:
    with pytest.raises(kind) as refusal:
        parse_book(files)
    return str(refusal.value)


def without_line(text: str, start: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith(start))


def test_a_node_has_a_month_price_and_an_hour_price_of_its_own() -> None:
    book = small_book()

    month = book.rate_for(Item.NODE_MONTH, region="cn-hangzhou", spec=GU10)
    hour = book.rate_for(Item.NODE_HOUR, region="cn-hangzhou", spec=GU10)

    assert (month.price, month.per, month.unit) == (Decimal("6405.92"), 1, "Months")
    assert (hour.price, hour.per, hour.unit) == (Decimal("13.3456"), 1, "Hours")


def test_a_byte_order_mark_before_a_table_is_no_part_of_its_first_column() -> None:
    assert small_book(nodes="\ufeff" + NODES).digest == small_book().digest


def test_the_most_specific_rate_wins_in_whatever_order_they_stand() -> None:
    wide = Rate(Item.NODE_HOUR, (("region", ("cn-hangzhou",)),), Decimal(1), 1, "Hours")
    narrow = Rate(Item.NODE_HOUR, (*wide.match, ("spec", ("a",))), Decimal(2), 1, "Hours")
    for rates in ((wide, narrow), (narrow, wide)):
        book = replace(small_book(), rates=rates)

        assert book.rate_for(Item.NODE_HOUR, region="cn-hangzhou", spec="a") is narrow
        assert book.rate_for(Item.NODE_HOUR, region="cn-hangzhou", spec="b") is wide


def test_a_missing_price_names_the_region_and_the_size_class() -> None:
    with pytest.raises(MissingPriceError) as refusal:
        small_book().rate_for(Item.TOKENS, region="cn-hongkong", size_class="small")

    assert str(refusal.value) == (
        "book small must have a tokens price for region=cn-hongkong, size_class=small, found none"
    )
    assert refusal.value.wanted == {"region": "cn-hongkong", "size_class": "small"}


def test_a_missing_price_is_not_taken_from_another_item() -> None:
    book = small_book()
    months_only = replace(book, rates=tuple(r for r in book.rates if r.item is Item.NODE_MONTH))

    with pytest.raises(MissingPriceError, match="a node-hour price for region=cn-hangzhou"):
        months_only.rate_for(Item.NODE_HOUR, region="cn-hangzhou", spec=GU10)


def test_a_price_that_needs_more_than_was_asked_by_does_not_match() -> None:
    with pytest.raises(MissingPriceError, match=f"a node-hour price for spec={GU10}, found none"):
        small_book().rate_for(Item.NODE_HOUR, spec=GU10)


def test_a_region_that_the_book_does_not_name_is_refused_with_those_it_does() -> None:
    with pytest.raises(UnknownRegionError) as refusal:
        small_book().rate_for(Item.NODE_HOUR, region="cn-atlantis", spec=GU10)

    assert str(refusal.value) == (
        "the region must be one of cn-hangzhou, cn-hongkong, found 'cn-atlantis'"
    )


def test_the_digest_is_of_the_prices_and_not_of_how_they_are_written() -> None:
    zeros = NODES.replace("6405.92,", "6405.9200,").replace(",20.8\n", ",20.80\n")

    assert small_book(nodes=zeros, book="# a comment" + BOOK).digest == small_book().digest


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("13.3456", "13.3457"),
        ("cn-hongkong,polar", "cn-hangzhou,x.polar"),
        ("name: small", "name: other"),
        ("prices.example/", "prices.example/2"),
        ("2026-11-22", "2026-11-23"),
        ("CNY", "USD"),
        ("zone: Asia/Shanghai", "zone: Europe/Berlin"),
        ("Example operator", "Another operator"),
        ("postpaid: {places: 2", "postpaid: {places: 1"),
        ("mode: half_up", "mode: down"),
        ("[1, 2, 12]", "[1, 2]"),
        ("name_zh: 香港", "name_zh: 中国香港"),
        ("[cn-hangzhou]", "[cn-hangzhou, cn-hongkong]"),
        ("0.075", "0.076"),
    ],
)
def test_whatever_changes_a_bill_changes_the_digest(text: str, other: str) -> None:
    changed = {name: content.replace(text, other) for name, content in SMALL_BOOK.items()}

    assert parse_book(changed).digest != small_book().digest


def test_a_missing_file_is_named() -> None:
    files = {"book.yaml": BOOK, "nodes.csv": NODES}

    assert refusal_of(BookError, files) == (
        "a price book must have the file tokens.csv, found book.yaml, nodes.csv"
    )
    assert refusal_of(BookError, {}) == ("a price book must have the file book.yaml, found nothing")


def test_a_header_that_is_a_list_is_refused() -> None:
    assert refusal_of(BookError, {"book.yaml": "- name: small"}) == (
        "book.yaml must have a mapping, found list"
    )


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "source",
        "checked",
        "currency",
        "zone",
        "provider",
        "terms",
    ],
)
def test_a_missing_field_of_the_header_is_named(field: str) -> None:
    broken = without_line(BOOK, field)

    assert refusal_of(BookError, SMALL_BOOK | {"book.yaml": broken}).startswith(
        f"book.yaml must have the field {field}, found "
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [("  order: {places: 2, mode: half_up}\n", "order"), ("places: 2, ", "places")],
)
def test_a_missing_rounding_is_named(text: str, field: str) -> None:
    broken = SMALL_BOOK | {"book.yaml": BOOK.replace(text, "")}

    assert f"must have the field {field}, found " in refusal_of(BookError, broken)


def test_a_region_without_its_chinese_name_is_refused_by_the_field() -> None:
    broken = SMALL_BOOK | {"book.yaml": BOOK.replace(", name_zh: 香港", "")}

    assert "must have the field name_zh, found " in refusal_of(BookError, broken)


def test_a_rounding_mode_that_is_none_is_refused_by_the_file() -> None:
    broken = SMALL_BOOK | {"book.yaml": BOOK.replace("half_up", "up")}

    assert refusal_of(PlacedError, broken) == (
        "book.yaml rounding order mode: it must be one of down, half_up, found 'up'"
    )


@pytest.mark.parametrize("column", ["region_id", "spec", "monthly_cny", "hourly_cny"])
def test_a_missing_column_of_the_nodes_is_named(column: str) -> None:
    message = refusal_of(BookError, SMALL_BOOK | {"nodes.csv": NODES.replace(column, "other")})

    assert message.startswith("nodes.csv ")
    assert f"the column {column}" in message


@pytest.mark.parametrize("column", ["size_class", "cny_per_10k_tokens", "where"])
def test_a_missing_column_of_the_tokens_is_named(column: str) -> None:
    message = refusal_of(BookError, SMALL_BOOK | {"tokens.csv": TOKENS.replace(column, "other")})

    assert message.startswith("tokens.csv ")
    assert f"the column {column}" in message


@pytest.mark.parametrize("row", ["cn-hangzhou,short", "cn-hangzhou,long,1,2,3"])
def test_a_row_with_a_cell_too_few_or_too_many_is_named_by_line(row: str) -> None:
    assert refusal_of(BookError, SMALL_BOOK | {"nodes.csv": f"{NODES}{row}\n"}).startswith(
        "nodes.csv line 5 must have one cell per column, found {"
    )


def test_a_price_given_twice_is_refused_with_both_lines() -> None:
    twice = f"{NODES}cn-hangzhou,{GU10},6405.92,13.3456\n"

    assert refusal_of(DuplicateRowError, SMALL_BOOK | {"nodes.csv": twice}) == (
        f"cn-hangzhou {GU10} must be priced once, found nodes.csv line 2 and nodes.csv line 5"
    )


def test_the_lines_of_a_price_given_twice_are_those_of_the_file() -> None:
    twice = f"{NODES}\n\ncn-hangzhou,{GU10},1,1\n"

    assert refusal_of(DuplicateRowError, SMALL_BOOK | {"nodes.csv": twice}).endswith(
        "found nodes.csv line 2 and nodes.csv line 7"
    )


def test_a_token_price_for_an_area_that_is_not_declared_is_refused() -> None:
    abroad = TOKENS.replace("0.15,mainland", "0.15,abroad")

    assert refusal_of(BookError, SMALL_BOOK | {"tokens.csv": abroad}) == (
        "tokens.csv line 3 must have an area of mainland, found 'abroad'"
    )


def test_two_areas_that_price_one_region_are_refused() -> None:
    areas = BOOK.replace("  mainland:", "  south: [cn-hangzhou]\n  mainland:")
    files = SMALL_BOOK | {"book.yaml": areas, "tokens.csv": f"{TOKENS}small,0.08,south\n"}

    assert refusal_of(ClashingRatesError, files) == (
        "one rate must apply, found 0.075 per 10000 in tokens.csv line 2 "
        "(the tokens price for region=cn-hangzhou, size_class=small) and "
        "0.08 per 10000 in tokens.csv line 4 "
        "(the tokens price for region=cn-hangzhou, size_class=small): let one name more, or end"
    )


def test_a_price_in_a_region_that_the_book_does_not_name_is_refused() -> None:
    files = SMALL_BOOK | {"nodes.csv": f"{NODES}cn-atlantis,{GU10},1,1\n"}

    assert refusal_of(PlacedError, files) == (
        "nodes.csv line 5: the region must be one of cn-hangzhou, cn-hongkong, found 'cn-atlantis'"
    )


def test_a_price_cell_that_is_no_price_is_refused() -> None:
    files = SMALL_BOOK | {"nodes.csv": NODES.replace("13.3456", "-13.3456")}

    assert refusal_of(PlacedError, files) == (
        "nodes.csv line 2 hourly_cny: a price must be decimal text in quotes, "
        "as in \"0.075\", found str '-13.3456'"
    )


def test_a_zone_that_nobody_knows_is_refused() -> None:
    files = SMALL_BOOK | {"book.yaml": BOOK.replace("zone: Asia/Shanghai", "zone: UTC+8")}

    assert refusal_of(UnknownZoneError, files) == (
        "a zone must be an IANA name, as in Asia/Shanghai, found 'UTC+8'"
    )
