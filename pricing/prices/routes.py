"""/v1/books: the versions of price books, and a new version of one."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from metering.resources.wire import Text
from pricing.prices.file import parse_book
from pricing.prices.show import difference_row
from pricing.prices.store import BookStore, BookVersion, Imported


class BookTold(BaseModel):
    """A price book as its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str]
    """Name -> text: ``book.yaml`` and the tables that it names."""
    actor: Text = "api"
    dry_run: bool = False
    """Only say what would change."""


def routes(books: BookStore, now: Callable[[], datetime], reread: Callable[[], None]) -> APIRouter:
    """Build the routes over stored books; ``reread`` makes the service price by the newest."""
    router = APIRouter()

    @router.post("/v1/books", summary="Import a version of a price book")
    def put(told: BookTold) -> dict[str, Any]:
        """Store a book as the newest version of its name; the same book again changes nothing.

        What the version before says of the time until now must stay as it is.
        """
        done = books.put(parse_book(told.files), told.actor, now(), dry_run=told.dry_run)
        if not told.dry_run:
            reread()
        return _imported_json(done)

    @router.get("/v1/books", summary="Versions of price books")
    def listed() -> dict[str, Any]:
        """Return all versions by name, the newest first; number 0 comes with the product."""
        return {"rows": [_version_json(version) for version in books.versions()]}

    @router.get("/v1/books/{name}", summary="A price book in its canonical form")
    def book(
        name: str,
        digest: Annotated[str, Query(alias="hash", description="Of an older version.")] = "",
    ) -> dict[str, Any]:
        """Return the newest version of a book, or the one of a hash."""
        found = books.of_digest(digest) if digest else books.current(name)
        return {"name": found.name, "hash": found.digest, "content": found.canonical()}

    return router


def _imported_json(done: Imported) -> dict[str, Any]:
    return {
        "name": done.book.name,
        "hash": done.digest,
        "is_new": done.is_new,
        "rates": len(done.book.rates),
        "differences": [difference_row(one) for one in done.differences],
    }


def _version_json(version: BookVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.number,
        "hash": version.digest,
        "valid_from": version.valid.start.isoformat(),
        "valid_to": version.valid.end.isoformat(),
        "imported_at": version.imported_at.isoformat() if version.imported_at else None,
        "actor": version.actor,
    }
