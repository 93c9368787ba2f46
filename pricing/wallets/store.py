"""Wallets in the ledger: grants are rows, and what is left of them is a sum of movements."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine
from sqlmodel import Session, col, select

from metering.period import Period
from metering.store import exclusive
from pricing.bills.signed import Signed
from pricing.bills.tables import GrantRow
from pricing.ledger.entry import Book, Kind, Movement, Transaction, Unit, moved
from pricing.ledger.ledger_store import left_of_grants, post
from pricing.wallets.wallet import Draw, Grant, Holding, Source, expired

_PAID_FROM = {Source.PAID: Book.CASH, Source.PROMOTION: Book.PROMOTION}


class WalletStore:
    """Grants of all accounts. One transaction per call."""

    def __init__(self, engine: Engine | Connection) -> None:
        """Work on an engine, or inside the transaction of a connection."""
        self._engine = engine

    def grant(self, grant: Grant, signed: Signed) -> None:
        """Add prepaid money; told again under the same id it is added once.

        Raises:
            OtherGrantError: the id names another grant.
        """
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            known = session.get(GrantRow, grant.id)
            if known:
                if _grant(known) != grant:
                    raise OtherGrantError(grant.id)
                return
            session.add(_row(grant, signed))
            session.flush()
            source = _PAID_FROM[grant.source]
            movements = moved(source, Book.WALLET, grant.units, grant.id)
            post(session, [_moving(grant, Kind.GRANT, f"grant:{grant.id}", signed.at, movements)])

    def holdings(self, account: str) -> list[Holding]:
        """Return what is left of an account's grants, by id."""
        with Session(self._engine) as session:
            return holdings(session, account)

    def expire(self, now: datetime) -> list[Draw]:
        """Take what is left of grants that have expired; a second time there is nothing left."""
        with Session(self._engine) as session, session.begin():
            exclusive(session)
            gone = _held(session, col(GrantRow.expires_at) <= now)
            grants = {holding.grant.id: holding.grant for holding in gone}
            taken = expired(gone, now)
            post(session, [_expiry(grants[draw.grant], draw, now) for draw in taken])
            return taken


def holdings(session: Session, account: str) -> list[Holding]:
    """Return what is left of an account's grants, by id."""
    return _held(session, col(GrantRow.account) == account)


def burned(draws: Iterable[Draw]) -> tuple[Movement, ...]:
    """Return how prepaid money pays what is owed."""
    return tuple(m for d in draws for m in moved(Book.WALLET, Book.RECEIVABLE, d.units, d.grant))


def _held(session: Session, which: ColumnElement[bool]) -> list[Holding]:
    rows = session.exec(select(GrantRow).where(which).order_by(GrantRow.id)).all()
    left = left_of_grants(session, select(GrantRow.id).where(which)) if rows else {}
    return [Holding(_grant(row), left.get(row.id, 0)) for row in rows]


def _expiry(grant: Grant, draw: Draw, now: datetime) -> Transaction:
    """A grant may expire again, once a bill that it paid is void."""
    movements = moved(Book.WALLET, Book.BREAKAGE, draw.units, draw.grant)
    return _moving(grant, Kind.EXPIRY, f"expiry:{grant.id}:{now.isoformat()}", now, movements)


def _moving(
    grant: Grant, kind: Kind, name: str, at: datetime, movements: tuple[Movement, ...]
) -> Transaction:
    return Transaction(name, kind, grant.account, grant.unit, grant.id, at, movements)


def _row(grant: Grant, signed: Signed) -> GrantRow:
    return GrantRow(
        id=grant.id,
        account=grant.account,
        currency=grant.unit.currency,
        places=grant.unit.places,
        units=grant.units,
        priority=grant.priority,
        starts_at=grant.valid.start,
        expires_at=grant.valid.end,
        source=grant.source.value,
        actor=signed.actor,
        reason=signed.reason,
    )


def _grant(row: GrantRow) -> Grant:
    return Grant(
        id=row.id,
        account=row.account,
        unit=Unit(row.currency, row.places),
        units=row.units,
        valid=Period(row.starts_at, row.expires_at),
        priority=row.priority,
        source=Source(row.source),
    )


class OtherGrantError(ValueError):
    """An id that already names another grant."""

    def __init__(self, grant: str) -> None:
        super().__init__(
            f"the id of a grant must be new, or name the same one, found {grant!r} on another"
        )
