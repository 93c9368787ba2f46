"""`tallystick book`: files alone, and against a service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import pytest
from conftest import Service, start_service, stop_service
from typer.testing import CliRunner

from tallystick.cli import app
from tests.pricing.month_notation import SMALL_BOOK

SHIPPED = "pricing/books/polardb-2026"
DEAR = """
rates:
  - {item: requests, model: qwen3, price: "0.001", per: 1, valid_from: 2100-01-01}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = start_service(tmp_path_factory.mktemp("books"))
    yield service
    stop_service(service)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with the small book."""
    for name, text in SMALL_BOOK.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def tallystick(*words: str | Path) -> str:
    """Run a command; what it prints, or its complaint."""
    run = CliRunner().invoke(app, ["book", *map(str, words)])
    return run.output + (str(run.exception) if run.exit_code else "")


def rows_of(*words: str | Path) -> Any:
    return json.loads(tallystick(*words, "--format", "json"))


def test_a_book_is_checked_without_a_service(small: Path) -> None:
    assert tallystick("check", SHIPPED).startswith(
        "polardb-2026: 496 rates in 8 regions\nhash 55d3"
    )
    assert tallystick("check", small / "book.yaml").startswith("small: 8 rates in 2 regions\nhash ")


def test_a_book_that_is_wrong_is_told_in_a_sentence(small: Path) -> None:
    with (small / "book.yaml").open("a") as header:
        header.write("rates: [{item: fee, price: 0.5, per: 1}]\n")

    run = CliRunner().invoke(app, ["book", "check", str(small)])

    assert run.exit_code == 1
    assert str(run.exception).startswith(
        "book.yaml line 19 price: a price must be decimal text in quotes"
    )


def test_two_books_are_compared(small: Path) -> None:
    text = SMALL_BOOK["book.yaml"].replace("[1, 2, 12]", "[1, 2]") + DEAR
    (small / "new.yaml").write_text(text, "utf-8")

    shown = tallystick("diff", small, small / "new.yaml")
    found = rows_of("diff", small, small / "new.yaml")

    assert "added" in shown
    assert "0.001 per 1 Requests" in shown
    assert "[1, 2, 12]" in shown
    assert [(r["change"], r["item"], r["dimensions"]) for r in found["rates"]] == [
        ("added", "requests", "model=qwen3")
    ]
    assert found["fields"] == [{"name": "terms", "old": "[1, 2, 12]", "new": "[1, 2]"}]


def test_rates_are_shown_by_what_they_name() -> None:
    found = rows_of("show", SHIPPED, "--item", "tokens", "--region", "cn-hangzhou")

    assert [r["price"] for r in found["rows"]][:2] == [
        "0.075 per 10000 Tokens",
        "0.15 per 10000 Tokens",
    ]
    assert len(found["rows"]) == 6
    assert len(rows_of("show", SHIPPED)["rows"]) == 496
    assert "must be one of node-month" in tallystick("show", SHIPPED, "--item", "tea")


def test_a_price_is_explained() -> None:
    words = ["--item", "tokens", "--region", "cn-hangzhou", "--size-class", "small"]
    when = ["--at", "2026-10-01T00:00:00+08:00"]

    shown = tallystick("show", SHIPPED, *words, *when)
    found = rows_of("show", SHIPPED, *words, *when)["rows"]

    assert (found[0]["why"], found[0]["price"]) == ("applies", "0.075 per 10000 Tokens")
    assert found[1]["why"].startswith("needs ")
    assert len(found) == 30
    assert "18 rates more did not apply" in shown
    assert "tea" in tallystick("show", SHIPPED, "--item", "tea", *when)


def test_the_standard_tier_may_be_asked_for(small: Path) -> None:
    with (small / "book.yaml").open("a") as header:
        header.write('rates: [{item: requests, tier: standard, price: "1", per: 1}]\n')

    assert len(rows_of("show", small, "--item", "requests", "--tier", "standard")["rows"]) == 1
    assert rows_of("show", small, "--item", "requests", "--tier", "batch")["rows"] == []


def test_a_book_is_imported_and_asked_by_name(small: Path, service: Service) -> None:
    url = ["--url", service.address]

    assert "8 rates, would be a new version" in tallystick("import", small, "--dry-run", *url)
    assert "8 rates, a new version" in tallystick("import", small, "--actor", "ann", *url)
    assert "8 rates, in use already" in tallystick("import", small, *url)
    with (small / "book.yaml").open("a") as header:
        header.write(DEAR)
    assert "0.001 per 1 Requests" in tallystick("import", small, *url)

    listed = rows_of("list", *url)["rows"]
    assert [(v["name"], v["number"], v["actor"]) for v in listed] == [
        ("polardb-2026", 0, ""),
        ("small", 2, "operator"),
        ("small", 1, "ann"),
    ]
    assert rows_of("diff", small, "small", *url) == {"rates": [], "fields": []}
    assert rows_of("show", *url)["book"] == "polardb-2026"
    assert "polardb-2026" in tallystick("list", "--format", "csv", *url)


def test_a_past_price_that_differs_is_refused(small: Path, service: Service) -> None:
    url = ["--url", service.address]
    header = SMALL_BOOK["book.yaml"].replace("name: small", "name: dear")
    (small / "book.yaml").write_text(header, "utf-8")
    tallystick("import", small, *url)
    (small / "tokens.csv").write_text(SMALL_BOOK["tokens.csv"].replace("0.075", "0.08"), "utf-8")

    said = tallystick("import", small, *url)

    assert "must stay as they are" in said
    assert "0.075 per 10000 Tokens -> 0.08 per 10000 Tokens (+6.67 %)" in said


def test_a_service_prices_by_a_version_as_soon_as_it_is_imported(
    tmp_path: Path, service: Service
) -> None:
    for file in Path(SHIPPED).iterdir():
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    with (tmp_path / "book.yaml").open("a") as header:
        header.write(DEAR)
    declared = {"accounts": [{"id": "acme", "name": "Acme"}]}
    calls.post(f"{service.address}/v1/setup", json=declared, timeout=60)
    before = book_of_a_bill(service)

    tallystick("import", tmp_path, "--url", service.address)

    known = rows_of("list", "--url", service.address)["rows"]
    newest, shipped = (v["hash"] for v in known if v["name"] == "polardb-2026")
    assert (before, book_of_a_bill(service)) == (shipped, newest)


def book_of_a_bill(service: Service) -> str:
    found = calls.get(f"{service.address}/v1/bills/acme/2026-10", timeout=60).json()
    return str(found["book_hash"])
