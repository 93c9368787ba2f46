"""The prices that the product page prints, counted and summed: none may change silently."""

from collections import Counter
from decimal import Decimal

import pytest

from pricing.money import Rounding
from pricing.prices.book import Cut, MissingPriceError, PriceBook
from pricing.prices.rate import Item, Rate
from pricing.prices.store import UnknownBookError, shipped_book

TOTALS = {
    "cn-hangzhou": (39, "2423723.11", "5055.1678"),
    "cn-shanghai": (39, "2423723.11", "5055.1678"),
    "cn-beijing": (39, "2423723.11", "5055.1678"),
    "cn-shenzhen": (29, "1628747.35", "3415.6034"),
    "cn-wulanchabu": (38, "2064459.48", "4308.39255"),
    "cn-hongkong": (17, "1440129.05", "3178.0911"),
    "ap-southeast-1": (14, "1248043.67", "2703.5312"),
    "eu-central-1": (18, "1837464.09", "3996.0127"),
}
"""Region -> rows, sum of month prices, sum of hour prices."""
MISSING = {
    "cn-shenzhen": 10,
    "cn-wulanchabu": 1,
    "cn-hongkong": 22,
    "ap-southeast-1": 25,
    "eu-central-1": 21,
}
TOKEN_PRICES = {
    "small": "0.075",
    "medium": "0.15",
    "large": "0.2",
    "xlarge": "0.45",
    "2xlarge": "0.8",
    "4xlarge": "1.6",
}
MAINLAND = {"cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "cn-wulanchabu"}


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return shipped_book("polardb-2026")


def rates_of(book: PriceBook, item: Item, region: str = "") -> list[tuple[dict[str, str], Rate]]:
    named = [(dict(rate.dimensions), rate) for rate in book.rates if rate.item is item]
    return [(where, rate) for where, rate in named if region in ("", where["region"])]


def test_the_shipped_prices_are_the_ones_that_were_reviewed(book: PriceBook) -> None:
    assert book.digest == "55d3a0b4cf4cbc2c1c4776d6af8b90475b899bc3255ac5371ebf9fc97ba11b4b"


@pytest.mark.parametrize("region", TOTALS)
def test_a_region_has_as_many_prices_and_as_much_in_sum_as_the_page(
    book: PriceBook, region: str
) -> None:
    months = [rate.price for _, rate in rates_of(book, Item.NODE_MONTH, region)]
    hours = [rate.price for _, rate in rates_of(book, Item.NODE_HOUR, region)]
    rows, monthly, hourly = TOTALS[region]

    assert (len(months), sum(months)) == (rows, Decimal(monthly))
    assert (len(hours), sum(hours)) == (rows, Decimal(hourly))


def test_all_node_prices_are_233_and_have_the_page_s_sums(book: PriceBook) -> None:
    months = [rate.price for _, rate in rates_of(book, Item.NODE_MONTH)]
    hours = [rate.price for _, rate in rates_of(book, Item.NODE_HOUR)]

    assert len(months) == len(hours) == 233
    assert sum(months) == Decimal("15490012.97")
    assert sum(hours) == Decimal("32767.13435")


def test_each_region_lacks_the_specs_that_the_page_leaves_out(book: PriceBook) -> None:
    specs = {where["spec"] for where, _ in rates_of(book, Item.NODE_HOUR)}
    priced = Counter(where["region"] for where, _ in rates_of(book, Item.NODE_HOUR))

    assert len(specs) == 39
    assert {r: 39 - n for r, n in priced.items() if n < 39} == MISSING


def test_shenzhen_and_ulanqab_lack_exactly_these_specs(book: PriceBook) -> None:
    def lacking(region: str) -> set[str]:
        everywhere = {where["spec"] for where, _ in rates_of(book, Item.NODE_HOUR)}
        return everywhere - {w["spec"] for w, _ in rates_of(book, Item.NODE_HOUR, region)}

    families = Counter(spec.rpartition(".")[2] for spec in lacking("cn-shenzhen"))

    assert families == {"guu": 5, "guh": 4, "gu100": 1}
    assert "polar.pg.g8.4xlarge.gu100" in lacking("cn-shenzhen")
    assert lacking("cn-wulanchabu") == {"polar.pg.g8.16xlarge.gu100"}


def test_the_three_prices_with_five_decimals_keep_them(book: PriceBook) -> None:
    fine = {
        (where["region"], where["spec"]): str(rate.price)
        for where, rate in rates_of(book, Item.NODE_HOUR)
        if rate.price != rate.price.quantize(Decimal("0.0001"))
    }

    assert fine == {
        ("cn-wulanchabu", "polar.pg.g8.2xlarge.gu49"): "18.26253",
        ("cn-wulanchabu", "polar.pg.g8.4xlarge.gu49"): "36.52515",
        ("cn-wulanchabu", "polar.pg.g8.16xlarge.gu49"): "139.12497",
    }


def test_a_spec_is_looked_up_whole_and_never_by_its_gpu_code(book: PriceBook) -> None:
    def month_price(spec: str) -> str:
        return str(book.rate_for(Item.NODE_MONTH, region="cn-hangzhou", spec=spec).price)

    assert month_price("polar.pg.x8.4xlarge.gu100") == "12075"
    assert month_price("polar.pg.g8.4xlarge.gu100") == "46692.8"


def test_hangzhou_shanghai_and_beijing_have_one_list(book: PriceBook) -> None:
    lists = [
        {
            (r.item, w["spec"]): r.price
            for i in Item
            for w, r in rates_of(book, i, region)
            if "spec" in w
        }
        for region in ("cn-hangzhou", "cn-shanghai", "cn-beijing")
    ]

    assert lists[0] == lists[1] == lists[2]


def test_six_token_prices_hold_in_five_mainland_regions(book: PriceBook) -> None:
    found = {
        region: {w["size_class"]: str(r.price) for w, r in rates_of(book, Item.TOKENS, region)}
        for region in {w["region"] for w, _ in rates_of(book, Item.TOKENS)}
    }

    assert found == dict.fromkeys(MAINLAND, TOKEN_PRICES)
    assert sum(map(Decimal, TOKEN_PRICES.values())) == Decimal("3.275")
    assert {rate.per for _, rate in rates_of(book, Item.TOKENS)} == {10_000}


@pytest.mark.parametrize("region", ["cn-hongkong", "ap-southeast-1", "eu-central-1"])
def test_tokens_have_no_price_abroad(book: PriceBook, region: str) -> None:
    with pytest.raises(MissingPriceError) as refusal:
        book.rate_for(Item.TOKENS, region=region, size_class="small")

    assert str(refusal.value) == (
        f"book polardb-2026 must have a tokens price for region={region}, size_class=small, "
        "found none"
    )


def test_the_book_carries_its_currency_zone_rounding_and_terms(book: PriceBook) -> None:
    assert (book.currency, book.zone) == ("CNY", "Asia/Shanghai")
    assert book.postpaid == Cut(2, Rounding.DOWN)
    assert book.order == Cut(2, Rounding.HALF_UP)
    assert book.terms == (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36)
    assert [r.id for r in book.regions] == list(TOTALS)


def test_a_book_that_is_not_shipped_is_refused_by_name() -> None:
    with pytest.raises(UnknownBookError) as refusal:
        shipped_book("polardb-1999")

    assert str(refusal.value) == (
        "the price book must be one of polardb-2026, found 'polardb-1999'"
    )
