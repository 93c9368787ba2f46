"""Versions of books in the ledger, and the routes over them."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from ledgers import new_ledger
from sqlalchemy import Engine
from sqlmodel import Session

from metering.period import Period
from metering.resources.schedule import EVER
from pricing.bills.tables import BookRow
from pricing.prices.book import PriceBook
from pricing.prices.canonical import parse_canonical
from pricing.prices.diff import Change, ChangedPastError
from pricing.prices.rate import Item
from pricing.prices.routes import Around, routes
from pricing.prices.store import (
    BookStore,
    UnknownBookError,
    UnknownDigestError,
    keep_book,
    shipped_book,
    shipped_names,
    texts_at,
)
from tests.pricing.book_notation import files_with
from tests.pricing.month_notation import SMALL_BOOK, at, small_book

NOW = at("2026-11-24")
NEXT_YEAR = at("2027-01-01")
SHIPPED = "polardb-2026"


def risen(book: PriceBook, by: str = "0.01") -> PriceBook:
    """Return a book whose first rate has another price from next year on."""
    first, *others = book.rates
    ended = replace(first, valid=Period(first.valid.start, NEXT_YEAR))
    begun = replace(first, valid=Period(NEXT_YEAR, EVER.end), price=first.price + Decimal(by))
    return replace(book, rates=(ended, begun, *others))


@pytest.fixture
def sqlite(tmp_path: Path) -> Engine:
    """A ledger, where both databases do the same."""
    return new_ledger(tmp_path / "ledger.db")


def test_a_book_that_comes_with_the_product_is_in_use_until_one_is_imported(
    ledger: Engine,
) -> None:
    books = BookStore(ledger)
    shipped = shipped_book(SHIPPED)
    assert books.current(SHIPPED) == shipped

    done = books.put(risen(shipped), "ann", NOW)

    assert done.is_new
    assert [d.change for d in done.differences] == [Change.CHANGED]
    assert books.current(SHIPPED) == risen(shipped)
    assert BookStore(ledger).current(SHIPPED) == risen(shipped)
    assert [(v.number, v.actor, v.imported_at) for v in books.versions()] == [
        (1, "ann", NOW),
        (0, "", None),
    ]


def test_a_book_of_a_new_name_may_say_anything(sqlite: Engine) -> None:
    books = BookStore(sqlite)

    done = books.put(small_book(), "ann", NOW)

    assert (done.is_new, done.differences) == (True, ())
    assert books.current("small") == small_book()
    assert books.of_digest(done.digest) == small_book()


def test_the_newest_version_again_changes_nothing(sqlite: Engine) -> None:
    books = BookStore(sqlite)
    books.put(small_book(), "ann", NOW)

    again = books.put(small_book(), "bob", NOW + timedelta(days=1))

    assert not again.is_new
    assert len(books.versions()) == 1 + len(shipped_names())


def test_a_dry_run_says_what_would_change_and_changes_nothing(sqlite: Engine) -> None:
    books = BookStore(sqlite)
    books.put(small_book(), "ann", NOW)

    done = books.put(risen(small_book()), "ann", NOW, dry_run=True)

    assert (done.is_new, len(done.differences)) == (True, 1)
    assert books.current("small") == small_book()


def test_a_version_that_changes_the_past_changes_nothing(sqlite: Engine) -> None:
    books = BookStore(sqlite)
    books.put(small_book(), "ann", NOW)

    with pytest.raises(ChangedPastError, match="for region=cn-hangzhou, spec=polar"):
        books.put(risen(small_book()), "ann", NEXT_YEAR + timedelta(seconds=1))
    with pytest.raises(ChangedPastError):
        books.put(replace(small_book(), rates=()), "ann", NOW)

    assert books.current("small") == small_book()


def test_a_version_may_go_back_before_it_comes_into_force(sqlite: Engine) -> None:
    books = BookStore(sqlite)
    for book in (small_book(), risen(small_book()), small_book()):
        assert books.put(book, "ann", NOW).is_new

    assert books.current("small") == small_book()
    assert [v.number for v in books.versions() if v.name == "small"] == [3, 2, 1]


def test_writers_at_once_make_one_version(ledger: Engine) -> None:
    made: list[bool] = []

    def write() -> None:
        made.append(BookStore(ledger).put(small_book(), "ann", NOW).is_new)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(made) == [False, False, False, True]


def test_a_book_is_kept_once(sqlite: Engine) -> None:
    with Session(sqlite) as session, session.begin():
        keep_book(session, small_book())
        keep_book(session, small_book())

        row = session.get(BookRow, small_book().digest)
        assert row is not None
        assert parse_canonical(row.content) == small_book()


def test_a_name_that_nobody_knows_is_refused_with_those_there_are(ledger: Engine) -> None:
    books = BookStore(ledger)
    books.put(small_book(), "ann", NOW)

    for name in ("mine", "a\0b", ""):
        with pytest.raises(UnknownBookError, match=f"must be one of {SHIPPED}, small, found "):
            books.current(name)


def test_a_hash_that_nobody_knows_is_refused(ledger: Engine) -> None:
    for digest in ("f" * 64, "\0"):
        with pytest.raises(UnknownDigestError):
            BookStore(ledger).of_digest(digest)


def test_a_book_may_be_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SMALL_BOOK["book.yaml"], "utf-8")
    for name in ("nodes.csv", "tokens.csv"):
        (tmp_path / name).write_text(SMALL_BOOK[name], "utf-8")
    (tmp_path / "notes.txt").write_text("none", "utf-8")

    texts = texts_at(tmp_path / "mine.yaml")

    assert {name: texts[name] for name in SMALL_BOOK} == SMALL_BOOK
    assert set(texts_at(tmp_path)) == {"mine.yaml", "nodes.csv", "tokens.csv"}


class Desk:
    """The routes over a ledger, and how often the service was told to read its book again."""

    def __init__(self, engine: Engine) -> None:
        self.reread = 0
        self._app = FastAPI()
        self._app.include_router(
            routes(BookStore(engine), Around(lambda: NOW, self._count, (32_000,)))
        )
        for kind in (LookupError, ValueError, RequestValidationError):
            self._app.add_exception_handler(kind, refused)

    def ask(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        async def answered() -> Any:
            transport = httpx2.ASGITransport(app=self._app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
                return (await client.request(method, path, json=body, params=params)).json()

        return asyncio.run(answered())

    def _count(self) -> None:
        self.reread += 1


async def refused(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(str(error), 422)


@pytest.fixture
def desk(sqlite: Engine) -> Desk:
    return Desk(sqlite)


def test_a_book_is_imported_listed_and_read_back(desk: Desk) -> None:
    digest = small_book().digest
    told = {"files": SMALL_BOOK, "actor": "ann"}

    first, again = desk.ask("POST", "/v1/books", told), desk.ask("POST", "/v1/books", told)

    assert first == {
        "name": "small", "hash": digest, "is_new": True, "rates": 8, "differences": [],
        "warnings": [],
    }  # fmt: skip
    assert again == first | {"is_new": False}
    assert desk.ask("GET", "/v1/books")["rows"][1] == {
        "name": "small",
        "number": 1,
        "hash": digest,
        "valid_from": "1970-01-01T00:00:00+00:00",
        "valid_to": "9999-01-01T00:00:00+00:00",
        "imported_at": NOW.isoformat(),
        "actor": "ann",
    }
    found = desk.ask("GET", "/v1/books/small")
    assert (found["name"], found["hash"]) == ("small", digest)
    assert parse_canonical(found["content"]) == small_book()
    assert desk.reread == 2


def test_a_new_price_is_shown_before_it_is_imported(desk: Desk) -> None:
    desk.ask("POST", "/v1/books", {"files": SMALL_BOOK})
    tokens = (
        "size_class,cny_per_10k_tokens,where,valid_from,valid_to\n"
        "small,0.075,mainland,,2027-01-01\n"
        "small,0.09,mainland,2027-01-01,\n"
        "medium,0.15,mainland,,\n"
    )
    told = {"files": SMALL_BOOK | {"tokens.csv": tokens}, "dry_run": True}

    shown = desk.ask("POST", "/v1/books", told)

    assert shown["differences"] == [
        {
            "change": "changed",
            "from": NEXT_YEAR.isoformat(),
            "to": None,
            "item": "tokens",
            "dimensions": "region=cn-hangzhou, size_class=small",
            "old": "0.075 per 10000 Tokens",
            "new": "0.09 per 10000 Tokens",
            "percent": "+20.00",
        }
    ]
    assert len(desk.ask("GET", "/v1/books")["rows"]) == 2
    assert desk.ask("POST", "/v1/books", told | {"dry_run": False})["is_new"]
    old = desk.ask("GET", "/v1/books/small", hash=small_book().digest)
    assert parse_canonical(old["content"]) == small_book()
    assert desk.reread == 2


def test_bands_that_no_request_is_put_in_are_warned_of(desk: Desk) -> None:
    def warnings(header: str) -> list[str]:
        told = {"files": files_with(header), "dry_run": True}
        return [str(said) for said in desk.ask("POST", "/v1/books", told)["warnings"]]

    assert warnings("bands: [0, 32000]\n") == []
    [said] = warnings("bands: [0, 8000, 32000]\n")
    assert said.startswith(
        "TALLYSTICK_CONTEXT_BANDS must be 8000,32000 for the bands of book small"
    )
    assert "found 32000: requests of other bands have no price" in said


def test_versions_come_in_pages(sqlite: Engine, desk: Desk) -> None:
    for book in (small_book(), risen(small_book()), small_book()):
        BookStore(sqlite).put(book, "ann", NOW)
    whole = desk.ask("GET", "/v1/books")

    rows, after = [], ""
    while after is not None:
        page = desk.ask("GET", "/v1/books", after=after, limit="1")
        rows, after = rows + page["rows"], page["next"]

    assert (rows, whole["next"]) == (whole["rows"], None)
    assert [(row["name"], row["number"]) for row in rows] == [
        (SHIPPED, 0), ("small", 3), ("small", 2), ("small", 1),
    ]  # fmt: skip
    assert "after must be the next of a page" in desk.ask("GET", "/v1/books", after="small/4")
    assert "less than or equal to 1000" in desk.ask("GET", "/v1/books", limit="1001")


def test_a_book_that_cannot_be_is_refused_in_a_sentence(desk: Desk) -> None:
    def said(told: dict[str, Any]) -> str:
        return str(desk.ask("POST", "/v1/books", told))

    assert said({"files": {}}).startswith("a price book must have the file book.yaml")
    bad = files_with(rates="{item: fee, price: 0.5, per: 1}")
    assert "price: a price must be decimal text in quotes" in said({"files": bad})
    assert "must not hold a zero character" in said({"files": SMALL_BOOK, "actor": "\0"})
    assert "Extra inputs" in said({"files": SMALL_BOOK, "force": True})
    assert "found 'mine'" in desk.ask("GET", "/v1/books/mine")
    assert "must be of a book that is stored" in desk.ask("GET", "/v1/books/small", hash="00")
    assert desk.reread == 0


def test_a_price_of_next_year_is_charged_from_then_on(sqlite: Engine) -> None:
    books = BookStore(sqlite)
    books.put(risen(shipped_book(SHIPPED)), "ann", NOW)
    node = {"region": "cn-hangzhou", "spec": "polar.pg.g4.xlarge.gu10"}

    prices = [
        books.current(SHIPPED).rate_for(Item.NODE_MONTH, when, **node).price
        for when in (NEXT_YEAR - timedelta(seconds=1), NEXT_YEAR)
    ]

    assert prices == [Decimal("6405.92"), Decimal("6405.93")]
