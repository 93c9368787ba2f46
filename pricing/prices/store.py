"""Price books: those that come with the product, and those that were imported, by hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from metering.period import Period
from metering.store import exclusive
from pricing.bills.tables import BookRow
from pricing.prices.book import PriceBook
from pricing.prices.canonical import parse_canonical
from pricing.prices.diff import Difference, check_succession, differences
from pricing.prices.file import parse_book
from pricing.prices.tables import BookVersionRow
from pricing.prices.text import HEADER

_SUFFIXES = (".yaml", ".csv")


@dataclass(frozen=True, slots=True)
class BookVersion:
    """A version of a book; number 0 is the one that comes with the product."""

    name: str
    number: int
    digest: str
    valid: Period
    imported_at: datetime | None = None
    actor: str = ""

    @property
    def id(self) -> str:
        """Its place in the list of versions; a book's name has no slash."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a book came to."""

    book: PriceBook
    digest: str
    is_new: bool
    differences: tuple[Difference, ...]
    """From the version before; none where there was none."""


class BookStore:
    """Books by name and by hash. One transaction per call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._read: dict[str, PriceBook] = {}

    def current(self, name: str) -> PriceBook:
        """Return the newest version of a book: the last one imported, else the shipped one.

        Raises:
            UnknownBookError: there is no book of this name.
        """
        with Session(self._engine) as session:
            book = self._newest(session, name) if name.isprintable() else None
            if book is None:
                known = {*shipped_names(), *session.exec(select(BookVersionRow.name).distinct())}
                raise UnknownBookError(name, sorted(known))
        return book

    def of_digest(self, digest: str) -> PriceBook:
        """Return a book by its hash.

        Raises:
            UnknownDigestError: no book of this hash was ever in use.
        """
        if not digest.isalnum():  # a database may not even be asked for a zero character
            raise UnknownDigestError(digest)
        if digest in self._read:
            return self._read[digest]
        with Session(self._engine) as session:
            return self._stored(session, digest)

    def versions(self) -> list[BookVersion]:
        """Return all versions of all books, by name, the newest first."""
        shipped = (shipped_book(name) for name in shipped_names())
        found = [BookVersion(b.name, 0, b.digest, b.valid) for b in shipped]
        with Session(self._engine) as session:
            found += [
                BookVersion(
                    name=row.name,
                    number=row.number,
                    digest=row.digest,
                    valid=Period(row.valid_from, row.valid_to),
                    imported_at=row.imported_at,
                    actor=row.actor,
                )
                for row in session.exec(select(BookVersionRow))
            ]
        return sorted(found, key=lambda v: (v.name, -v.number))

    def put(self, book: PriceBook, actor: str, now: datetime, *, dry_run: bool = False) -> Imported:
        """Make a book the newest version of its name; the newest one again changes nothing.

        Raises:
            ChangedPastError, ChangedFieldError: it says something else of the time before now.
        """
        digest = book.digest
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            newest = self._newest(session, book.name)
            is_new = newest is None or newest.digest != digest
            if newest and is_new:
                check_succession(newest, book, now)
            if is_new and not dry_run:
                keep_book(session, book)
                session.add(_version_row(session, book, actor, now))
        found = differences(newest, book) if newest and is_new else []
        return Imported(book, digest, is_new, tuple(found))

    def _newest(self, session: Session, name: str) -> PriceBook | None:
        query = select(BookVersionRow.digest).where(col(BookVersionRow.name) == name)
        digest = session.exec(query.order_by(col(BookVersionRow.number).desc()).limit(1)).first()
        if digest:
            return self._stored(session, digest)
        return shipped_book(name) if name in shipped_names() else None

    def _stored(self, session: Session, digest: str) -> PriceBook:
        if digest not in self._read:
            row = session.get(BookRow, digest)
            if row is None:
                raise UnknownDigestError(digest)
            self._read[digest] = parse_canonical(row.content)
        return self._read[digest]


def keep_book(session: Session, book: PriceBook) -> None:
    """Store a book by its hash, unless it is; what refers to it does so in the same transaction."""
    digest = book.digest
    if session.get(BookRow, digest) is None:
        session.add(BookRow(digest=digest, name=book.name, content=book.canonical()))
        session.flush()


def shipped_names() -> list[str]:
    """Return the names of the books that come with the product."""
    folder = files("pricing") / "books"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


@cache
def shipped_book(name: str) -> PriceBook:
    """Return a book that comes with the product.

    Raises:
        UnknownBookError: there is none of this name.
    """
    if name not in shipped_names():
        raise UnknownBookError(name, shipped_names())
    return book_in(files("pricing") / "books" / name)


def book_in(folder: Traversable) -> PriceBook:
    """Read the book in a folder: ``book.yaml`` and the tables beside it."""
    return parse_book(texts_in(folder))


def texts_in(folder: Traversable) -> dict[str, str]:
    """Return the texts of a book's files in a folder."""
    return {
        entry.name: entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.is_file() and entry.name.endswith(_SUFFIXES)
    }


def texts_at(path: Path) -> dict[str, str]:
    """Return the texts of a book in a folder, or of one that is a single YAML file."""
    if path.is_dir():
        return texts_in(path)
    return {**texts_in(path.parent), HEADER: path.read_text("utf-8")}


def _version_row(session: Session, book: PriceBook, actor: str, now: datetime) -> BookVersionRow:
    query = select(func.count()).where(col(BookVersionRow.name) == book.name)
    return BookVersionRow(
        name=book.name,
        number=session.exec(query).one() + 1,
        digest=book.digest,
        valid_from=book.valid.start,
        valid_to=book.valid.end,
        imported_at=now,
        actor=actor,
    )


class UnknownBookError(LookupError):
    """No book of this name comes with the product, and none was imported."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"the price book must be one of {', '.join(known)}, found {name!r}")


class UnknownDigestError(LookupError):
    """No book of this hash was ever in use."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"the hash must be of a book that is stored, found {digest!r}")
