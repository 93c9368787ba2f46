"""Transactions in the ledger: added whole, never changed, and their sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, case, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from metering.period import Period
from metering.rows_store import insert_rows
from pricing.ledger.entry import Book, Kind, Movement, Transaction, Unit
from pricing.ledger.tables import MovementRow, TransactionRow

Balances = Mapping[Unit, Mapping[Book, int]]


class LedgerStore:
    """What the accounts say. Reading only: money moves inside the transactions of others."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def balances(self, account: str | None = None) -> Balances:
        """Return what movements left in each account, of one customer or of all."""
        side: Mapping[Book, str] = {Book(book): book.value for book in Book}
        unit = (col(TransactionRow.currency), col(TransactionRow.places))
        totals = [
            func.coalesce(func.sum(_signed(value)), 0).label(book.name)
            for book, value in side.items()
        ]
        query = select(*unit, *totals).join(
            MovementRow, col(MovementRow.transaction) == col(TransactionRow.id)
        )
        if account is not None:
            query = query.where(TransactionRow.account == account)
        with Session(self._engine) as session:
            rows = session.execute(query.group_by(*unit).order_by(*unit)).all()
        return {
            Unit(currency, places): {
                book: int(units) for book, units in zip(side, sums, strict=True) if units
            }
            for currency, places, *sums in rows
        }

    def transactions(
        self, account: str | None = None, document: str | None = None
    ) -> list[Transaction]:
        """Return transactions in the order in which they were made."""
        with Session(self._engine) as session:
            return transactions(session, account, document)


def post(session: Session, made: Iterable[Transaction]) -> None:
    """Add transactions; one that moves nothing leaves no trace.

    Raises:
        IntegrityError: one of them was posted, or turned back, before. Nothing is added then.
    """
    moving = [t for t in made if t.movements]
    if not moving:
        return
    insert_rows(session, TransactionRow, [_values(t) for t in moving])
    insert_rows(
        session,
        MovementRow,
        [
            {
                "transaction": t.id, "number": n, "debit": m.debit.value,
                "credit": m.credit.value, "units": m.units, "about": m.about,
            }
            for t in moving
            for n, m in enumerate(t.movements)
        ],
    )  # fmt: skip


def transactions(
    session: Session, account: str | None = None, document: str | None = None
) -> list[Transaction]:
    """Return transactions of a customer or a document, in the order in which they were made."""
    query = select(TransactionRow, MovementRow).join(
        MovementRow, col(MovementRow.transaction) == col(TransactionRow.id)
    )
    if account is not None:
        query = query.where(TransactionRow.account == account)
    if document is not None:
        query = query.where(TransactionRow.document == document)
    query = query.order_by(
        col(TransactionRow.made_at), col(TransactionRow.id), col(MovementRow.number)
    )
    rows: dict[str, TransactionRow] = {}
    movements: dict[str, list[Movement]] = defaultdict(list)
    for row, movement in session.execute(query).all():
        rows[row.id] = row
        movements[row.id].append(_movement(movement))
    return [_transaction(row, movements[id_]) for id_, row in rows.items()]


def left_of_grants(session: Session, grants: SelectOfScalar[str]) -> Mapping[str, int]:
    """Return what movements left in the wallet of each grant that a query finds."""
    left = -func.sum(_signed(Book.WALLET.value))
    query = (
        select(MovementRow.about, left)
        .where(_touches(Book.WALLET), col(MovementRow.about).in_(grants))
        .group_by(MovementRow.about)
    )
    return {about: int(units) for about, units in session.execute(query).all()}


def earned_until(session: Session, account: str, month: datetime) -> int:
    """Return what was booked as earned of months that start at an instant or before."""
    query = (
        select(func.coalesce(func.sum(_signed(Book.DEFERRED.value)), 0))
        .select_from(MovementRow)
        .join(TransactionRow, col(MovementRow.transaction) == col(TransactionRow.id))
        .where(
            TransactionRow.kind == Kind.EARNED.value,
            TransactionRow.account == account,
            col(TransactionRow.month_start) <= month,
        )
    )
    return int(session.exec(query).one())


def _signed(book: str) -> ColumnElement[int]:
    """Return what a movement adds to an account's balance, debits above zero."""
    units = col(MovementRow.units)
    return case((col(MovementRow.debit) == book, units), else_=0) - case(
        (col(MovementRow.credit) == book, units), else_=0
    )


def _touches(book: Book) -> ColumnElement[bool]:
    return (col(MovementRow.debit) == book.value) | (col(MovementRow.credit) == book.value)


def _values(made: Transaction) -> dict[str, object]:
    return {
        "id": made.id,
        "kind": made.kind.value,
        "account": made.account,
        "currency": made.unit.currency,
        "places": made.unit.places,
        "document": made.document,
        "month_start": made.month.start if made.month else None,
        "month_end": made.month.end if made.month else None,
        "made_at": made.made_at,
        "reverses": made.reverses or None,
    }


def _movement(row: MovementRow) -> Movement:
    return Movement(Book(row.debit), Book(row.credit), row.units, row.about)


def _transaction(row: TransactionRow, movements: Sequence[Movement]) -> Transaction:
    month = Period(row.month_start, row.month_end) if row.month_start and row.month_end else None
    return Transaction(
        id=row.id,
        kind=Kind(row.kind),
        account=row.account,
        unit=Unit(row.currency, row.places),
        document=row.document,
        made_at=row.made_at,
        movements=tuple(movements),
        month=month,
        reverses=row.reverses or "",
    )
