from decimal import Decimal

import pytest

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.prices.book import Scope
from pricing.prices.file import parse_book
from pricing.prices.policy import TaxRate
from pricing.prices.text import BookError, PlacedError
from tests.pricing.book_notation import book_with
from tests.pricing.month_notation import SMALL_BOOK, at

REFUSED = (BookError, PlacedError)


def refusal_of(header: str) -> str:
    with pytest.raises(REFUSED) as refusal:
        book_with(header)
    return str(refusal.value)


def test_a_header_says_what_else_belongs_to_prices() -> None:
    book = book_with(
        header="""
term_factors: {12: "0.85"}
bands: [0, 32000]
class_models: {small: [qwen3, glm]}
valid_from: 2026-10-01
valid_to: 2028-01-01
policy: {hour_rounding: minute}
taxes:
  - {name: VAT, rate: "0.06", applies_to: [tokens], valid_to: 2027-01-01}
  - {name: VAT, rate: "0.09", valid_from: 2027-01-01}
"""
    )

    assert (book.factor(12), book.factor(1)) == (Decimal("0.85"), Decimal(1))
    assert book.bands == (0, 32_000)
    assert book.class_models == {"small": ("qwen3", "glm")}
    assert [book.fits("small", model) for model in ("glm", "llama")] == [True, False]
    assert book.fits("medium", "llama")
    assert book.valid == Period(at("2026-10-01"), at("2028-01-01"))
    assert book.policy.hour_rounding == "minute"
    assert book.taxes == (
        TaxRate("VAT", Decimal("0.06"), Period(EVER.start, at("2027-01-01")), ("tokens",)),
        TaxRate("VAT", Decimal("0.09"), Period(at("2027-01-01"), EVER.end)),
    )


def test_rounding_has_a_scope() -> None:
    text = SMALL_BOOK["book.yaml"].replace("mode: down}", "mode: down, scope: line}")
    book = parse_book(SMALL_BOOK | {"book.yaml": text})

    assert (book.postpaid.scope, book.order.scope) == (Scope.LINE, Scope.PERIOD)


@pytest.mark.parametrize(("currency", "minor"), [("CNY", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_a_currency_has_the_decimals_of_its_smallest_coin(currency: str, minor: int) -> None:
    text = SMALL_BOOK["book.yaml"].replace("currency: CNY", f"currency: {currency}")
    book = parse_book(SMALL_BOOK | {"book.yaml": text.replace("places: 2", f"places: {minor}")})

    assert book.minor == minor


def test_a_currency_of_one_s_own_says_its_decimals() -> None:
    text = SMALL_BOOK["book.yaml"].replace("currency: CNY", "currency: CREDITS\nminor: 6")

    assert parse_book(SMALL_BOOK | {"book.yaml": text}).minor == 6


@pytest.mark.parametrize(
    ("text", "other", "sentence"),
    [
        ("currency: CNY", "currency: JPY", "at most the 0 places of JPY in its rounding, found 2"),
        ("currency: CNY", "currency: QQQ", "book.yaml currency: a currency must be a code of ISO"),
        (
            "currency: CNY",
            "currency: Yuan",
            "book.yaml currency: it must be 3 to 12 capital letters or digits",
        ),
        ("currency: CNY", "currency: CNY\nminor: 11", "minor: it must be 10 at most, found 11"),
        (
            "name: small",
            "name: a b",
            "book.yaml name: it must be 1 to 80 letters, digits, points, dashes",
        ),
        ("name: small", "name:", "book.yaml name: it must be a text, found None"),
        ("name: small", "name: true", "book.yaml name: it must be a text, found True"),
        ("name: small", "name: small\nname: other", "must have name once, found it on line 2 and"),
        ("name: small", "name: small\ncolour: red", "must have only name, title, source,"),
        ("name: small", "name: [", "book.yaml: the text must be YAML, found while parsing"),
        ("name: small", "name: 2026-13-01", "book.yaml: the text must be YAML, found month must"),
        ("name: small", "name: " + "[" * 1500, "book.yaml: the text must be YAML, found"),
        ("Example operator", '"\\ud800"', "must have text of whole characters, found half of one"),
        ("terms: [1, 2, 12]", "terms: [0]", "terms of 1 to 120 months, found [0]"),
        ("terms: [1, 2, 12]", "terms: 12", "book.yaml terms: it must be a list, found 12"),
        ("terms: [1, 2, 12]", "terms: [1.5]", "it must be a whole number, 0 or more, found 1.5"),
        ("mode: down", "mode: down, scope: bill", "scope: it must be one of period, line"),
        ("mode: down", "mode: down, why: no", "must have only places, mode, scope, found 'why'"),
        ("regions:", "regions: []\ntitle:", "book.yaml regions must have a mapping, found list"),
        (
            "  mainland: [cn-hangzhou]",
            "  mainland: cn-hangzhou",
            "book.yaml areas: areas mainland: it must be a list, found",
        ),
    ],
    ids=lambda value: value[:24],
)
def test_a_wrong_header_is_refused_by_its_field(text: str, other: str, sentence: str) -> None:
    header = SMALL_BOOK["book.yaml"].replace(text, other)

    with pytest.raises(REFUSED) as refusal:
        parse_book(SMALL_BOOK | {"book.yaml": header})

    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ('term_factors: {3: "0.9"}', "factors of terms that are sold, found 3 months"),
        ('term_factors: {12: "1.1"}', "the factor of 12 months must have more than 0, at most 1"),
        ('term_factors: {12: "0"}', "more than 0, at most 1, found 0"),
        ("term_factors: {12: 0.85}", "term_factors 12: a price must be decimal text in quotes"),
        ("bands: [32000, 0]", "rising bands, found [32000, 0]"),
        ("bands: [0, 0]", "rising bands"),
        ("class_models: {huge: [m]}", "class_models of size classes that it prices, found 'huge'"),
        ("class_models: {small: []}", "a model that size class small is for, found none"),
        ("class_models: {small: m}", "class_models small: it must be a list, found 'm'"),
        ("class_models: [small]", "class_models: class_models must have a mapping, found list"),
        ("policy: {hour_rounding: day}", "book.yaml policy: hour_rounding must have one of second"),
        ("policy:", "book.yaml policy: policy must have a mapping, found NoneType"),
        ("policy: {colour: red}", "book.yaml policy: a policy must have only hour_rounding, "),
        ("taxes: {name: VAT}", "book.yaml taxes must have a list, found"),
        ('taxes: [{name: VAT, rate: "6"}]', "taxes 1 must have a rate of 1 at most (6 % is 0.06)"),
        ('taxes: [{name: VAT, rate: "0.06", of: all}]', "must have only name, rate, applies_to,"),
        ('taxes: [{name: VAT, rate: "0.06", applies_to: [tea]}]', "must be one of node-month, "),
        (
            'taxes: [{name: VAT, rate: "0.06", applies_to: [fee]}, {name: VAT, rate: "0.09"}]',
            "the tax VAT once at a time, found it twice",
        ),
        ("valid_from: 2027-01-01\nvalid_to: 2027-01-01", "a valid_to after its valid_from"),
    ],
    ids=lambda value: value[:40],
)
def test_what_a_header_adds_is_refused_by_its_field(header: str, sentence: str) -> None:
    assert sentence in refusal_of(f"{header}\n")


def test_taxes_on_different_items_may_share_a_name() -> None:
    told = 'applies_to: [fee]}, {name: VAT, rate: "0.09", applies_to: [tokens]}]\n'

    assert len(book_with(header=f'taxes: [{{name: VAT, rate: "0.06", {told}').taxes) == 2
