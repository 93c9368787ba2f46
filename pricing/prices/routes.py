"""/v1/books: the versions of price books, and a new version of one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from metering.resources.wire import Text
from pricing.page import page_of
from pricing.prices.file import parse_book
from pricing.prices.fit import band_warnings
from pricing.prices.show import difference_row
from pricing.prices.store import BookStore, BookVersion, Imported

PageSize = Annotated[int, Query(ge=1, le=1000)]


class BookTold(BaseModel):
    """A price book as its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str]
    """Name -> text: ``book.yaml`` and the tables that it names."""
    actor: Text = "api"
    dry_run: bool = False
    """Only say what would change."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the routes use besides the books."""

    now: Callable[[], datetime]
    reread: Callable[[], None]
    """Makes the service price by the newest version."""
    bands: tuple[int, ...] = ()
    """The lower bounds of the context bands that requests are put in."""


def routes(books: BookStore, around: Around) -> APIRouter:
    """Build the routes over stored books."""
    router = APIRouter()

    @router.post("/v1/books", summary="Import a version of a price book")
    def put(told: BookTold) -> dict[str, Any]:
        """Store a book as the newest version of its name; the same book again changes nothing.

        What the version before says of the time until now must stay as it is.
        """
        done = books.put(parse_book(told.files), told.actor, around.now(), dry_run=told.dry_run)
        if not told.dry_run:
            around.reread()
        return _imported_json(done) | {"warnings": band_warnings(done.book, around.bands)}

    @router.get("/v1/books", summary="Versions of price books")
    def listed(after: str = "", limit: PageSize = 100) -> dict[str, Any]:
        """Return versions by name, the newest first; number 0 comes with the product.

        ``next`` is what ``after`` must be for the next page.
        """
        page = page_of(books.versions(), lambda version: version.id, after, limit)
        return {"rows": [_version_json(version) for version in page.rows], "next": page.next}

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
